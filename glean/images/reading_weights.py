"""Files of a network's weights, which may come from anyone."""

from __future__ import annotations

from glean.learning.model_weights import Weights


def read_weights(content: bytes) -> Weights:
    """Read a file of weights.

    Raises
    ------
    ModelError
        As `Weights.from_npz`, or they are of a network that there isn't here.
    """
    from glean.images.networks.network import shapes_of

    return Weights.from_npz(content, shapes_of=shapes_of)
