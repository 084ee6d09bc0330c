"""Members that run Flower's own node, whose requests are signed as Flower does and no further.

Who isn't listed must sign each request: losing this file lets nobody in.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from glean.runs.folder import write_whole


class PlainNodes:
    """Names of members whose keys came as a file.

    Parameters
    ----------
    path : Path
        The list; one that is missing or damaged counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._names: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        """Give them."""
        with self._lock:
            self._reread()
            return self._names

    def note(self, bakery: str, *, plain: bool) -> None:
        """Say whether a member is one; for who holds the right to change the members."""
        with self._lock:
            self._reread()
            wanted = self._names | {bakery} if plain else self._names - {bakery}
            if wanted != self._names:
                write_whole(
                    self._path, json.dumps(sorted(wanted), ensure_ascii=False, indent=1).encode()
                )
                self._reread()

    def _reread(self) -> None:
        try:
            found = self._path.stat()
            stamp: tuple[int, ...] = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp == self._stamp:
                return
            names = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            stamp, names = (), []
        self._stamp = stamp
        self._names = frozenset(map(str, names)) if isinstance(names, list) else frozenset()
