"""Layer kinds and the networks made of them: closed forms, worked examples, NumPy twins.

Imports `core` and `article`. Trains nothing.
"""
