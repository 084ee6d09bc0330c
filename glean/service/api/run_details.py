"""What there is of a run, by REST: its events, rounds, log and files."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from glean.operations.running.detached_run import log_of
from glean.service.accounts.access import Parts, Reader
from glean.service.api.file_answers import FILE_PARAMETERS, FILE_RESPONSES, answer_file
from glean.service.api.run_models import RoundTable, RunEvent, RunEvents, RunFile, RunFiles
from glean.service.problems import not_found, responses
from glean.service.runs.event_tail import numbered_events
from glean.service.services import Services

router = APIRouter(
    prefix="/api/v1/runs/{run_id}", tags=["runs"], responses=responses(404, 422, 503)
)

LOG_BYTES = 200_000
"""How much of the end of a log is shown."""


@router.get("/events")
def list_events(
    run_id: str,
    _: Reader,
    services: Parts,
    since: Annotated[int, Query(ge=0, description="Number of the last event seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> RunEvents:
    """Give the events after a number; a WebSocket at `live` gives those to come too."""
    folder = folder_of(services, run_id)
    if folder is None:
        return RunEvents(events=[])
    found = numbered_events(folder / "events.jsonl", since=since, limit=limit)
    return RunEvents(events=[RunEvent(number=number, event=event) for number, event in found])


@router.get("/rounds")
def list_rounds(run_id: str, _: Reader, services: Parts) -> RoundTable:
    """Give the table of rounds."""
    folder = folder_of(services, run_id)
    return RoundTable(rounds=[] if folder is None else _rounds_of(folder / "rounds.csv"))


@router.get("/log", response_class=PlainTextResponse)
def get_log(run_id: str, _: Reader, services: Parts) -> str:
    """Give the end of what the run's process printed; nothing of a run of the command line."""
    folder = services.queue.log_folder(services.queue.find(run_id))
    return "" if folder is None else log_of(folder, most_bytes=LOG_BYTES)


@router.get("/files")
def list_files(run_id: str, _: Reader, services: Parts) -> RunFiles:
    """List all files of a run."""
    folder = folder_of(services, run_id)
    found = {} if folder is None else files_of(folder)
    return RunFiles(files=[_described(name, path) for name, path in found.items()])


@router.get(
    "/files/{name:path}",
    response_class=Response,
    responses=FILE_RESPONSES,
    openapi_extra=FILE_PARAMETERS,
)
def get_file(run_id: str, name: str, _: Reader, services: Parts, request: Request) -> Response:
    """Download a file of a run, whole or a range of it; with an ETag."""
    folder = folder_of(services, run_id)
    # Looked up among the names that there are: no path from outside reaches the disk.
    path = None if folder is None else files_of(folder).get(name)
    if path is None:
        raise not_found(f"file {name[:100]!r} of the run")
    return answer_file(request, path)


def folder_of(services: Services, run_id: str) -> Path | None:
    """Give the folder of a run, None while it has none.

    Raises
    ------
    ProblemError
        There is no such run.
    """
    return services.queue.run_folder(services.queue.find(run_id))


def files_of(folder: Path) -> dict[str, Path]:
    """List the files of a run's folder by their names in it; hidden ones and links are left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if not hidden and not path.is_symlink() and path.is_file():
            found[inside.as_posix()] = path
    return found


def _described(name: str, path: Path) -> RunFile:
    found = path.stat()
    modified = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC).isoformat(timespec="seconds")
    return RunFile(name=name, bytes=found.st_size, modified=modified)


def _rounds_of(path: Path) -> list[dict[str, float | None]]:
    """Read the table; of a damaged one what can be read."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        names, *rows = list(csv.reader(line.replace("\0", "") for line in file)) or [[]]
    return [
        {name: _number(text) for name, text in zip(names, row, strict=False)} for row in rows if row
    ]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None  # JSON knows neither nan nor inf
