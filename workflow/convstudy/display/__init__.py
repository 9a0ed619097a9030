"""How numbers, tables and figures look: number formats, columns, colours, axes.

Imports `core`, `layers` and `results`. `analyses` and `report` decide what is shown.
"""
