"""How a run stands, from being asked for to its end."""

from __future__ import annotations

from enum import StrEnum

from glean.runs.index import COMPLETED, FAILED, RUNNING


class RunStatus(StrEnum):
    """How a run stands; the last three are ends."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = RUNNING
    COMPLETED = COMPLETED
    FAILED = FAILED
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing follows any more."""
        return self in ENDED


ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)
ACTIVE = (RunStatus.STARTING, RunStatus.RUNNING)

DEPLOYMENT = "deployment"
"""Engine of runs whose bakeries, and maybe folders, are on other machines."""
