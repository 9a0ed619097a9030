"""Learning curves: what is recorded of an epoch, and the trainer that makes it."""
