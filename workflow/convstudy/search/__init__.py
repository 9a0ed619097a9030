"""The Optuna studies, which request learning curves; their workers and storages.

Imports `training` and the rooms above it. `analyses.replay` measures how good a search is.
"""
