"""Learning curves: the engine that trains, the trainer of one curve, the store of all.

Imports the rooms above, `core` to `data`. Why a curve is wanted is not its business.
"""
