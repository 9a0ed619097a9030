"""The best module for every weight of the penalty."""
