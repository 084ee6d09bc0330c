"""A bakery's journal of sums, put back after a kill before which nothing had left the machine.

The journal is on disk before a masked vector leaves, and the node's state after that: a process
that is killed between the two leaves them apart, and `JournalStore` refuses to go on. Where it is
known that the reply was never given out, the step wasn't done, and may be done: the journal as it
was before it is the true one. The ledger of privacy stays as it is; it may then count a step twice
that left once, and never the other way round.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError
from glean.federation.client.journal_store import FILE
from glean.federation.client.step_journal import StepJournal
from glean.runs.folder import write_whole

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class JournalUndo:
    """The journal in one bakery's home.

    Parameters
    ----------
    home : Path
        The home.
    """

    home: Path

    def note(self) -> bytes | None:
        """Give the journal as it is now; None where there is none.

        Raises
        ------
        FederationError
            It can't be read.
        """
        try:
            return (self.home / FILE).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FederationError(f"{self.home / FILE} can't be read: {error}") from error

    def put_back(self, noted: bytes | None, *, run_id: int) -> None:
        """Put back what was noted, where a message of this run has changed it since.

        Raises
        ------
        FederationError
            It can't be written.
        """
        found = self.note()
        if found == noted or found is None or not _is_of(found, run_id):
            return
        LOG.info("the journal of sums is put back to where it was before that message")
        try:
            if noted is None:
                (self.home / FILE).unlink()
            else:
                write_whole(self.home / FILE, noted)
        except OSError as error:
            raise FederationError(f"{self.home / FILE} can't be written: {error}") from error


def _is_of(journal: bytes, run_id: int) -> bool:
    try:
        return StepJournal.from_json(journal.decode()).run == str(run_id)
    except (FederationError, UnicodeDecodeError):
        return False
