"""Every interval and test, one function a method, each with its source.

Imports `core`. Takes numbers and arrays; which column they are of is not its business.
"""
