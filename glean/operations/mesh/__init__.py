"""Runs on a mesh: what a peer needs to take part, proposing one, conducting one."""
