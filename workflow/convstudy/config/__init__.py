"""All settings together: their defaults, their checks, and the files generated from them.

Imports the rooms whose settings and checks it combines; each setting is implemented in its room.
"""
