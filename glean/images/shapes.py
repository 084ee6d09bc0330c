"""A tiny set of pictures that needs no file: shapes in noise, drawn by a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHAPES = ("circle", "cross", "square", "triangle")
SIDE = 20
COUNT = 1200
NOISE = 0.2
"""Standard deviation of what is added to each pixel, black 0 and white 1."""

Floats = NDArray[np.float64]


def drawn_shapes(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw grey pictures of shapes: pixels of shape (COUNT, SIDE, SIDE, 1), and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(SHAPES), COUNT)
    radius = rng.uniform(4.0, 7.5, COUNT)
    middle = rng.uniform(8.0, SIDE - 8.0, (COUNT, 2))
    y, x = np.mgrid[:SIDE, :SIDE]
    across = x - middle[:, 1, None, None]
    down = y - middle[:, 0, None, None]
    size = radius[:, None, None]
    inside = np.stack(
        [
            across**2 + down**2 <= size**2,
            (np.minimum(abs(across), abs(down)) <= 1.5)
            & (np.maximum(abs(across), abs(down)) <= size),
            np.maximum(abs(across), abs(down)) <= 0.85 * size,
            (down <= 0.7 * size) & (abs(across) <= 0.55 * (down + size)),
        ]
    )
    bright = 0.2 + 0.6 * inside[labels, np.arange(COUNT)]
    noisy: Floats = np.clip(bright + rng.normal(0.0, NOISE, bright.shape), 0.0, 1.0)
    return np.rint(noisy * 255).astype(np.uint8)[..., None], labels
