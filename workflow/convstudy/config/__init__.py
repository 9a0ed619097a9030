"""The settings: shape, defaults and checks.

Imports `core` and `article`. What a setting does is the business of the room that reads it.
"""
