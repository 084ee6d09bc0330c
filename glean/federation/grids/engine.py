"""What a grid says of itself: which engine it is, as `run.json` has it, and who is there.

A grid of Glean's says it in its attributes `engine` and `nodes_from_start`. Flower's own grid has
neither, and is the same class for Ray and for a SuperLink.
"""

from __future__ import annotations

from flwr.serverapp import Grid

FLOWER_ENGINE = "ray"
"""Flower's own grid; a run whose clients turn out to have tables of their own is a deployment."""


def engine_of(grid: Grid) -> str:
    """Name the engine."""
    return str(getattr(grid, "engine", FLOWER_ENGINE))


def started_by_flower(grid: Grid) -> bool:
    """Whether Flower started the ServerApp, in a process of its own whose output it forwards."""
    return not hasattr(grid, "engine")


def nodes_from_start(grid: Grid, *, own_tables: bool) -> bool:
    """Whether all nodes are there from the start, so that waiting for others is of no use.

    Parameters
    ----------
    grid : Grid
        The grid.
    own_tables : bool
        Whether a client that has come reads a table of its own.
    """
    said: bool | None = getattr(grid, "nodes_from_start", None)
    # Nothing else tells a SuperLink's grid from Ray's: in a simulation no client has such a table.
    return not own_tables if said is None else said
