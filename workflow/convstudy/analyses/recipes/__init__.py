"""Several ways of training, since the article does not state its own."""
