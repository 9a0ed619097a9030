"""The article's statements as data, with their source.

Imports `core`. Checking them is the job of `claims`.
"""
