"""Which engine a grid belongs to, as `run.json` says it."""

from __future__ import annotations

from flwr.serverapp import Grid

FLOWER_ENGINE = "ray"
"""Flower's own grid; a run whose clients turn out to have tables of their own is a deployment."""


def engine_of(grid: Grid) -> str:
    """Name the engine: a grid of Glean's says it in its attribute `engine`."""
    return str(getattr(grid, "engine", FLOWER_ENGINE))
