"""Grids beside Flower's own."""
