"""Runs as the REST API writes and reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from glean.service.api.job_models import NewJob, RunJob
from glean.service.api.text import Text
from glean.service.runs.status import RunStatus
from glean.service.store.tables import RunRow

SettingValue = bool | int | float | Text

PATH_SETTINGS = ("sales", "products", "images", "resume", "start-from", "output-dir")
"""Settings that name paths: from outside they come as ids."""

_SETTINGS: dict[str, JsonValue] = {"num-server-rounds": 5, "aggregation": "histogram"}


class NewRun(BaseModel):
    """A run that is asked for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"engine": "inprocess", "settings": _SETTINGS},
                {"engine": "slurm", "job": {"cpus": 16, "time": "2:00:00"}},
            ]
        },
    )

    engine: Literal["ray", "inprocess", "deployment", "slurm"] = Field(
        default="ray",
        description="ray: Flower's simulation; inprocess: the same apps in one process; "
        "deployment: on a SuperLink, whose bakeries have their own tables; "
        "slurm: Flower's simulation in a SLURM job.",
    )
    connection: str = Field(
        default="",
        max_length=100,
        description="Of a deployment: the SuperLink's name in Flower's configuration here; by "
        "default the service's own, if it serves a federation.",
    )
    job: NewJob | None = Field(
        default=None, description="On SLURM: what the job asks of the cluster."
    )
    settings: dict[Annotated[str, Field(max_length=100)], SettingValue] = Field(
        default_factory=dict,
        description="Run config that differs from the defaults; not the settings that are paths.",
        examples=[_SETTINGS],
    )
    bakeries: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="How many; of a table the first by name. By default all.",
    )
    dataset: str | None = Field(
        default=None,
        max_length=100,
        description="Id of an uploaded table to learn from; without one bakeries are synthetic.",
    )
    resume: str | None = Field(
        default=None, max_length=100, description="Id of an interrupted run to go on with."
    )
    priority: int = Field(
        default=0, ge=0, le=9, description="Of those that wait the highest begins first."
    )


class Run(BaseModel):
    """A run, from being asked for to its end."""

    id: str = Field(examples=["r0f3c9a1be77d2416"])
    flower_id: str = Field(description='Flower\'s id; "" before it begins.')
    status: RunStatus
    reason: str = Field(description='Why it failed; "" otherwise.')
    engine: str
    workload: str
    settings: dict[str, Any] = Field(
        description="Before it begins what was asked for, then the whole run config."
    )
    asked_by: str = Field(description='Name of the token; "" for the command line.')
    asked_at: str = Field(description="When it was asked for or, on the command line, began; UTC.")
    started_at: str | None
    ended_at: str | None
    bakeries: int = Field(description="How many take part; 0 before the first round.")
    rounds: int = Field(description="How many there shall be; 0 before the first.")
    rounds_done: int
    score_noise: float | None = Field(
        description="Standard deviation of the noise in the score; null where it has none."
    )
    score: float | None = Field(
        description="Primary metric (demand: WAPE) on validation days after the last round."
    )
    priority: int
    worker: str = Field(
        description='Name of the worker that runs it or ran it last; "" while it waits, and of '
        "what the service runs itself."
    )
    attempt: int = Field(
        description="How often it was taken from the queue: more than once where workers fell out."
    )
    job: RunJob | None = Field(description="Of a run on SLURM: its job; null before there is one.")

    @classmethod
    def of(cls, row: RunRow) -> Run:
        """Write a row of the database down."""
        return cls(
            id=row.id,
            flower_id=row.flower_id,
            status=RunStatus(row.status),
            reason=row.reason,
            engine=row.engine,
            workload=row.workload,
            settings=row.settings,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            started_at=row.started_at or None,
            ended_at=row.ended_at or None,
            bakeries=row.bakeries,
            rounds=row.rounds,
            rounds_done=row.rounds_done,
            score=row.score,
            score_noise=row.score_noise,
            priority=row.priority,
            worker=row.worker,
            attempt=row.attempt,
            job=RunJob.of(row.job),
        )


class RunPage(BaseModel):
    """Some runs, and where the next are."""

    runs: list[Run]
    next_cursor: str | None = Field(description="For `cursor`, to get those after; null: none.")


class RunEvent(BaseModel):
    """An event of a run."""

    number: int = Field(description="Its line in events.jsonl, from 1 on.", examples=[17])
    event: dict[str, Any] = Field(
        description="Time, kind and fields, as in events.jsonl.",
        examples=[{"time": "2026-05-01T12:00:00.123+00:00", "event": "run_finished"}],
    )


class RunEvents(BaseModel):
    """Events of a run, in their order."""

    events: list[RunEvent]


class RunFile(BaseModel):
    """A file of a run."""

    name: str = Field(description="Its path in the run's folder.", examples=["model.ubj"])
    bytes: int
    modified: str = Field(description="When it was written, UTC.")


class RunFiles(BaseModel):
    """All files of a run."""

    files: list[RunFile]


class RoundTable(BaseModel):
    """The table of rounds: columns are those of rounds.csv."""

    rounds: list[dict[str, float | None]]
