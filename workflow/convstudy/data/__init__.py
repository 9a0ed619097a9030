"""Images: where they come from, which are used, and their digest.

Imports `core`. What is learnt from them is not its business.
"""
