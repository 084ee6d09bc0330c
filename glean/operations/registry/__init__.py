"""Runs sent to a registry of models, models served by it, and runs that start from one."""
