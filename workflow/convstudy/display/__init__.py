"""How numbers, tables and figures look: forms, columns, colours, axes.

Imports `layers` and `results`. What is shown is the business of `analyses` and `report`.
"""
