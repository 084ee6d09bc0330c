"""Arrays that have no room in memory: a file without a name, which goes with the process.

Nobody else can open it, and the operating system takes it back however the process ends, also by
`kill -9`. It lies in the folder for temporary files (`TMPDIR`), which should be on a disk.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glean.errors import GleanError

Arrays = Mapping[str, NDArray[np.generic]]

_ALIGNED = 64
"""Bytes at which each array begins: those of a line of the processor's cache."""


_Form = tuple[str, str, tuple[int, ...], Literal["C", "F"], int]


@dataclass(frozen=True, eq=False)
class Place:
    """Where some arrays lie, and what they are: name, type, shape, order and offset of each."""

    start: int
    length: int
    forms: tuple[_Form, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(name for name, *_ in self.forms)


class _View(mmap.mmap):
    """A part of the file; its place isn't used again as long as an array looks at it."""

    place: Place


class SpillFile:
    """A file of arrays; places that nobody knows any more are used again."""

    def __init__(self) -> None:
        # Deleted while it is open: it has no name by which anything could be left behind.
        self._file = tempfile.TemporaryFile(prefix="glean-", buffering=0)  # noqa: SIM115 - no block
        weakref.finalize(self, self._file.close)
        self._free: dict[int, list[int]] = {}
        self.end = 0

    def write(self, arrays: Arrays) -> Place:
        """Write arrays.

        Raises
        ------
        GleanError
            The disk is full, say.
        """
        content = bytearray()
        forms: list[_Form] = []
        for name, array in arrays.items():
            # Written as they lie: a matrix by columns comes back by columns.
            by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
            forms.append(
                (name, array.dtype.str, array.shape, "F" if by_columns else "C", len(content))
            )
            content += array.tobytes(order="A")
            content += bytes(-len(content) % _ALIGNED)
        content += bytes(-len(content) % mmap.ALLOCATIONGRANULARITY or mmap.ALLOCATIONGRANULARITY)
        start = self._room(len(content))
        place = Place(start, len(content), tuple(forms))
        weakref.finalize(place, self._free[len(content)].append, start).atexit = False
        self._write_at(start, content)
        return place

    def read(self, place: Place) -> Arrays:
        """Give the arrays of a place, mapped from the file; changes to them stay in memory."""
        view = _View(self._file.fileno(), place.length, access=mmap.ACCESS_COPY, offset=place.start)
        view.place = place
        return {
            name: np.ndarray(shape, kind, view, offset, order=order)
            for name, kind, shape, order, offset in place.forms
        }

    def _room(self, length: int) -> int:
        free = self._free.setdefault(length, [])
        if free:
            return free.pop()
        self.end += length
        return self.end - length

    def _write_at(self, start: int, content: bytearray) -> None:
        try:
            self._file.seek(start)
            rest = memoryview(content)
            while rest:
                # A full disk takes a part first, and says so only the next time.
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise GleanError(
                f"rows that have no room in memory can't be written to {tempfile.gettempdir()}: "
                f"{error.strerror}; give more memory (--memory, GLEAN_MEMORY) or another folder "
                "(TMPDIR)"
            ) from None
