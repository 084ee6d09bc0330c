"""SLURM jobs as the REST API writes and reads them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from glean.operations.slurm.job_options import JOB_OPTIONS, fits_option


def _text(name: str, description: str, example: str) -> Any:
    """Declare an option of `submit-job.sh` that is a text."""
    return Field(
        default=None,
        max_length=100,
        description=description,
        examples=[example],
        json_schema_extra={"pattern": f"^({JOB_OPTIONS[name].pattern})$"},
    )


class NewJob(BaseModel):
    """What a job asks of the cluster; what isn't said is as the cluster has it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"nodes": 2, "cpus": 16, "mem": "32G", "time": "2:00:00"}]},
    )

    nodes: int | None = Field(
        default=None, ge=1, le=100_000, description="Nodes; by default one. Ray spans all."
    )
    cpus: int | None = Field(
        default=None, ge=1, le=100_000, description="CPUs on each node; by default 4."
    )
    mem: str | None = _text("mem", "Memory on each node.", "16G")
    time: str | None = _text(
        "time", "Time limit: minutes, hours:minutes:seconds or days-hours.", "2:00:00"
    )
    partition: str | None = _text("partition", "Partition, or several with commas.", "main")
    gpus: str | None = _text("gpus", "GPUs on each node: N or TYPE:N.", "mi300x:2")

    @field_validator("mem", "time", "partition", "gpus")
    @classmethod
    def _as_the_script(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse what `submit-job.sh` refuses, in its words."""
        name = str(info.field_name)
        if value is not None and not fits_option(name, value):
            wanted = JOB_OPTIONS[name].wanted
            raise PydanticCustomError("job_option", "wanted {wanted}", {"wanted": wanted})
        return value

    def options(self) -> dict[str, int | str]:
        """Give what was said."""
        return self.model_dump(exclude_none=True)


class RunJob(BaseModel):
    """The SLURM job of a run."""

    number: int = Field(description="SLURM's number.", examples=[4711])
    state: str = Field(
        description="SLURM's word; UNKNOWN where it knows the job no more.", examples=["PENDING"]
    )
    reason: str = Field(
        description="SLURM's word on why it waits or how it ended, or that SLURM doesn't answer.",
        examples=["Resources"],
    )

    @classmethod
    def of(cls, job: dict[str, Any]) -> Self | None:
        """Write the job of a row of the database down, if it has one."""
        return cls.model_validate(job) if job else None
