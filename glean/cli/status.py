"""`glean status`: how the service, its members and its runs stand, also between runs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.database_option import DatabaseOption
from glean.cli.errors import friendly_errors
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.service.membership.member_states import MemberStanding
    from glean.service.service_status import ServiceStatus

WORDS = {
    "joined": "joined",
    "waiting": "invited",
    "missing": "missing",
    "left": "has left",
    "shut_out": "shut out",
}


@friendly_errors()
def status(
    results: Annotated[
        Path, typer.Option(help="Folder of the run folders, as `glean serve` has it.")
    ] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
    database: DatabaseOption = "",
) -> None:
    """Say whether the service runs, which members were heard of when, and what runs there are."""
    from glean.service.service_status import service_status
    from glean.service.settings import ServiceSettings

    found = service_status(ServiceSettings(results=absolute_path(results), database=database))
    if as_json:
        typer.echo(json.dumps(found.content(), indent=2, ensure_ascii=False))
        return
    for line in (*_service_line(found), *_member_lines(found), *_run_lines(found)):
        typer.echo(line)


def _service_line(found: ServiceStatus) -> Iterable[str]:
    serving, superlink = found.serving, found.superlink
    if serving.running:
        yield f"service: runs at {serving.address} since {_moment(serving.since)}"
    else:
        yield "service: doesn't run"
    facts = found.federation
    if facts is not None:
        yield f"federation: {facts.name}; bakeries reach it at {facts.address}"
    if superlink:
        problem = f" ({superlink['problem']})" if superlink.get("problem") else ""
        yield f"SuperLink: {superlink.get('phase', 'not known')}{problem}"


def _member_lines(found: ServiceStatus) -> Iterable[str]:
    if found.federation is None:
        return
    yield f"members: {len(found.members) or 'nobody yet'}"
    width = max((len(one.name) for one in found.members), default=0)
    for one in found.members:
        yield f"  {one.name:{width}}  {WORDS[one.state]:8}  {_last_heard(one)}".rstrip()


def _last_heard(one: MemberStanding) -> str:
    if one.state == "waiting" and one.invitation is not None:
        return f"until {_moment(one.invitation.expires_at)}"
    if one.state == "left":
        return ""
    if one.last_heard is None:
        return "never heard of"
    return f"last heard {_moment(one.last_heard.isoformat())}"


def _run_lines(found: ServiceStatus) -> Iterable[str]:
    yield f"runs: {'the last' if found.runs else 'none yet'}"
    for run in found.runs:
        why = f": {run.reason.splitlines()[0]}" if run.reason else ""
        yield f"  {run.folder.name}  {run.status}{why}"


def _moment(text: str) -> str:
    """Write a time of day as people here read it; what is none stays as it is."""
    try:
        return dt.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text
