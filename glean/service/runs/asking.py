"""What is asked for, kept once: the same under the same idempotency key is no second run."""

from __future__ import annotations

import hashlib
import json
import shutil
from http import HTTPStatus
from pathlib import Path

from sqlalchemy.orm import Session

from glean.operations.running.run_request import RunRequest
from glean.service.problems import ProblemError
from glean.service.store.tables import IdempotencyRow, RunRow


def made_before(session: Session, key: str, actor: str, digest: str) -> RunRow | None:
    """Find what was asked for under an idempotency key before; None where nothing was.

    Raises
    ------
    ProblemError
        Another request had the key, or its run was deleted.
    """
    before = session.get(IdempotencyRow, (key, actor)) if key else None
    if before is None:
        return None
    if before.request_hash != digest:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "this Idempotency-Key was sent with another request before; wanted a new key",
        )
    made = session.get(RunRow, before.made)
    if made is None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "the run that was asked for under this Idempotency-Key was deleted; wanted a new key",
        )
    return made


def write_request(request: RunRequest, folder: Path) -> None:
    """Keep a request on disk.

    Raises
    ------
    ProblemError
        There is no room.
    """
    try:
        request.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ProblemError(
            HTTPStatus.INSUFFICIENT_STORAGE, f"the run can't be kept: {error.strerror}"
        ) from error


def digest_of(request: RunRequest) -> str:
    """Tell one request from another."""
    content = [request.engine, request.connection, dict(request.settings), request.bakeries]
    content += [dict(request.job)] if request.job else []
    content += [request.priority] if request.priority else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
