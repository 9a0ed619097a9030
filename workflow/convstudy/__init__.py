"""The library behind the workflow: layers, data, learning curves, studies, tables and plots."""
