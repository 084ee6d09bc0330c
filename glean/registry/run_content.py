"""What of a run's folder goes to the registry: settings, tags, numbers, files.

All of it follows from the folder and from nothing else, so that it can be sent at any time, twice,
and by anybody, and comes out the same.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from glean.errors import GleanError
from glean.registry.tracking_server import RUN_TAG, SentMetric
from glean.runs.events import RoundFinished, event_of
from glean.runs.index import COMPLETED, FAILED, StoredRun
from glean.runs.model_card import CARD_FILE, CARD_PAGE, ModelCard
from glean.workloads import DEFAULT_WORKLOAD

PLACES = ("sales", "products", "images", "start-from", "resume", "output-dir")
"""Settings that say where a file lies on this machine."""

ALWAYS_SENT = ("rounds.csv", CARD_FILE, CARD_PAGE)
"""Files that tell of no single day and no single row."""

SENT_UNLESS_OWN_ROWS = ("report.html", "bakeries.csv", "figures/*.png")
"""Files that may show single rows: made-up or public ones. A deployment's server has none."""

FILES_FOLDER = "files"
"""Of a registered model what Glean reads, in the folder that MLflow calls the model's data."""

FETCHED_FOLDER = ".registered-models"
"""Among the results: models that runs began with, by registry, name and version."""

_NEVER_SENT = "figures/inversion-*"
_LONGEST_PARAM = 5000
_WITHOUT_OWN_ROWS = ("iris",)
"""Workloads whose data everybody has."""


def workload_of(run: StoredRun) -> str:
    """Name the workload of a run."""
    return str(run.settings.get("workload") or DEFAULT_WORKLOAD)


def has_ended(run: StoredRun) -> bool:
    """Whether nothing more will happen in a run."""
    return run.status in (COMPLETED, FAILED)


def run_id_of(folder: Path) -> str:
    """Give Flower's id of a run, which ends its folder's name.

    Raises
    ------
    GleanError
        The folder isn't named as a run's is.
    """
    found = folder.name.rpartition("-")[2]
    if not found.isdecimal():
        raise GleanError(
            f"{folder}: found a folder that isn't named as a run's; wanted one as Glean made it, "
            "like results/20260501T120000Z-1234"
        )
    return found


def params_of(run: StoredRun) -> dict[str, str]:
    """Give a run's settings, but for those that say where files lie."""
    return {
        key: str(value)[:_LONGEST_PARAM]
        for key, value in run.settings.items()
        if key not in PLACES and str(value) != ""
    }


def tags_of(run: StoredRun) -> dict[str, str]:
    """Give what a run is found by, as far as it is known."""
    facts = run.facts
    found = {
        RUN_TAG: run_id_of(run.folder),
        "glean.workload": workload_of(run),
        "glean.engine": run.engine,
        "glean.code": facts.get("code"),
        "glean.version": (facts.get("versions") or {}).get("glean"),
        "glean.started_from": _started_from(run),
        "glean.resumed": Path(run.settings["resume"]).name if run.settings.get("resume") else None,
        "glean.clients": len(facts["bakeries"]) if "bakeries" in facts else None,
        "glean.best_round": facts.get("best_round"),
        "glean.status": run.status,
    }
    return {key: str(value) for key, value in found.items() if value not in (None, "")}


def round_metrics(rows: Sequence[Mapping[str, Any]]) -> list[SentMetric]:
    """Give the numbers of the rounds among rows of `events.jsonl`."""
    return [each for row in rows for each in _of_round(row)]


def final_metrics(run: StoredRun) -> list[SentMetric]:
    """Give the scores on test rows, by method, that the model's card has; none without a card."""
    at, step = time_ms(run.facts.get("end")), int(run.facts.get("last_round") or 0)
    scores = _card_of(run.folder).get("scores", {}).get("test") or []
    found: list[SentMetric] = []
    for row in scores:
        for name, value in row.items():
            if isinstance(value, float) and math.isfinite(value):
                found.append(SentMetric(f"test_{row.get('method')}_{name}", value, at, step))
    return found


def files_of(run: StoredRun) -> list[str]:
    """Name the files of a run's folder that are sent once it has ended."""
    patterns = list(ALWAYS_SENT)
    if not _has_own_rows(run):
        patterns += SENT_UNLESS_OWN_ROWS
    paths = [path for pattern in patterns for path in sorted(run.folder.glob(pattern))]
    return [
        str(path.relative_to(run.folder))
        for path in paths
        if path.is_file() and not path.relative_to(run.folder).match(_NEVER_SENT)
    ]


def card_page_of(folder: Path) -> str:
    """Give the model's card to read; "" without one."""
    path = folder / CARD_PAGE
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def time_ms(text: object) -> int:
    """Turn a time as `run.json` and `events.jsonl` have it into ms since 1970; 0 without one."""
    try:
        return round(dt.datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0


def _of_round(row: Mapping[str, Any]) -> Iterator[SentMetric]:
    event = event_of(row)
    if not isinstance(event, RoundFinished):
        return
    at = time_ms(row.get("time"))
    validation = {f"validation_{name}": value for name, value in event.metrics.items()}
    counted = ("bakeries", "replies", "failures", "bytes_down", "bytes_up", "noise", "epsilon")
    numbers = {name: getattr(event, name) for name in counted}
    for name, value in {**validation, **numbers, "round_seconds": event.seconds}.items():
        if value is not None and math.isfinite(value):
            yield SentMetric(name, float(value), at, event.round)


def _has_own_rows(run: StoredRun) -> bool:
    """Whether files of a run may show rows that somebody's own: a simulation has them all."""
    if run.engine == "deployment" or workload_of(run) in _WITHOUT_OWN_ROWS:
        return False
    return not (run.facts.get("synthetic") is True and not run.settings.get("sales"))


def _started_from(run: StoredRun) -> str:
    """Name the registered model that a run began with, by where its file was put."""
    path = Path(str(run.settings.get("start-from") or ""))
    if len(path.parts) > 4 and path.parts[-5] == FETCHED_FOLDER:
        return f"models:/{path.parts[-3]}/{path.parts[-2]}"
    return ""


def _card_of(folder: Path) -> Mapping[str, Any]:
    try:
        return ModelCard.from_bytes((folder / CARD_FILE).read_bytes()).content
    except (OSError, GleanError, json.JSONDecodeError):
        return {}
