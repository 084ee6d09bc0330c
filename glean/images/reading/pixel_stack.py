"""Pixels of one picture after another are put into one array, which is made once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glean.images.reading.image_set import Pixels
from glean.images.reading.refusals import check_memory, refused
from glean.images.reading.scaling import deepened

_MOST_SHOWN = 3


class PixelStack:
    """An array of pictures that grows up to a number that is known.

    Parameters
    ----------
    source : Path
        Where they come from, for errors.
    most : int
        Pictures that there can be.
    """

    def __init__(self, source: Path, most: int) -> None:
        self.source = source
        self.most = most
        self.shapes: Counter[tuple[int, ...]] = Counter()
        self._rows: Pixels | None = None
        self._count = 0

    def add(self, pixels: Pixels) -> None:
        """Take a picture; one of another shape than the first is only counted.

        Raises
        ------
        SettingsError
            With the first: so many of them don't fit into memory.
        """
        self.shapes[pixels.shape] += 1
        if self._rows is None:
            check_memory(self.source, self.most, self.most * pixels.nbytes)
            self._rows = np.empty((self.most, *pixels.shape), dtype=pixels.dtype)
        if pixels.shape != self._rows.shape[1:]:
            return
        if pixels.dtype != self._rows.dtype:
            self._rows, pixels = self._deeper(), deepened(pixels)
        self._rows[self._count] = pixels
        self._count += 1

    def _deeper(self) -> Pixels:
        """Give the array with 16 bits: of two pictures of the source only one has them."""
        assert self._rows is not None, "a stack with no picture has no depth"
        if self._rows.dtype == np.uint16:
            return self._rows
        rows = np.empty(self._rows.shape, dtype=np.uint16)
        rows[: self._count] = deepened(self._rows[: self._count])
        return rows

    @property
    def has_sixteen_bits(self) -> bool:
        """Whether any picture has them."""
        return self._rows is not None and self._rows.dtype == np.uint16

    def pixels(self, *, sixteen_bits: bool) -> Pixels:
        """Give all of them, with 16 bits where another part of the source has 16."""
        assert self._rows is not None, "a stack with no picture has no pixels"
        rows = self._rows[: self._count]
        return deepened(rows) if sixteen_bits else rows


def check_one_shape(source: Path, stacks: Sequence[PixelStack]) -> None:
    """Refuse pictures of several sizes, or grey ones among colour: they make no array.

    Raises
    ------
    SettingsError
        Says how many there are of the commonest, and which setting to set.
    """
    shapes = sum((stack.shapes for stack in stacks), Counter[tuple[int, ...]]())
    sizes: Counter[tuple[int, ...]] = Counter()
    channels: Counter[int] = Counter()
    for shape, count in sorted(shapes.items()):
        sizes[shape[:2]] += count
        channels[shape[2]] += count
    if len(sizes) > 1:
        height, width = sizes.most_common(1)[0][0]
        shown = [f"{count:,} of {w} x {h}" for (h, w), count in sizes.most_common(_MOST_SHOWN)]
        more = f" and {len(sizes) - len(shown):,} sizes more" if len(sizes) > len(shown) else ""
        raise refused(
            source,
            f"pictures of {len(sizes):,} sizes ({', '.join(shown)}{more})",
            f"one size: set image-size = {min(height, width)}, the commonest, to have them scaled",
        )
    if len(channels) > 1:
        common = channels.most_common(1)[0][0]
        raise refused(
            source,
            f"{channels[1]:,} pictures in grey and {channels[3]:,} in colour",
            f"one kind: set image-channels to 1 (grey) or 3 (colour); {common} is the commonest",
        )
