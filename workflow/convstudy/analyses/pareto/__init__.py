"""Penalties other than parameters, and the Pareto front of error, size and latency."""
