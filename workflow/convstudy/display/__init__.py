"""How numbers, tables and figures look: forms, columns, colours, axes.

Imports `core`, `layers` and `results`. What is shown is the business of `analyses` and `report`.
"""
