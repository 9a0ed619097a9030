"""Files, locks, signals, progress and machine information: general-purpose helpers.

Imports nothing else from the library and knows nothing about layers, networks or studies; of the
settings, it reads only the backend, device and threads.
"""
