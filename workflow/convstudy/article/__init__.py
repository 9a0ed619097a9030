"""What the article states, as data with its source.

Imports `core`. Whether it is right is not its business: that is for `claims`.
"""
