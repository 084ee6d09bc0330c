"""What reading gives: pictures as one array, their classes, and the files that were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""Of one picture (height, width, channels), or of many with their number in front."""

Labels: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Pictures of one size, each with its class.

    Parameters
    ----------
    pixels : array of shape (n, height, width, channels)
        Of uint8, 0 to 255; of uint16, 0 to 65,535, only where the source has 16 bits a channel.
        One channel is grey, three are red, green and blue.
    labels : array of shape (n,)
        Places in `classes`.
    classes : tuple of str
        Sorted names.
    """

    pixels: Pixels
    labels: Labels
    classes: tuple[str, ...]


@dataclass(frozen=True)
class SkippedFile:
    """A file, or a folder, that gave no picture.

    Parameters
    ----------
    path : str
        Below the folder that was read; what can't be printed is written as an escape.
    why : str
        The reason, in words that follow "path: ".
    """

    path: str
    why: str


@dataclass(frozen=True, eq=False)
class ReadImages:
    """All that a source holds.

    Parameters
    ----------
    training : ImageSet
        Pictures to learn from.
    test : ImageSet or None
        Pictures that the source keeps apart for a test; of the same size and classes.
    skipped : tuple of SkippedFile
        What was left out, sorted by path.
    """

    training: ImageSet
    test: ImageSet | None
    skipped: tuple[SkippedFile, ...]
