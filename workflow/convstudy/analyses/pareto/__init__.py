"""Latency in place of parameters, and the front of error, size and latency."""
