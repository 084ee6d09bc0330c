"""The rows of runs that were asked for here, made and brought up to date by their requests."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

from glean.errors import FederationError
from glean.operations.running.attempts import flower_id_in, list_attempts
from glean.operations.running.detached_run import DetachedRun, ProcessState, read_detached
from glean.operations.running.run_request import RunRequest
from glean.operations.slurm.slurm_job import read_job
from glean.runs.folder import utc_now
from glean.service.runs.status import DEPLOYMENT, ENDED, RunStatus
from glean.service.store.tables import RunRow
from glean.workloads import DEFAULT_WORKLOAD

LOG = logging.getLogger("glean.service")

CANCELLED = "cancelled"
"""File beside a request that was taken back before it was started."""

WITHOUT_A_WORD = "its process ended before the run began, without a word; its log may say why"


def row_of_request(folder: Path) -> RunRow | None:
    """Make the row of a request that the database doesn't know: it was made anew, or was full."""
    try:
        request = RunRequest.read(folder)
    except FederationError as error:
        LOG.warning("%s", error)
        return None
    cancelled = (folder / CANCELLED).exists()
    attempts = list_attempts(folder)
    return RunRow(
        id=folder.name,
        status=RunStatus.CANCELLED if cancelled else RunStatus.QUEUED,
        reason="",
        engine=request.engine,
        workload=str(request.settings.get("workload", DEFAULT_WORKLOAD)),
        settings=dict(request.settings),
        asked_by=request.asked_by,
        asked_at=request.asked_at,
        request=asdict(request),
        priority=request.priority,
        attempt=attempts[-1][0] if attempts else int(_was_started(folder)),
        earlier=_ids_by_number(attempts),
        worker="",
        started_at="",
        ended_at="",
        flower_id=flower_id_in(folder) if attempts else "",
        folder="",
        seen="",
    )


def _was_started(folder: Path) -> bool:
    """Whether the service itself has begun with a request."""
    return read_detached(folder).state is not ProcessState.NOT_STARTED


def _ids_by_number(attempts: list[tuple[int, Path]]) -> list[str]:
    """Give Flower's id of each attempt, by its number; "" of one that isn't there."""
    known = {number: flower_id_in(path) for number, path in attempts}
    return [known.get(number, "") for number in range(1, max(known, default=0) + 1)]


def update_job(row: RunRow, folder: Path) -> bool:
    """Say how the job of a request stands; whether it goes on, as it may after the run's end."""
    job = read_job(folder) if row.status not in ENDED or row.job else None
    if job is None:
        return False
    found = {"number": job.number, "state": job.state, "reason": job.reason}
    if found != row.job:
        row.job = found
    return not job.ended


def update_from_request(row: RunRow, folder: Path) -> None:
    """Say how a request stands whose run has no folder yet."""
    found: DetachedRun = read_detached(folder)
    if found.run_id is not None:
        row.flower_id = str(found.run_id)
    if found.state is ProcessState.RUNNING:
        there = row.engine == DEPLOYMENT and found.run_id is not None
        row.status = RunStatus.RUNNING if there else RunStatus.STARTING
    elif found.waits_for_a_process and found.job is not None:
        row.status = RunStatus.STARTING
    elif found.summary is not None:
        row.status = RunStatus.COMPLETED
        row.ended_at = row.ended_at or utc_now()
    elif found.state is ProcessState.ENDED or found.error:
        row.status = RunStatus.FAILED
        row.reason = found.error or _no_word_of(row)
        row.ended_at = row.ended_at or utc_now()


def _no_word_of(row: RunRow) -> str:
    if row.engine == DEPLOYMENT and row.flower_id:
        return (
            "what watched it here ended; the run may go on at its SuperLink: "
            f"flwr log {row.flower_id} CONNECTION --stream"
        )
    return WITHOUT_A_WORD
