"""A client's side of the rounds."""
