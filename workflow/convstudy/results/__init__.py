"""A run's results folder as an object, its scale compared with the article's, recorded runs.

Imports the rooms that make results; draws no figures, judges no claims and formats nothing.
"""
