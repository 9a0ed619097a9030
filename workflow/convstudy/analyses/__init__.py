"""One folder an analysis: numbers, figures with captions, and what the report shows of them.

An analysis imports the rooms above, and no other analysis. config/config.yaml says which are made.
"""
