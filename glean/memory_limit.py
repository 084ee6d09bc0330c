"""How much memory a process fills with its bakeries' rows; what is more goes to disk or is remade.

In come values that can be made again at any time, each in a `Kept` of its own; out they come again,
the same at any limit. Past the limit the least useful are let go of: those that wrote their arrays
to disk are read from there when they are next asked for, the others are made anew. The limit is a
trait of the machine and not of the run, as `GLEAN_WORKERS` is: an environment variable says it.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from glean.errors import SettingsError
from glean.spill_file import Arrays, Place, SpillFile

MEMORY = "GLEAN_MEMORY"
"""Environment variable: how much memory a process keeps bakeries' rows in, like 512M or 2G."""

DEFAULT = "1G"
"""Room for some 300 bakeries with all that was made of them, or 2,000 while they train."""

LEAST_BYTES = 16 * 2**20
"""Room for all that is in use of one bakery with thirty products over five years."""

_UNITS = {"M": 2**20, "G": 2**30}


class Sized(Protocol):
    """What can say how large it is."""

    @property
    def nbytes(self) -> int:
        """Bytes that it keeps in memory."""


class Stored(Sized, Protocol):
    """What can be written as arrays, and made from them again."""

    def arrays(self) -> Arrays:
        """Give the arrays that it can be made from."""


Value = TypeVar("Value", bound=Sized)
OnDisk = TypeVar("OnDisk", bound=Stored)


def memory_of(environ: Mapping[str, str]) -> int:
    """Read how many bytes a process may keep.

    Raises
    ------
    SettingsError
        The variable holds no amount like 512M or 2G.
    """
    text = environ.get(MEMORY, DEFAULT)
    found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)([MG])", text)
    amount = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if amount < LEAST_BYTES:
        raise SettingsError(f"{MEMORY}: found {text!r}; wanted 16M or more, like 512M or 2G")
    return amount


class Kept(Generic[Value]):
    """A value that is made again where it was let go of."""

    def __init__(self) -> None:
        self._value: Value | None = None

    def get(self, make: Callable[[], Value]) -> Value:
        """Give the value; `make` gives the same each time."""
        value = self._value
        if value is None:
            value = self._value = make()
        memory_limit().used(self, value.nbytes)
        return value

    def let_go(self) -> None:
        """Free the memory."""
        self._value = None


class KeptOnDisk(Generic[OnDisk]):
    """A value that is read from disk where it was let go of."""

    def __init__(self) -> None:
        self._value: OnDisk | None = None
        self._place: Place | None = None

    def get(self, make: Callable[[], OnDisk], read: Callable[[Arrays], OnDisk]) -> OnDisk:
        """Give the value.

        Parameters
        ----------
        make : callable
            Makes it the first time.
        read : callable
            Makes it from what its `arrays` gave.
        """
        value = self._value
        if value is None:
            value = self._value = make() if self._place is None else read(spill().read(self._place))
        memory_limit().used(self, value.nbytes)
        return value

    def let_go(self) -> None:
        """Free the memory; its arrays are on disk from now on."""
        value, self._value = self._value, None
        if value is None:
            return
        arrays = value.arrays()
        # What is on disk stays good, unless something was added that took long to make.
        if self._place is None or self._place.names != tuple(arrays):
            self._place = spill().write(arrays)


_Holder = Kept[Any] | KeptOnDisk[Any]
_Line = OrderedDict[int, weakref.ref[_Holder]]


class MemoryLimit:
    """Counts what is kept, and has the least useful let go of where that is too much.

    Parameters
    ----------
    most_bytes : int
        The limit. What is in use right now stays, even where it alone is more.

    Attributes
    ----------
    kept_bytes, peak_bytes : int
        What is kept now, and the most that ever was.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.kept_bytes = self.peak_bytes = 0
        self._lock = threading.RLock()
        self._remade: _Line = OrderedDict()
        self._stored: _Line = OrderedDict()
        self._sizes: dict[int, int] = {}

    def used(self, holder: _Holder, size: int) -> None:
        """Note that a value of so many bytes is in use, and let go of others."""
        key = id(holder)
        with self._lock:
            self.kept_bytes += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            line = self._stored if isinstance(holder, KeptOnDisk) else self._remade
            if key not in line:
                line[key] = weakref.ref(holder, lambda _: self._forget(key))
            line.move_to_end(key)
            while self.kept_bytes > self.most_bytes and self._let_one_go(key):
                pass
            self.peak_bytes = max(self.peak_bytes, self.kept_bytes)

    def _forget(self, key: int) -> None:
        """Count no longer what a holder, by its id, has kept."""
        with self._lock:
            self.kept_bytes -= self._sizes.pop(key, 0)
            self._remade.pop(key, None)
            self._stored.pop(key, None)

    def _let_one_go(self, but: int) -> bool:
        """Let go of one value; False where there is none but those in use.

        First of those that are made again, used longest ago: rows were made into bins, and are
        wanted again at the end. Then of those on disk, used last: bakeries take their turns, so
        that it is the one that will be wanted last. The very last is in use.
        """
        for line, order in ((self._remade, self._remade), (self._stored, _but_one(self._stored))):
            for key in order:
                if key != but:
                    holder = line[key]()
                    self._forget(key)
                    if holder is not None:
                        holder.let_go()
                    return True
        return False


def _but_one(line: _Line) -> Iterator[int]:
    """Go through a line from its end, without the very last."""
    return islice(reversed(line), 1, None)


@cache
def memory_limit() -> MemoryLimit:
    """Give the limit of this process.

    Raises
    ------
    SettingsError
        The environment variable holds no amount.
    """
    return MemoryLimit(memory_of(os.environ))


@cache
def spill() -> SpillFile:
    """Give the file of this process, opened when first asked for."""
    return SpillFile()
