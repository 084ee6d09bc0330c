"""What a run takes of this machine: looked at while it goes, kept in its folder, sent later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from glean.registry.run_content import time_ms
from glean.registry.tracking_server import SentMetric
from glean.runs.index import StoredRun
from glean.runs.process_tree import still_runs

SAMPLES_FILE = ".system-metrics.jsonl"
"""In a run's folder: a row for each look at its processes."""

EVERY_S = 10.0

MEGABYTE = 2**20


def take_sample(run: StoredRun, now: str) -> None:
    """Look at the processes of a run, if it goes on here and wasn't looked at of late.

    Parameters
    ----------
    run : StoredRun
        The run.
    now : str
        Time of day, as `glean.runs.folder.utc_now` gives it.
    """
    described = run.facts.get("process")
    if not still_runs(described):
        return
    rows = read_samples(run.folder)
    if rows and time_ms(now) - time_ms(rows[-1].get("time")) < EVERY_S * 1000:
        return
    seen = _look(int(described["pid"]))  # type: ignore[index]
    if seen:
        line = json.dumps({"time": now, **seen})
        with (run.folder / SAMPLES_FILE).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def read_samples(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of a run; a line that a kill cut short is none."""
    try:
        lines = (folder / SAMPLES_FILE).read_bytes().split(b"\n")[:-1]
    except OSError:
        return []
    return [row for line in lines if (row := _row(line))]


def system_metrics(rows: Sequence[Mapping[str, Any]]) -> list[SentMetric]:
    """Give rows as numbers, by the names that MLflow gives such numbers."""
    found = []
    for step, row in enumerate(rows):
        at = time_ms(row.get("time"))
        before = rows[step - 1] if step else None
        numbers = {
            "system/run_memory_megabytes": row.get("memory_mb"),
            "system/run_processes": row.get("processes"),
            "system/run_cpu_percentage": _cpu_percent(before, row),
        }
        found += [SentMetric(k, float(v), at, step) for k, v in numbers.items() if v is not None]
    return found


def _look(pid: int) -> dict[str, float]:
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return {}
    memory = cpu = 0.0
    count = 0
    for process in family:
        try:
            memory += process.memory_info().rss
            times = process.cpu_times()
        except psutil.Error:
            continue
        cpu += times.user + times.system
        count += 1
    return {
        "memory_mb": round(memory / MEGABYTE, 1),
        "cpu_s": round(cpu, 2),
        "processes": count,
    }


def _cpu_percent(before: Mapping[str, Any] | None, row: Mapping[str, Any]) -> float | None:
    """Of one core; None for the first look. Processes that ended take their seconds along."""
    if before is None:
        return None
    seconds = (time_ms(row.get("time")) - time_ms(before.get("time"))) / 1000
    used = float(row.get("cpu_s", 0)) - float(before.get("cpu_s", 0))
    return round(100 * max(0.0, used) / seconds, 1) if seconds > 0 else None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
