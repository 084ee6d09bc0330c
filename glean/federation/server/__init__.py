"""The training: from the first model to the best round."""
