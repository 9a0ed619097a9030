"""Optuna asking for curves: studies, their workers and storages.

Imports `training` and the rooms above it. How good a search is, is for `analyses.replay`.
"""
