"""How good a search is: studies replayed on the table of modules."""
