"""Bakeries whose truth is known."""
