"""What an update tells of the pictures that it was learned from: gradient inversion, measured."""
