"""Learning curves: the training engine, the trainer of one curve, the store of all curves.

Imports the rooms `core` to `data`. Knows nothing about what the curves are used for.
"""
