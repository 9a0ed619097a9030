"""Statistical methods: one function per interval or test, each with its source.

Imports no other room of the library. Works on plain numbers and arrays, not on tables' columns.
"""
