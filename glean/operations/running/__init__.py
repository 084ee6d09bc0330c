"""Runs as processes: asked for, started, followed, and gone on with after a cut."""
