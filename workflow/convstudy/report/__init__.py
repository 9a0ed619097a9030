"""The report: its ten sections, its first page, its HTML.

It may import any other room and is imported by none. It computes nothing beyond the tables.
"""
