"""The report: its ten sections, its first page, its HTML.

Imports any room and is imported by none. It computes nothing that a table does not say.
"""
