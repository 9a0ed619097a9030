"""Layer kinds and the networks built from them: counts, worked examples, NumPy implementations.

Imports `core` and `article`. Does no training.
"""
