"""What choosing the epoch on the test images adds to an accuracy."""
