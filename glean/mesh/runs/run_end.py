"""How a run ended, for all who took part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from glean.errors import FederationError

COMPLETED, FAILED, CANCELLED = "completed", "failed", "cancelled"
ENDS = (COMPLETED, FAILED, CANCELLED)

_LONGEST_REASON = 2000


@dataclass(frozen=True)
class RunEnd:
    """The end of a run.

    Parameters
    ----------
    status : str
        One of `ENDS`.
    reason : str
        Why, where it didn't complete.
    """

    status: str
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", self.reason[:_LONGEST_REASON])

    def to_content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)


def end_of(content: object) -> RunEnd:
    """Read what `to_content` gave.

    Raises
    ------
    FederationError
        It is something else.
    """
    if isinstance(content, Mapping) and content.keys() == {"status", "reason"}:
        status, reason = content["status"], content["reason"]
        if status in ENDS and isinstance(reason, str):
            return RunEnd(status, reason)
    raise FederationError(f"the end of a run: found {content!r:.80}; wanted a status and a reason")
