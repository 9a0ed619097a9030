"""Files, locks, signals, the machine, progress: what any program of this kind would need.

Imports nothing else of the library. Knows nothing of layers, networks or studies,
and of the settings only what computes.
"""
