"""The key log as a file, and `members.json` that follows from it.

They are changed under a lock on a file, since the command line changes them beside the service.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glean.federation_folder import FederationFolder
from glean.privacy.key_log import KeyLog, KeyLogError, read_key_log, write_key_log
from glean.privacy.members import Member, read_members, write_members
from glean.privacy.model_key import ModelKey, ModelSigner
from glean.runs.folder import utc_now, write_whole

LOCK = "key-log.lock"


class KeyLogFile:
    """The files of a federation's folder that say who is a member.

    Parameters
    ----------
    folder : FederationFolder
        Where they lie.
    """

    def __init__(self, folder: FederationFolder) -> None:
        self._folder = folder
        self._stamp: tuple[int, ...] = ()
        self._log = KeyLog()

    def read(self) -> KeyLog:
        """Read the log, where its file isn't the one that was read last.

        Raises
        ------
        KeyLogError
            It isn't one, or was changed by somebody who has no key.
        """
        path = self._folder.key_log
        try:
            found = path.stat()
        except FileNotFoundError:
            self._stamp, self._log = (), KeyLog()
            return self._log
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp != self._stamp:
            key = ModelKey.read(self._folder.public_model_key)
            self._log = read_key_log(path.read_bytes(), str(path), key=key)
            self._stamp = stamp
        return self._log

    @contextmanager
    def changing(self) -> Iterator[KeyLog]:
        """Hold the right to change the log; nobody else changes it meanwhile.

        Raises
        ------
        KeyLogError
            The log can't be read, or is gone.
        """
        descriptor = os.open(self._folder.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            log = self.read()
            self._refuse_lost(log)
            yield log
        finally:
            os.close(descriptor)

    def append(self, *events: tuple[str, Member]) -> None:
        """Add events to the log, all or none, and write the list anew.

        Raises
        ------
        KeyLogError
            They don't fit what is in the log.
        """
        signer = ModelSigner.read(self._folder.model_key)
        log = self.read()
        for event, member in events:
            log = log.with_entry(event, member, signer, at=utc_now())
        write_whole(self._folder.key_log, write_key_log(log))
        # Bakeries that saw an entry refuse a log without it: it has to outlive a power cut, its
        # name in the folder too.
        _keep_names(self._folder.path)
        self._write_list(log)

    def listed(self) -> tuple[Member, ...]:
        """Read who is in the list; nobody where there is none."""
        path = self._folder.members
        return read_members(path.read_bytes(), str(path)) if path.exists() else ()

    def mend_list(self) -> None:
        """Write the list anew where a kill left it behind the log."""
        log = self.read()
        if self.listed() != read_members(write_members(log.members)):
            self._write_list(log)

    def _refuse_lost(self, log: KeyLog) -> None:
        """Refuse to begin a log anew where the list says that there was one.

        Bakeries know the head of the old one, and would take the new one for a forgery.
        """
        if not log.entries and any(member.logged for member in self.listed()):
            raise KeyLogError(
                f"{self._folder.key_log} is gone, and {self._folder.members.name} beside it was "
                "made from it; wanted the file as it was: put it back from a backup of this folder"
            )

    def _write_list(self, log: KeyLog) -> None:
        write_whole(self._folder.members, write_members(log.members))


def _keep_names(folder: Path) -> None:
    """Wait until the disk has which file of a folder has which name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
