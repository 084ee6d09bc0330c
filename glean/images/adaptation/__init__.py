"""A client whose network isn't the run's: matched layer by layer, trained, and mapped back."""
