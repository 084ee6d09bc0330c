"""A bakery's copy of the log of members' keys, kept up to date, and the list that follows from it.

What the server adds is checked against what is known here; a log that doesn't go on from it is
refused, and with it every run, until the owner has looked at it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import RefusalError
from glean.privacy.key_log import KeyLog, KeyLogEntry, KeyLogError, read_key_log, write_key_log
from glean.privacy.members import write_members
from glean.privacy.model_key import ModelKey
from glean.regular_files import read_regular
from glean.runs.folder import write_whole

OTHER_LOG = "the server shows another log of members' keys"
PAUSE_S = 1.0
"""So long what is known is new enough: all messages of a key agreement come within it."""


@dataclass
class KeyLogFollower:
    """Keeps the two files.

    Parameters
    ----------
    log_path, members_path : Path
        Where the log and the list of members are kept.
    key : ModelKey
        The server's, as it was known at joining.
    fetch : callable
        Asks the server for the entries from a number on.
    clock : callable
        The time, s.
    """

    log_path: Path
    members_path: Path
    key: ModelKey
    fetch: Callable[[int], Iterable[KeyLogEntry]]
    clock: Callable[[], float] = time.monotonic
    _fresh_until: float = field(default=float("-inf"), init=False)

    def known(self) -> KeyLog:
        """Read the bakery's copy; empty where it has none.

        Raises
        ------
        KeyLogError
            It was changed.
        """
        try:
            content = read_regular(self.log_path)
        except FileNotFoundError:
            return KeyLog()
        return read_key_log(content, str(self.log_path), key=self.key)

    def take(self, entries: Iterable[KeyLogEntry]) -> KeyLog:
        """Add entries to the copy, on disk.

        Raises
        ------
        KeyLogError
            They don't go on from what is known, or aren't signed by the server.
        """
        known = self.known()
        log = known.extended(entries, self.key)
        # The log first: a list without its log would name members that nobody vouches for.
        if log != known:
            write_whole(self.log_path, write_key_log(log))
        # Compared each time: a kill between the two has left a list of before.
        listed = write_members(log.members)
        if _content(self.members_path) != listed:
            write_whole(self.members_path, listed)
        return log

    def refresh(self) -> None:
        """Ask for what is new, unless that was done just now.

        Raises
        ------
        RefusalError
            The server shows another log than before.
        FederationError
            It can't be reached.
        """
        if self.clock() < self._fresh_until:
            return
        try:
            self.take(self._new_entries())
        except KeyLogError as error:
            raise RefusalError(OTHER_LOG, f"{error}. Nothing is answered") from error
        self._fresh_until = self.clock() + PAUSE_S

    def _new_entries(self) -> tuple[KeyLogEntry, ...]:
        """Ask for what follows; the last entry that is known comes too, and must be the same.

        Otherwise a log that was put back, or another one of this length, would pass.
        """
        known = self.known().entries
        if not known:
            return tuple(self.fetch(1))
        found = tuple(self.fetch(len(known)))
        if found[:1] != known[-1:]:
            raise KeyLogError(
                f"the log of keys: the server shows another log than before: its entry "
                f"{len(known)} isn't the one that is known here, or it ends before it"
            )
        return found[1:]


def _content(path: Path) -> bytes | None:
    try:
        return read_regular(path)
    except OSError:
        return None
