"""What is asked for, kept once: the same under the same idempotency key is no second run."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from http import HTTPStatus
from pathlib import Path

from sqlalchemy.orm import Session

from glean.errors import FederationError
from glean.operations.running.run_request import RunRequest
from glean.service.problems import ProblemError
from glean.service.store.tables import IdempotencyRow, RunRow


def new_id(key: str, actor: str) -> str:
    """Make a run's id; under an idempotency key always the same.

    So that there is one run, too, where the database was lost over the answer and its request was
    found on disk.
    """
    if not key:
        return f"r{secrets.token_hex(8)}"
    return f"r{hashlib.sha256(json.dumps([key, actor]).encode()).hexdigest()[:16]}"


def made_before(session: Session, key: str, actor: str, digest: str) -> RunRow | None:
    """Find what was asked for under an idempotency key before; None where nothing was.

    Raises
    ------
    ProblemError
        Another request had the key, or its run was deleted.
    """
    if not key:
        return None
    before = session.get(IdempotencyRow, (key, actor))
    if before is None:
        return _found_on_disk(session, new_id(key, actor), digest)
    if before.request_hash != digest:
        raise _other_request()
    made = session.get(RunRow, before.made)
    if made is None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "the run that was asked for under this Idempotency-Key was deleted; wanted a new key",
        )
    return made


def _found_on_disk(session: Session, run_id: str, digest: str) -> RunRow | None:
    """Find a run whose request was kept, and its key wasn't."""
    made = session.get(RunRow, run_id)
    if made is not None and digest_of(RunRequest.of(made.request)) != digest:
        raise _other_request()
    return made


def _other_request() -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "this Idempotency-Key was sent with another request before; wanted a new key",
    )


def write_request(request: RunRequest, folder: Path) -> None:
    """Keep a request on disk, unless it is there.

    Raises
    ------
    ProblemError
        There is no room, or another one is there that was sent under the same key.
    """
    try:
        if not _is_kept(request, folder):
            request.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ProblemError(
            HTTPStatus.INSUFFICIENT_STORAGE, f"the run can't be kept: {error.strerror}"
        ) from error


def _is_kept(request: RunRequest, folder: Path) -> bool:
    """Whether it is there, as the database didn't keep it; one that was written by half goes."""
    if not folder.exists():
        return False
    try:
        there = RunRequest.read(folder)
    except FederationError:
        shutil.rmtree(folder)
        return False
    if digest_of(there) != digest_of(request):
        raise _other_request()
    return True


def digest_of(request: RunRequest) -> str:
    """Tell one request from another."""
    content = [request.engine, request.connection, dict(request.settings), request.bakeries]
    content += [dict(request.job)] if request.job else []
    content += [request.priority] if request.priority else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
