"""Where a bakery keeps its journal of sums: in its node's state and, a second time, in its home.

Flower hands out the state, the home is the bakery's own. Where the two don't agree, one of them was
put back, or two ClientApps were at work on one state: masks could then cover two vectors.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from flwr.app import ConfigRecord, RecordDict

from glean.errors import FederationError, RefusalError
from glean.federation.client.step_journal import StepJournal
from glean.federation.wire.record_form import config_record
from glean.runs.folder import write_whole

FILE = "sums.json"
PUT_BACK, AT_WORK = "a state or home that was put back", "another sum at work"

_LOCK = ".sums.lock"
_NAME = "glean-steps"


@dataclass(frozen=True)
class JournalStore:
    """One bakery's journal in one run.

    Parameters
    ----------
    state : RecordDict
        The node's own state.
    home : Path or None
        The bakery's folder; without it nothing is kept twice, and nothing put back is noticed.
    run : str
        The run.
    newest : str
        The last day of the bakery's data.
    """

    state: RecordDict
    home: Path | None
    run: str
    newest: str = ""

    def read(self) -> StepJournal:
        """Give the journal so far.

        Raises
        ------
        RefusalError
            State and home don't agree.
        FederationError
            The home can't be read.
        """
        held, stored = self._held(), self._stored()
        kept = stored if stored is not None and stored.run == self.run else None
        if held is None:
            # A SuperNode that was started anew has no state, and so no keys: it makes new ones.
            return kept or (stored or StepJournal()).next_run(self.run, newest=self.newest)
        if self.home is not None and (kept is None or kept.count != held.count):
            found = "none" if kept is None else f"{kept.count} entries"
            raise RefusalError(
                PUT_BACK,
                f"{self.home / FILE}: found {found} of this run; wanted {held.count}, as the "
                "node's own state has them. One of them was put back from a copy, or a message "
                "failed halfway. Nothing is sent, as a mask could be used twice: start the "
                "SuperNode anew, so that it makes new keys",
            )
        return held

    def ledger_seen(self) -> int:
        """Give the most releases that the ledger of privacy was seen with, here or at home.

        Raises
        ------
        FederationError
            The home can't be read.
        """
        return max(found.ledger if found else 0 for found in (self._held(), self._stored()))

    def write(self, journal: StepJournal) -> None:
        """Keep it, on disk first: whatever is sent comes after.

        Raises
        ------
        FederationError
            The home can't be written to.
        """
        text = journal.of_run(self.run).to_json()
        if self.home is not None:
            try:
                self.home.mkdir(parents=True, exist_ok=True)
                write_whole(self.home / FILE, text.encode())
            except OSError as error:
                raise self._unusable(error) from error
        self.state[_NAME] = config_record({_NAME: text})

    def locked(self) -> AbstractContextManager[None]:
        """Keep other ClientApps of this bakery off its sums, for the time of a `with`.

        Raises
        ------
        RefusalError
            One is at work, when the `with` begins.
        FederationError
            The home can't be written to.
        """
        return nullcontext() if self.home is None else self._locked(self.home)

    @contextmanager
    def _locked(self, home: Path) -> Iterator[None]:
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock = os.open(home / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RefusalError(
                    AT_WORK,
                    f"{home}: found another sum of this node's at work; wanted one at a time. "
                    "Give each SuperNode a home of its own",
                ) from error
            yield
        finally:
            os.close(lock)

    def _held(self) -> StepJournal | None:
        found = self.state.get(_NAME)
        return StepJournal.from_json(str(found[_NAME])) if isinstance(found, ConfigRecord) else None

    def _stored(self) -> StepJournal | None:
        """Read the home's copy, of whatever run; None where there is none."""
        if self.home is None:
            return None
        try:
            return StepJournal.from_json((self.home / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> FederationError:
        return FederationError(
            f"home {self.home} can't be used for the journal of sums: {error}. Let the "
            "SuperNode's user write there, or name another folder in its --node-config"
        )
