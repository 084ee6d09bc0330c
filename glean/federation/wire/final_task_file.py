"""The task of a run's final test, kept in its folder without the model, which lies there too.

A client that was away for the whole run is given the same once it is back: what the server found
out of its model and the card that went to clients can't be had from any other file.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from glean.errors import ModelError
from glean.federation.wire.messages import FinalTask
from glean.federation.wire.record_form import checked_field

FINAL_TASK_FILE = "final_task.json"

MOST_BYTES = 2**24
"""A card of 10,000 members has about a megabyte; findings and the spec are smaller."""

_MOST_ROUNDS = 2**31

_FORMAT = 1
_ELSEWHERE = ("model", "newcomer")
"""Fields that aren't kept: the model has a file, and only a simulation has newcomers."""

_FIELDS = tuple(field for field in fields(FinalTask) if field.name not in _ELSEWHERE)


def task_to_file(task: FinalTask) -> bytes:
    """Write what a task says of its model; `task_from_file` reads it."""
    told = {field.name: getattr(task, field.name) for field in _FIELDS}
    content = {"format": _FORMAT, **told}
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def task_from_file(content: bytes, model: bytes) -> FinalTask:
    """Make the task anew, for a client with data of its own.

    Parameters
    ----------
    content : bytes
        What `task_to_file` wrote, from a folder that another machine may have sent.
    model : bytes
        The run's final model, whole.

    Raises
    ------
    ModelError
        It is something else, or a field is missing or of the wrong type.
    """
    found = _object(content)
    if found.get("format") != _FORMAT:
        raise ModelError(f"{FINAL_TASK_FILE}: found another form; wanted format {_FORMAT}")
    try:
        told = {f.name: checked_field(f.name, str(f.type), found[f.name]) for f in _FIELDS}
        "".join(value for value in told.values() if isinstance(value, str)).encode()
    except KeyError as error:
        raise ModelError(f"{FINAL_TASK_FILE} lacks {error}") from error
    except UnicodeEncodeError as error:
        raise ModelError(f"{FINAL_TASK_FILE}: found half of a character; wanted text") from error
    if not 0 <= told["round"] < _MOST_ROUNDS:
        raise ModelError(f"{FINAL_TASK_FILE}: found a round beyond any; wanted the last one's")
    return FinalTask(**told, model=model, newcomer=False)


def _object(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise ModelError(
            f"{FINAL_TASK_FILE}: found {len(content):,} bytes; wanted at most {MOST_BYTES:,}"
        )
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{FINAL_TASK_FILE} can't be read as JSON ({error!s:.100})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{FINAL_TASK_FILE}: found no JSON object; wanted one")
    return found
