"""Runs as the service sees them: found on disk, started in turn, followed by their events."""
