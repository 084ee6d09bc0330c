"""What runs have done since the service began: rounds, seconds, bytes, ends; it only grows.

A counter that fell when a run is deleted would look to Prometheus like a new start, and all that it
still counts like work just done. So each starts at 0 with the service, and counts what the runs'
events say happened since.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.runs.events import RoundFinished
from glean.service.runs.status import RunStatus
from glean.workloads import WORKLOADS

OTHER_WORKLOAD = "other"
"""Stands for what an old or a foreign run's folder calls a workload."""


@dataclass(frozen=True)
class CountedRun:
    """What is looked at of a run.

    Parameters
    ----------
    id : str
        Of its row.
    status : str
        How it stands.
    folder : str
        Name of its folder; "" while it has none.
    workload : str
        What it trains.
    """

    id: str
    status: str
    folder: str
    workload: str


class RunCounters:
    """Counts what is new in the files of runs; each line of theirs is read once.

    Parameters
    ----------
    results : Path
        Where the runs' folders are.
    since : str
        When the service began, UTC; what happened before isn't counted.
    """

    def __init__(self, results: Path, since: str) -> None:
        self._results = results
        self._since = since
        self._lock = threading.Lock()
        self._read: dict[str, int] = {}
        self._ends: dict[str, str] = {}
        self.ended: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    @property
    def workloads(self) -> list[str]:
        """Those that are counted: all that there are, and others once one came."""
        return [*WORKLOADS, *([OTHER_WORKLOAD] if OTHER_WORKLOAD in self.seconds else [])]

    def look(self, runs: Iterable[CountedRun]) -> None:
        """Count what has happened since the last look.

        Parameters
        ----------
        runs : iterable of CountedRun
            Those that go on, and those that ended since the service began.
        """
        with self._lock:
            for run in runs:
                if run.status in _ENDS and self._ends.get(run.id) != run.status:
                    self._ends[run.id] = run.status
                    self.ended[run.status] += 1
                if run.folder:
                    self._count_events(run)

    def _count_events(self, run: CountedRun) -> None:
        workload = run.workload if run.workload in WORKLOADS else OTHER_WORKLOAD
        for line in self._fresh_lines(run.folder):
            event = _finished_round(line)
            if event is None or str(event.get("time", "")) < self._since:
                continue
            self.rounds[workload] += event.get("round") != 0  # 0: the model that it started from
            self.seconds[workload] += _number(event, "seconds")
            self.bytes["down"] += _number(event, "bytes_down")
            self.bytes["up"] += _number(event, "bytes_up")

    def _fresh_lines(self, folder: str) -> list[bytes]:
        """Read what was appended; a last line without its end waits for it."""
        path, start = self._results / folder / "events.jsonl", self._read.get(folder, 0)
        try:
            if path.stat().st_size <= start:
                return []
            with path.open("rb") as file:
                file.seek(start)
                content = file.read()
        except OSError:
            return []
        whole = content.rfind(b"\n") + 1
        self._read[folder] = start + whole
        return content[:whole].splitlines()


_ENDS = frozenset(status.value for status in RunStatus if status.ended)
_TOO_LARGE = 1e18
_MARK = f'"{RoundFinished.kind}"'.encode()


def _finished_round(line: bytes) -> dict[str, Any] | None:
    if _MARK not in line:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and event.get("event") == RoundFinished.kind else None


def _number(event: dict[str, Any], name: str) -> Any:
    """Give a number of an event; 0 where a damaged file has something else, or less than none."""
    found = event.get(name)
    return found if isinstance(found, int | float) and 0 <= found < _TOO_LARGE else 0
