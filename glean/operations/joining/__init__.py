"""A bakery joins a federation, takes part, and leaves it: what its commands do."""
