"""The methods of every interval and test, one function each, with its source.

Imports no other room. Takes numbers and arrays; which column they are of is not its business.
"""
