"""Federation: the rounds, the messages and the grids that carry them."""
