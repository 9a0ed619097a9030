"""How a Keras model is trained and tested: one interface, and one file a backend."""
