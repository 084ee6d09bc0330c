"""What the files of a run say of it, as values of a row of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glean.operations.running.progress import read_progress
from glean.runs.index import read_run, signature_of
from glean.service.runs.status import RunStatus
from glean.workloads import DEFAULT_WORKLOAD


def facts_of(folder: Path) -> dict[str, Any]:
    """Read a run's folder.

    Parameters
    ----------
    folder : Path
        A run's folder.

    Returns
    -------
    dict
        Columns of `RunRow` with their values.

    Raises
    ------
    GleanError
        It says nothing that can be read.
    """
    run = read_run(folder)
    progress = read_progress(folder)
    facts = run.facts
    return {
        "flower_id": flower_id_of(folder),
        "folder": folder.name,
        "status": RunStatus(run.status) if run.status in set(RunStatus) else RunStatus.FAILED,
        "reason": run.reason,
        "engine": run.engine,
        "workload": str(run.settings.get("workload", DEFAULT_WORKLOAD)),
        "settings": run.settings,
        "started_at": str(facts.get("start") or ""),
        "ended_at": str(facts.get("end") or ""),
        "bakeries": len(progress.bakeries),
        "rounds": progress.rounds,
        "rounds_done": progress.rounds_done,
        "score": progress.last_score,
        "score_noise": progress.last_noise,
        "seen": signature_of(folder),
    }


def flower_id_of(folder: Path) -> str:
    """Give the id that ends the name of a run's folder."""
    return folder.name.rpartition("-")[2]
