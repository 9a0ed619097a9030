"""Measured times of modules and layers."""
