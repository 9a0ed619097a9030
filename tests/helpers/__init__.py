"""Helpers shared by several tests: small examples of the library's objects."""
