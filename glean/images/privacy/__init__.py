"""Noise of clients that train on pictures: planned, drawn, counted and told."""
