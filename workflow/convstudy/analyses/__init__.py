"""One folder per analysis: numbers, figures with captions, and what the report shows of them.

An analysis may import the rooms above it but no other analysis. config/config.yaml selects them.
"""
