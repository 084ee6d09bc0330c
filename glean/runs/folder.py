"""What a run leaves behind: its folder, written so that a kill leaves the old or the new file."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glean.errors import FederationError
from glean.languages.language import ENGLISH, Language
from glean.regular_files import absolute_path, words_of
from glean.runs.event_row import Event
from glean.runs.events import event_of
from glean.runs.phase_events import Phase, PhaseStarted
from glean.runs.spreadsheet_cells import escape_cell
from glean.workloads import vocabulary_of

LOG = logging.getLogger("glean")

INTERRUPTED = "interrupted"
"""Reason of a run that somebody stopped."""


PARTICIPATION = "participation.csv", ("round", "bakery", "staleness")
"""Whose updates are in the model of a round, and what its columns are; written with the
`round_tables` in runs in which not all take part in each round."""


def round_tables(metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give the columns of the tables by round, for a workload with these metrics.

    In the order in which they are written: a round counts once it stands in `rounds.csv`.
    """
    asked, sent = ("round", "bakeries", "replies", "failures"), ("bytes_down", "bytes_up")
    return {
        "bakery_rounds.csv": ("round", "bakery", "n_examples", *metrics),
        "rounds.csv": (*asked, *metrics, *sent, "seconds", "virtual_seconds"),
    }


RESERVE = ".reserve-00000000"
"""A file of zeros in the folder of a run that goes on: deleted, it makes room on a full disk."""

_RESERVE_BYTES = 64 * 1024
_NAME = "bakery"
_HALF_WRITTEN = re.compile(r"\..+-[0-9a-f]{8}")


class RunFolder:
    """Folder of one run, as described in `docs/architecture.md`.

    Parameters
    ----------
    path : Path
        An existing, absolute folder.
    lasting : bool
        Whether what is written shall survive a power cut: it then waits for the disk.
    words : Language
        What logs say of the run with: English, in its workload's vocabulary.
    """

    def __init__(self, path: Path, *, lasting: bool = True, words: Language = ENGLISH) -> None:
        self.path = path
        self.words = words
        self._lasting = lasting

    @classmethod
    def create(
        cls,
        results: Path,
        *,
        run_id: int,
        facts: Mapping[str, Any] | None = None,
        lasting: bool = True,
    ) -> RunFolder:
        """Make `results/<UTC time>-<run id>/` with its `run.json`; point `results/latest` at it.

        Raises
        ------
        FederationError
            The folder can't be made.
        """
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        results = absolute_path(results)
        path = results / f"{now}-{run_id}"
        try:
            path.mkdir(parents=True)
            (path / "models").mkdir()
            folder = cls(path, lasting=lasting, words=_words_of(facts or {}))
            if facts is not None:
                folder.write_run(facts)
                folder.write_bytes(RESERVE, bytes(_RESERVE_BYTES))
        except OSError as error:
            raise FederationError(f"can't write results to {results}: {error}") from error
        _point_at(results / "latest", path)
        return folder

    def write_run(self, content: Mapping[str, Any]) -> None:
        """Replace `run.json`."""
        self.write_bytes("run.json", (json.dumps(content, indent=2) + "\n").encode())

    def append_event(self, event: Event) -> None:
        """Append a line to `events.jsonl`."""
        time = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        self.append_events([{"time": time, **event.to_row()}])

    def begin_phase(self, phase: Phase) -> None:
        """Append to `events.jsonl`, and log, what is done from now on."""
        event = PhaseStarted(phase)
        self.append_event(event)
        LOG.info("%s", event.sentence_in(self.words))

    def append_events(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Append rows of events as they are to `events.jsonl`, all by one write to the file."""
        lines = "".join(json.dumps(event) + "\n" for event in events)
        with (self.path / "events.jsonl").open("ab+", buffering=0) as file:
            _cut_unfinished_line(file)
            file.write(lines.encode())

    def append_round(
        self,
        metrics: Sequence[str],
        row: Mapping[str, Any],
        bakery_rows: Iterable[Mapping[str, Any]],
        participants: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Add a round to `rounds.csv`, and its bakeries to the tables of these."""
        if participants:
            self.add_rows(*PARTICIPATION, participants)
        for (name, columns), rows in zip(
            round_tables(metrics).items(), (bakery_rows, [row]), strict=True
        ):
            self.add_rows(name, columns, rows)

    def add_rows(
        self, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Add rows to one of the `round_tables`, which is replaced as a whole."""
        path = self.path / name
        before = path.read_bytes() if path.exists() else b""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        if not before:
            writer.writeheader()
        writer.writerows(_escaped(row) for row in rows)
        self.write_bytes(name, before + text.getvalue().encode())

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file of the folder so that it is there whole or not at all."""
        return write_whole(self.path / name, content, lasting=self._lasting)


def checkpoint_name(number: int, suffix: str) -> str:
    """Where in a run's folder the model of a round lies."""
    return f"models/round_{number:03d}{suffix}"


def _words_of(facts: Mapping[str, Any]) -> Language:
    return ENGLISH.in_words_of(vocabulary_of(facts.get("settings", {}).get("workload")))


def known_events(path: Path) -> list[Event]:
    """Read the events of an `events.jsonl` that this version knows; none where there is no file."""
    found = [event_of(row) for row in read_events(path)]
    return [event for event in found if event is not None]


def read_events(path: Path) -> list[dict[str, Any]]:
    """Read the rows of `events.jsonl`, as they are; none where there is no such file.

    A line that a kill cut short is no event.
    """
    if not path.is_file():
        return []
    found = [_event(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [event for event in found if event is not None]


def clear_leftovers(run: Path) -> None:
    """Delete the half-written files that a kill left in a run's folder, and its link beside it."""
    found = [path for path in run.rglob(".*") if _HALF_WRITTEN.fullmatch(path.name)]
    for path in [*found, _fresh_link(run)]:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s, left by a kill, can't be deleted: %s", path, error)


def discard_reserve(run: Path) -> None:
    """Delete a run's reserve: what is written next is how it ended."""
    (run / RESERVE).unlink(missing_ok=True)


def reason_of(error: BaseException) -> str:
    """Say why a run failed, as `run.json` holds it."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit):
        return "Flower ended it: it was stopped, or the SuperLink has gone"
    if isinstance(error, OSError):
        return words_of(error)
    return str(error) or type(error).__name__


def utc_now() -> str:
    """Time of day as `run.json` holds it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def write_whole(path: Path, content: bytes, *, lasting: bool = True) -> Path:
    """Write a file so that a kill at any moment leaves the old or the new one.

    Unless it is `lasting`, a power cut may leave neither.
    """
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return path


def _point_at(link: Path, target: Path) -> None:
    """Point a link at a run; where there can't be one (Windows, some drives) the run goes on."""
    fresh = _fresh_link(target)
    try:
        fresh.symlink_to(target.name)
        fresh.replace(link)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        LOG.warning("%s can't point at this run: %s", link, error)


def _fresh_link(run: Path) -> Path:
    return run.with_name(f".latest-{run.name}")


def _escaped(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Escape the one text of a row of the `round_tables`: numbers may be texts of digits here."""
    return {**row, _NAME: escape_cell(str(row[_NAME]))} if _NAME in row else row


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _cut_unfinished_line(file: io.FileIO) -> None:
    """Cut off what a killed writer left of a line: the next one would stick to it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if file.read(1) not in (b"", b"\n"):
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
