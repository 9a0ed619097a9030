"""All settings in one: defaults, mistakes in words, and what is written of them.

Imports the rooms whose settings and checks it puts together. What a setting does is their business.
"""
