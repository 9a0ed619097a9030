"""Several training recipes, since the article does not state its own."""
