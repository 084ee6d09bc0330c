"""Weights as a safetensors file, which PyTorch and other programs read without Glean."""

from __future__ import annotations

import json
from pathlib import Path

from glean.learning.model_weights import Weights
from glean.runs.folder import write_whole

SUFFIX = ".safetensors"


def exported(weights: Weights) -> dict[str, bytes]:
    """Give what is written beside a file of weights, by its suffix."""
    return {SUFFIX: to_safetensors(weights)}


def write_beside(path: Path, weights: Weights) -> None:
    """Write them in a client's home, beside the model file that they are of."""
    for suffix, content in exported(weights).items():
        write_whole(path.with_suffix(suffix), content)


def to_safetensors(weights: Weights) -> bytes:
    """Write tensors by the names of the network's state dict; equal weights give equal bytes.

    What the network takes and tells is in the metadata, as JSON under `glean`.
    """
    from safetensors.numpy import save

    about = {"network": weights.kind, "spec": json.loads(weights.spec)}
    # One key alone: the library writes several in an order that differs from process to process.
    return save(dict(weights.arrays), metadata={"glean": json.dumps(about, sort_keys=True)})
