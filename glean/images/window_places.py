"""Which window a client's own picture is in, by the picture alone: the same in every run.

Were it drawn by a run's seed, a picture would be tested on in one run and trained on in the next:
over several runs no score would be of pictures that no model has seen, and what noise hides of
training pictures a test would have told before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glean.images.image_subset import Pixels

Places = NDArray[np.int64]

_PURPOSE = b"glean window 1"
_BYTES = 8


def window_places(pixels: Pixels, shares: Sequence[float]) -> list[Places]:
    """Deal pictures out by a hash of each one's pixels.

    Equal pictures are in one window, and further ones move none: a window has about its share, and
    of a few pictures it may have none.

    Parameters
    ----------
    pixels : uint8 or uint16 array of shape (pictures, height, width, channels)
        As they are trained on: at another size, or with other channels, pictures are dealt anew. Of
        16 bits the upper 8 count, which stay where a picture with 16 joins others.
    shares : sequence of float
        Of the windows; they sum up to one.

    Returns
    -------
    list of int64 arrays
        Places by window, in an order that follows from the pictures too.

    Examples
    --------
    >>> pixels = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    >>> [places.tolist() for places in window_places(pixels, (0.5, 0.5))]
    [[1, 0, 5], [4, 2, 3]]
    """
    lots = np.array([_lot(each) for each in pixels])
    order = np.argsort(lots, kind="stable")
    ends = np.searchsorted(lots[order], np.cumsum(shares)[:-1])
    return np.split(order, ends)


def _lot(picture: Pixels) -> float:
    """Give a number from 0 to 1 that looks drawn."""
    upper = picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
    digest = hashlib.blake2b(
        np.ascontiguousarray(upper).tobytes(), digest_size=_BYTES, person=_PURPOSE
    ).digest()
    return int.from_bytes(digest, "big") / 2.0 ** (8 * _BYTES)
