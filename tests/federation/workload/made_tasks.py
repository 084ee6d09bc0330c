"""Tasks as the server gives them, for a trainer alone."""

from __future__ import annotations

from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import SumRequest


def request_of(*parts: str, rows: int = 4) -> SumRequest:
    """Ask one client for parts of a vector."""
    return SumRequest(parts, parts, rows=rows)


def whole_task(model: bytes) -> Task:
    """A task of round 3 on a whole model."""
    return Task(
        round=3,
        spec="{}",
        base="",
        state="",
        learning_rate=0.1,
        newcomer=False,
        model=model,
    )


def sum_task(model: bytes, request: SumRequest, *, learning_rate: float = 0.1) -> SumTask:
    """A task for a sum on a whole model."""
    task = vars(whole_task(model)) | {"learning_rate": learning_rate}
    return SumTask(
        **task,
        number=1,
        request=request.to_json(),
        structures=b"",
        participants=b"",
        cohort=b"",
    )
