"""Attacks on what a run's server and members received, and how far they get: `glean audit`."""
