"""Pictures of one window of one client: places in arrays that a process has once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Labels = NDArray[np.int64]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ImageSubset:
    """Some of many pictures.

    Parameters
    ----------
    pixels : uint8 or uint16 array of shape (pictures, height, width, channels)
        All of them.
    labels : int64 array of shape (pictures,)
        Places in `classes`.
    classes : tuple of str
        Names of the classes.
    places : int64 array of shape (len,)
        Those that are meant.
    """

    pixels: Pixels
    labels: Labels
    classes: tuple[str, ...]
    places: Places

    @classmethod
    def whole(cls, pixels: Pixels, labels: Labels, classes: tuple[str, ...]) -> Self:
        """Mean all of them."""
        return cls(pixels, labels, classes, np.arange(len(labels)))

    def __len__(self) -> int:
        return len(self.places)

    def at(self, places: Places) -> Self:
        """Mean some of these, by their places among all."""
        return replace(self, places=places)

    @property
    def own_labels(self) -> Labels:
        """Labels of those that are meant."""
        return np.asarray(self.labels[self.places])

    def named_as(self, classes: Sequence[str]) -> Self:
        """Count labels among other classes, which have all of these.

        Raises
        ------
        ValueError
            One of these is missing there.
        """
        if tuple(classes) == self.classes:
            return self
        moved = np.array([list(classes).index(name) for name in self.classes], dtype=np.int64)
        return replace(self, labels=moved[self.labels], classes=tuple(classes))


def joined(windows: Sequence[ImageSubset]) -> ImageSubset:
    """Take the pictures of one window of all clients together."""
    return windows[0].at(np.sort(np.concatenate([window.places for window in windows])))
