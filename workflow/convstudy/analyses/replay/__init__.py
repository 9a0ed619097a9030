"""How good a search is: studies replayed on the module table."""
