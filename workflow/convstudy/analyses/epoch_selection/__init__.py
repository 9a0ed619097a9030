"""How much choosing the epoch on the test images inflates accuracy."""
