"""How far a run is, read from its folder: from outside, while it goes on and after its end."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.federation.launch.simulation_run import read_run
from glean.runs.folder import read_events
from glean.runs.process_tree import still_runs

RUNNING, COMPLETED, FAILED = "running", "completed", "failed"

GONE = "its process has gone without a word"
"""Reason of a run that was killed."""


@dataclass(frozen=True)
class ClientFailure:
    """A bakery that gave no valid reply.

    Parameters
    ----------
    round : int
        When.
    bakery : str
        Its name.
    reason : str
        Why.
    """

    round: int
    bakery: str
    reason: str


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    folder : Path
        The run's folder.
    status : str
        "running", "completed" or "failed"; also where it was killed before it could say so, if it
        ran on this machine.
    reason : str
        Why it failed, "" otherwise.
    bakeries : tuple of str
        Who takes part; empty until the first round.
    rounds_done, rounds : int
        Rounds that are finished, and those that there shall be; 0 until the first round.
    last_score : float or None
        Validation WAPE of the last round that has one.
    failures : tuple of ClientFailure
        In the order in which they happened.
    """

    folder: Path
    status: str
    reason: str
    bakeries: tuple[str, ...] = ()
    rounds_done: int = 0
    rounds: int = 0
    last_score: float | None = None
    failures: tuple[ClientFailure, ...] = ()

    @property
    def fraction(self) -> float:
        """Share of the rounds that are done, 0 to 1; a run may complete in fewer."""
        if self.status == COMPLETED:
            return 1.0
        return min(self.rounds_done / self.rounds, 1.0) if self.rounds else 0.0


def read_progress(folder: Path) -> RunProgress:
    """Read how far a run is.

    Parameters
    ----------
    folder : Path
        A run's folder.
    """
    status, reason = _status_of(folder)
    bakeries: tuple[str, ...] = ()
    done = rounds = 0
    score: float | None = None
    failures: list[ClientFailure] = []
    for event in read_events(folder / "events.jsonl"):
        match event["event"]:
            case "run_started":
                bakeries, rounds = tuple(event["bakeries"]), event["rounds"]
            case "round_finished":
                done = event["round"]
                score = score if event["wape"] is None else event["wape"]
            case "bakery_failed":
                failed = ClientFailure(event["round"], event["bakery"], event["reason"])
                failures.append(failed)
    return RunProgress(folder, status, reason, bakeries, done, rounds, score, tuple(failures))


def _status_of(folder: Path) -> tuple[str, str]:
    facts = read_run(folder)
    if _is_gone(facts):
        facts = read_run(folder)  # it may have ended as it should in between
        if _is_gone(facts):
            return FAILED, GONE
    return str(facts["status"]), str(facts.get("reason") or "")


def _is_gone(facts: Mapping[str, Any]) -> bool:
    """Whether a run that hasn't ended has no process any more; of another machine nobody knows."""
    process = facts.get("process") or {}
    here = process.get("host") == socket.gethostname()
    return facts["status"] == RUNNING and here and not still_runs(process)
