"""A run's folder, and nothing of Flower."""
