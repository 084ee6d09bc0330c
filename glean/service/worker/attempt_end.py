"""How an attempt ended, read from what its process left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glean.errors import GleanError
from glean.operations.running.detached_run import read_detached
from glean.runs.folder import INTERRUPTED, utc_now
from glean.runs.index import GONE
from glean.service.runs.status import RunStatus
from glean.service.worker.lease_keeper import going_on, read_facts

KILLED = "its process ended without a word: it was killed, or had no memory left"


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended.

    Parameters
    ----------
    facts : mapping
        What is known of its run, as columns of `RunRow`.
    ended : bool
        Whether the run ended with it; otherwise it shall go on elsewhere.
    orderly : bool
        Whether it was stopped since its worker ends.
    why : str
        What cut it off otherwise.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = True
    orderly: bool = False
    why: str = ""


def failed(reason: str) -> AttemptEnd:
    """Say that a run failed, and why."""
    return AttemptEnd({"status": RunStatus.FAILED, "reason": reason, "ended_at": utc_now()})


def read_end(
    attempt: Path, folder: Path | None, *, stopped: bool, cancelled: bool, killed: bool
) -> AttemptEnd:
    """Read how an attempt ended whose process has gone.

    Parameters
    ----------
    attempt : Path
        Its folder.
    folder : Path or None
        That of its run, if it has one.
    stopped : bool
        Whether its worker stopped it: what it says of its end is no failure of the run's.
    cancelled : bool
        Whether that was wanted of the run, not of the worker.
    killed : bool
        Whether it was ended by a signal, that of nobody here unless it was stopped.
    """
    facts = _facts_in(folder)
    if facts.get("status") == RunStatus.COMPLETED:
        return AttemptEnd(facts)
    if cancelled:
        return AttemptEnd({**facts, **failed(INTERRUPTED).facts})
    cut_off = {**facts, **(going_on(folder) if facts and folder else {})}
    if stopped:
        return AttemptEnd(cut_off, ended=False, orderly=True)
    reason = str(facts.get("reason", "")) or read_detached(attempt).error
    if killed or reason in ("", GONE, INTERRUPTED):
        return AttemptEnd(cut_off, ended=False, why=KILLED)
    return AttemptEnd({**facts, **failed(reason).facts})


def _facts_in(folder: Path | None) -> dict[str, Any]:
    if folder is None:
        return {}
    try:
        return read_facts(folder)
    except GleanError:
        return {}  # it ended before it could say anything, or while it did
