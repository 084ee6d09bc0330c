"""What log lines are about: the run, bakery, round, request or worker of the moment, as fields.

Code says it once, around what it does, and every line logged within carries it; also of libraries.
Lines of plain text pass it over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

FIELDS = {
    "time": "when it was logged, UTC, like `2026-05-01T12:00:00.000000Z`",
    "level": "`info`, `warning`, `error` or `critical`",
    "logger": "who logs: `glean`, `glean.service`, `glean.cli` or a library",
    "event": "what happened, a sentence in English",
    "exception": "the traceback, where there is one; its lines are parted by `\\n`",
    "thread_name": "which thread ended by an error that nobody caught",
    "run": "id of the run",
    "round": "number of the round, from 1",
    "bakery": "name of the bakery (client)",
    "worker": "name of the worker that runs it",
    "kind": "of an event of a run: what `events.jsonl` calls it; its other fields follow",
    "request": "id of the HTTP request, as its answer's `X-Request-ID` has it",
    "method": "of a request",
    "path": "of a request, without its query",
    "status": "of the answer to a request; of an event how the run ended",
    "seconds": "how long the answer to a request, or a round, took",
    "user": "name of the token that was shown; empty where none was known",
    "token": "prefix of that token, as the page of accounts shows it",  # nosec B105 # a meaning
    "action": "of the audit log: what was done, like `run.create`",
    "subject": "of the audit log: to what",
    "address": "of the audit log: from where",
}
"""Fields of lines, with their meaning; an event of a run has its own besides."""

_of_process: dict[str, Any] = {}
_NONE: Mapping[str, Any] = MappingProxyType({})
_current: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=_NONE)


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Have every line that is logged in the body carry fields, beside those from around it.

    Threads that the body starts don't have them, unless they run in a copy of its context.

    Examples
    --------
    >>> with log_fields(run="8001"), log_fields(round=2):
    ...     current_fields()
    {'run': '8001', 'round': 2}
    """
    before = _current.set({**_current.get(), **fields})
    try:
        yield
    finally:
        _current.reset(before)


def begin_log_fields(**fields: Any) -> None:
    """Have every line carry fields to the end of this task, as of an application's request."""
    _current.set({**_current.get(), **fields})


def add_log_fields(**fields: Any) -> None:
    """Have every line of this process carry fields from now on, whichever thread logs it."""
    _of_process.update(fields)


def current_fields() -> dict[str, Any]:
    """Give the fields of here and now."""
    return {**_of_process, **_current.get()}
