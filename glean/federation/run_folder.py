"""What a run leaves behind: its folder, written so that a kill leaves the old or the new file."""

from __future__ import annotations

import csv
import datetime as dt
import json
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from glean.errors import FederationError

LOG = logging.getLogger("glean")

ROUND_COLUMNS = (
    "round", "bakeries", "replies", "failures", "wape", "mae", "rmse", "mape",
    "bytes_down", "bytes_up", "seconds",
)  # fmt: skip
BAKERY_ROUND_COLUMNS = ("round", "bakery", "n_examples", "wape", "mae", "rmse", "mape")


class RunFolder:
    """Folder of one run, as described in `docs/architecture.md`.

    Parameters
    ----------
    path : Path
        An existing, absolute folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, results: Path, *, run_id: int) -> RunFolder:
        """Make `results/<UTC time>-<run id>/` and point `results/latest` at it.

        Raises
        ------
        FederationError
            The folder can't be made.
        """
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        path = results.resolve() / f"{now}-{run_id}"
        try:
            path.mkdir(parents=True)
            (path / "models").mkdir()
        except OSError as error:
            raise FederationError(f"can't write results to {results}: {error}") from error
        _point_at(results.resolve() / "latest", path)
        return cls(path)

    def write_run(self, content: Mapping[str, Any]) -> None:
        """Replace `run.json`."""
        self.write_bytes("run.json", (json.dumps(content, indent=2) + "\n").encode())

    def append_event(self, event: str, **details: Any) -> None:
        """Append a line to `events.jsonl`."""
        time = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "event": event, **details})
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def append_round(
        self, row: Mapping[str, Any], bakery_rows: Iterable[Mapping[str, Any]]
    ) -> None:
        """Append a round to `rounds.csv` and its bakeries to `bakery_rounds.csv`."""
        self._append("bakery_rounds.csv", BAKERY_ROUND_COLUMNS, bakery_rows)
        self._append("rounds.csv", ROUND_COLUMNS, [row])

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file of the folder so that it is there whole or not at all."""
        return write_whole(self.path / name, content)

    def _append(
        self, name: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]
    ) -> None:
        path = self.path / name
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerows(rows)


def reason_of(error: BaseException) -> str:
    """Say why a run failed, as `run.json` holds it."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) or type(error).__name__


def utc_now() -> str:
    """Time of day as `run.json` holds it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file so that a kill at any moment leaves the old or the new one."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return path


def _point_at(link: Path, target: Path) -> None:
    """Point a link at a run; where there can't be one (Windows, some drives) the run goes on."""
    fresh = link.with_name(f".latest-{target.name}")
    try:
        fresh.symlink_to(target.name)
        fresh.replace(link)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        LOG.warning("%s can't point at this run: %s", link, error)
