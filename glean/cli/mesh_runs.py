"""Runs on a mesh, as they are typed: `glean mesh train`, `cancel`, and what is shown of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.typed_language import LanguageOption, language_of
from glean.errors import SettingsError

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.mesh.mesh_home import MeshHome
    from glean.mesh.mesh_peer import MeshPeer
    from glean.mesh.runs.run_status import RunStatus
    from glean.settings import ConfigValue

RUN_FAILED = 1
POLL_S = 0.5
_LEASE_S = 15.0
_FEWEST_DIGITS = 4

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the peer; by default ~/glean-mesh/ and the bakery's name."),
]


@friendly_errors()
def train(
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated."),
    ] = None,
    home: Home = None,
    lease: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="After so long without a word of the run's coordinator another peer takes over.",
        ),
    ] = _LEASE_S,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Propose it, and don't follow it to its end.")
    ] = False,
    language: LanguageOption = "en",
) -> None:
    """Propose a run to all members of the mesh, and follow it. This peer has to run.

    Exit codes: 0 completed (or proposed, with --no-wait), 1 failed or cancelled, 2 not a run that
    can be proposed, 130 no longer followed.
    """
    from glean.cli.signals import ended_by_signals
    from glean.cli.typed_settings import typed_settings
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.peer_homes import open_store
    from glean.mesh.runs.run_requests import request_run
    from glean.operations.mesh.plan_config import plan_config

    speaks, found = language_of(language), mesh_home_of(home)
    members = len(open_store(found).membership.view.members)
    config = plan_config(typed_settings(set_ or []), members=members)
    _check_runs(found)
    key = request_run(found, config, lease)
    typer.echo(speaks.translate("proposed to all members: run {key}", key=key))
    if no_wait:
        return
    with ended_by_signals():
        try:
            ended = _followed(found, key, int(str(config["num-server-rounds"])), speaks)
        except KeyboardInterrupt:
            _say_that_it_goes_on(found, key, speaks)
            raise
    if ended is None:
        _say_that_it_goes_on(found, key, speaks)
        raise typer.Exit(RUN_FAILED)
    _show_end(ended, speaks)


@friendly_errors()
def cancel(
    run: Annotated[str, typer.Argument(help="The run, or how it begins: `glean mesh status`.")],
    home: Home = None,
    language: LanguageOption = "en",
) -> None:
    """End a run for all members; only who proposed it can, while this peer runs."""
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.runs.run_requests import request_cancel
    from glean.mesh.runs.run_status import read_statuses

    speaks, found = language_of(language), mesh_home_of(home)
    status = _meant(run, read_statuses(found))
    own = found.facts().name
    if status.over:
        raise SettingsError(f"run {status.key}: found {status.state}; wanted one that goes on")
    if status.proposer != own:
        raise SettingsError(
            f"run {status.key}: found {status.proposer!r} who proposed it; wanted {own!r}: nobody "
            "else can cancel it"
        )
    _check_runs(found)
    request_cancel(found, status.key)
    typer.echo(speaks.translate("the run {key} is cancelled for all members", key=status.key))


def serve(
    home: MeshHome, peer: MeshPeer, config: Mapping[str, ConfigValue] | None, speaks: Language
) -> None:
    """Let a peer that runs take part in runs until it has left the mesh."""
    from glean.cli.log_format import tell
    from glean.operations.mesh.peer_at_work import PeerAtWork

    if config is not None:
        data = config.get("sales") or config.get("images", "")
        tell(speaks.translate("it takes part in runs: {data}", data=data))
    with PeerAtWork(home, peer, config) as work:
        work.serve()


def run_lines(statuses: Sequence[RunStatus], speaks: Language) -> Iterator[str]:
    """Say how the runs of a mesh stand, the oldest first."""
    if statuses:
        yield speaks.translate("runs:")
    for status in statuses:
        yield f"  {status.key}  " + ", ".join(_facts(status, speaks))


def _facts(status: RunStatus, speaks: Language) -> Iterator[str]:
    yield _state(status, speaks)
    if not status.over and status.coordinator:
        yield speaks.translate("coordinated by {name}", name=status.coordinator)
    if status.round:
        yield speaks.translate("rounds done: {count}", count=speaks.number(status.round))
    if status.reason:
        yield status.reason
    if not status.over:
        yield speaks.translate(
            "heard of: {present} of {all}",
            present=speaks.number(len(status.present)),
            all=speaks.number(len(status.participants)),
        )
    elif status.folder:
        yield status.folder


def _state(status: RunStatus, speaks: Language) -> str:
    words = {
        "waiting": speaks.translate("waits"),
        "training": speaks.translate("is trained"),
        "completed": speaks.translate("completed"),
        "failed": speaks.translate("failed"),
        "cancelled": speaks.translate("cancelled"),
        "refused": speaks.translate("refused"),
    }
    return words.get(status.state, status.state)


def _check_runs(home: MeshHome) -> None:
    if not home.runs:
        raise SettingsError(
            f"{home.path}: found no peer that runs from there; wanted one, as in another terminal: "
            f"glean mesh run --home {home.path} --config FILE"
        )


def _meant(typed: str, statuses: Sequence[RunStatus]) -> RunStatus:
    found = [one for one in statuses if one.key.startswith(typed)]
    if len(found) != 1 or len(typed) < _FEWEST_DIGITS:
        known = ", ".join(one.key for one in statuses) or "none"
        raise SettingsError(
            f"run: found {typed!r}; wanted one of {known}, or {_FEWEST_DIGITS} digits and more "
            "that only one begins with"
        )
    return found[0]


def _followed(home: MeshHome, key: str, rounds: int, speaks: Language) -> RunStatus | None:
    """Say what changes until a run is over; None where the peer has ended before."""
    from glean.cli.log_format import tell
    from glean.mesh.runs.run_home import run_home
    from glean.mesh.runs.run_status import read_status

    said = ""
    while True:
        runs, status = home.runs, read_status(run_home(home, key))
        if status is not None:
            if status.over:
                return status
            words = _progress(status, rounds, speaks)
            if words != said:
                tell(words)
                said = words
        if not runs:
            return None
        time.sleep(POLL_S)


def _progress(status: RunStatus, rounds: int, speaks: Language) -> str:
    if status.state != "training" or not status.coordinator:
        return ": ".join(filter(None, (_state(status, speaks), status.reason)))
    return speaks.translate(
        "round {number} of {rounds}, coordinated by {name}",
        number=speaks.number(status.round),
        rounds=speaks.number(rounds),
        name=status.coordinator,
    )


def _show_end(status: RunStatus, speaks: Language) -> None:
    if status.state == "completed":
        from glean.cli.report import show_results

        show_results(Path(status.folder), speaks)
        return
    typer.echo(
        speaks.translate(
            "the run has ended: {state}",
            state=": ".join(filter(None, (_state(status, speaks), status.reason))),
        ),
        err=True,
    )
    raise typer.Exit(RUN_FAILED)


def _say_that_it_goes_on(home: MeshHome, key: str, speaks: Language) -> None:
    for words, command in (
        (speaks.translate("The run goes on among the others. How it stands:"), "status"),
        (speaks.translate("To end it for all:"), f"cancel {key}"),
    ):
        typer.echo(f"{words} glean mesh {command} --home {home.path}", err=True)
