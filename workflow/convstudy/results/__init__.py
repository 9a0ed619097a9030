"""A run's folder as an object, its scale beside the article's, recorded runs.

Imports the rooms that make results. Draws, judges and formats nothing.
"""
