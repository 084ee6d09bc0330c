"""Scores and other tables of numbers."""
