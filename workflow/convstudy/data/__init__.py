"""Images: their sources, the subset that is used, and its digest.

Imports `core`.
"""
