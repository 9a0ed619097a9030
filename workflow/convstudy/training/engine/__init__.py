"""Training and testing of Keras models: one interface, with one file per backend."""
