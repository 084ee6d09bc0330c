"""What a client's own network takes of the run's, layer by layer: for its log, home and tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from glean.images.adaptation.matching import LayerMatch, Matching, Shape
from glean.learning.model_weights import Weights
from glean.runs.client_home import keep_files
from glean.runs.spreadsheet_cells import to_spreadsheet_csv

LAYERS, OWN_MODEL = "layers.csv", "own-network.npz"
"""In a client's home, the first also in a simulation's folder."""


def layer_rows(matching: Matching) -> list[dict[str, Any]]:
    """Give a row a layer: name, both shapes, what becomes of it, how many weights are taken."""
    return [
        {
            "layer": layer.name,
            "run_shape": shown(layer.global_shape),
            "own_shape": shown(layer.own_shape),
            "what": layer.how,
            "weights": layer.size,
            "taken": layer.taken,
        }
        for layer in matching.layers
    ]


def keep_network(home: str, weights: Weights, matching: Matching) -> None:
    """Keep a client's own network beside the run's model, and what it has of that.

    Raises
    ------
    FederationError
        The folder can't be written to.
    """
    table = to_spreadsheet_csv(pd.DataFrame(layer_rows(matching))).encode()
    files = {LAYERS: table, OWN_MODEL: weights.to_npz()}
    keep_files(Path(home).expanduser(), files)


def told(network: str, matching: Matching) -> Iterator[str]:
    """Say it in lines for a client's own log."""
    yield (
        f"this client's network {network!r:.80}: {matching.taken:,} of its {matching.size:,} "
        f"weights ({matching.share:.1%}) are the run's"
    )
    yield from (f"  {_line(layer)}" for layer in matching.layers)


def shown(shape: Shape | None) -> str:
    """Write a shape as people do.

    Examples
    --------
    >>> shown((16, 3, 3)), shown(None)
    ('16 x 3 x 3', '')
    """
    return "" if shape is None else " x ".join(map(str, shape)) or "1"


def _line(layer: LayerMatch) -> str:
    theirs = shown(layer.global_shape) or "nothing"
    return f"{layer.name}: the run's {theirs}, here {shown(layer.own_shape)}: {layer.how}"
