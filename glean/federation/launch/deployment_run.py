"""One run on a deployment: submitted to its SuperLink, and followed by its log to its true end.

The results may lie on another machine, and Flower's word on a run is dear (seconds) and not all of
the truth; the ServerApp's own log, which Flower forwards, is both near and true.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError
from glean.federation.launch.flwr_cli import FlwrCli
from glean.runs import index
from glean.runs.index import is_run, read_run
from glean.runs.log_lines import COMPLETED, FAILED, REPORT, RESULTS, SUMMARY, unmarked

QUIET_S = 60.0
"""After so long without a word Flower is asked whether the run still goes on."""

LOOK_S = 3.0
"""How often it is looked, where the run is on this machine, whether its process is still there."""

KILLED = "the run's process was killed"
STOPPED = "stopped by `flwr stop`"
WITHOUT_A_WORD = "Flower ended it"

_ATTEMPTS = 3
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception): .*")


@dataclass
class RunOutcome:
    """What is known of a run's end, by its log.

    Parameters
    ----------
    completed : bool
        Whether it has said that it completed.
    reason : str
        Why it failed, "" where it hasn't said so.
    results : Path or None
        Its folder on the server's machine.
    summary : str
        What it brought, in a sentence.
    errors : list of str
        Errors that others than Glean have logged.
    """

    completed: bool = False
    reason: str = ""
    results: Path | None = None
    summary: str = ""
    errors: list[str] = field(default_factory=list)

    def take_in(self, line: str) -> str | None:
        """Learn from a line of the log; what of it is to be shown."""
        words = unmarked(line)
        if words is None:
            if found := _ERROR.match(line):
                self.errors.append(found.group())
        elif words.startswith(RESULTS):
            self.results = Path(words.removeprefix(RESULTS))
        elif words.startswith(FAILED) or self.reason:
            self.reason += ("\n" if self.reason else "") + words.removeprefix(FAILED)
        elif words.startswith(SUMMARY):
            self.summary = words.removeprefix(SUMMARY)
        elif words == COMPLETED:
            self.completed = True
        elif not words.startswith(REPORT):
            return words
        return None

    def forget(self) -> None:
        """Know nothing again, as before a run."""
        self.completed, self.reason, self.results, self.summary = False, "", None, ""
        self.errors.clear()

    def has_completed_here(self, run_id: int) -> bool:
        """Whether its log and its folder on this machine both say that it completed."""
        folder = self.here(run_id) if self.completed else None
        return folder is not None and read_run(folder).status == index.COMPLETED

    def here(self, run_id: int) -> Path | None:
        """Its folder, if that is on this machine."""
        found = self.results
        if found and found.name.endswith(f"-{run_id}") and is_run(found):
            return found
        return None


def flwr_cli_of(connection: str, scratch: Path, home: Path | None = None) -> FlwrCli:
    """Speak to the SuperLink of a connection of the user's, or of another home of Flower's."""
    quiet = {"FLWR_DISABLE_UPDATE_CHECK": "1"}
    there = {"FLWR_HOME": str(home)} if home else {}
    return FlwrCli(connection, scratch, {**os.environ, **quiet, **there})


def follow_run(
    cli: FlwrCli, run_id: int, say: Callable[[str], None], *, outcome: RunOutcome | None = None
) -> RunOutcome:
    """Follow a run until it is over.

    Parameters
    ----------
    cli : FlwrCli
        Speaks to its SuperLink.
    run_id : int
        The run.
    say : callable
        Told each line that the ServerApp logs, as it does.
    outcome : RunOutcome, optional
        Takes in what is known, also where it ends in an error.

    Returns
    -------
    RunOutcome
        With a reason, unless the run has completed, and its folder here or else Flower says so
        too.

    Raises
    ------
    FederationError
        The SuperLink can't be reached any more.
    """
    outcome, read = outcome or RunOutcome(), 0
    for _ in range(_ATTEMPTS):
        again = read
        with closing(_lines(cli, run_id, outcome)) as lines:
            for line in lines:
                # A log that is read again begins anew. Glean's own whole lines are the same then;
                # those of Flower's command, on why it broke off, aren't in it.
                own = unmarked(line) is not None
                if own and (again or not line.endswith("\n")):
                    again -= bool(again)
                    continue
                read += own
                shown = outcome.take_in(line)
                if shown is not None:
                    say(shown)
                if outcome.has_completed_here(run_id):
                    return outcome  # Flower would take seconds to say the same
        status = _status(cli, run_id, outcome)
        if status.startswith("finished") and (outcome.completed or outcome.reason):
            break
    if not status.startswith("finished"):
        raise FederationError(f"the log of run {run_id} broke off {_ATTEMPTS} times")
    return _concluded(outcome, status)


def _status(cli: FlwrCli, run_id: int, outcome: RunOutcome) -> str:
    try:
        return cli.status(run_id)
    except FederationError:
        # A server that went down right after the run can't make its own words untrue.
        if outcome.completed:
            return "finished:completed"
        if outcome.reason:
            return "finished:failed"
        raise


def _concluded(outcome: RunOutcome, status: str) -> RunOutcome:
    if outcome.reason or (outcome.completed and status == "finished:completed"):
        return outcome
    if status == "finished:stopped":
        outcome.reason = STOPPED
    else:
        causes = "\n".join(dict.fromkeys(outcome.errors))
        outcome.reason = f"{WITHOUT_A_WORD} ({status})" + (f": {causes}" if causes else "")
    return outcome


def _lines(cli: FlwrCli, run_id: int, outcome: RunOutcome) -> Generator[str]:
    """Read the log as it grows, until it ends; or until it is silent and the run is over."""
    arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    with cli.follow_log(run_id) as process:
        reader = threading.Thread(target=_read, args=(process.stdout, arrived), daemon=True)
        reader.start()
        try:
            while (line := _next(arrived, cli, run_id, outcome)) is not None:
                yield line
        finally:
            process.terminate()
            reader.join()


def _next(
    arrived: queue.SimpleQueue[str | None], cli: FlwrCli, run_id: int, outcome: RunOutcome
) -> str | None:
    ask_at = time.monotonic() + QUIET_S
    while True:
        try:
            return arrived.get(timeout=min(LOOK_S, QUIET_S))
        except queue.Empty:
            folder = outcome.here(run_id)
            if folder is not None and read_run(folder).gone:
                # Flower would take a minute to see it, and hold the bakeries that long.
                with suppress(FederationError):
                    cli.stop(run_id)
                raise FederationError(KILLED) from None
            # A connection that was cut without a word looks like a run that takes its time.
            if time.monotonic() >= ask_at:
                if cli.status(run_id).startswith("finished"):
                    return None
                ask_at = time.monotonic() + QUIET_S


def _read(stream: Iterator[str] | None, arrived: queue.SimpleQueue[str | None]) -> None:
    for line in stream or ():
        arrived.put(line)
    arrived.put(None)
