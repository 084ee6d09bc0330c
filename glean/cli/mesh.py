"""`glean mesh`: bakeries that reach each other without a server between them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glean.cli.errors import friendly_errors
from glean.cli.mesh_runs import Home, cancel, run_lines, serve, train
from glean.cli.typed_language import LanguageOption, language_of
from glean.errors import SettingsError

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.mesh.mesh_invitation import MeshInvitation

app = typer.Typer(
    name="mesh",
    help="Bakeries without a server between them: peers that know each other's keys.",
    no_args_is_help=True,
)

Listen = Annotated[
    str, typer.Option(metavar="HOST:PORT", help="Where it listens; by default 0.0.0.0:7700.")
]
Address = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST:PORT",
        help="How others reach it; may be repeated. By default this machine's address on its "
        "network, and the port that it listens at.",
    ),
]
Key = Annotated[
    Literal["ed25519", "rsa-2048"], typer.Option(help="Kind of the key that it signs with.")
]


@app.command()
@friendly_errors()
def init(
    name: Annotated[str, typer.Argument(help="The bakery's name, as all members will see it.")],
    title: Annotated[str, typer.Option("--mesh", help="What the mesh is called.")] = "",
    home: Home = None,
    listen: Listen = "",
    address: Address = None,
    key: Key = "ed25519",
    accept_rsa: Annotated[
        bool, typer.Option("--accept-rsa", help="Members may sign by RSA keys, too.")
    ] = False,
    language: LanguageOption = "en",
) -> None:
    """Found a mesh, of which this bakery is the first member."""
    from glean.mesh.peer_homes import found_home, listening_of

    speaks = language_of(language)
    made = found_home(
        home, name, title or f"Mesh of {name}", listening_of(listen, address or ()),
        key=key, rsa_accepted=accept_rsa or key == "rsa-2048",
    )  # fmt: skip
    facts = made.facts()
    typer.echo(
        speaks.translate(
            "{name} has founded the mesh {mesh}. All that it needs is in {home}",
            name=facts.name,
            mesh=facts.title,
            home=made.path,
        )
    )
    typer.echo(
        speaks.translate(
            "Others reach it at {addresses} while it runs: {command}",
            addresses=", ".join(facts.addresses),
            command=f"glean mesh run --home {made.path}",
        )
    )


@app.command()
@friendly_errors()
def invite(
    bakery: Annotated[str, typer.Argument(help="The bakery's name, as all members will see it.")],
    home: Home = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good for.")] = 7,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the link as a QR code there, too.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the invitation that it was sent.")
    ] = False,
    language: LanguageOption = "en",
) -> None:
    """Invite a bakery: a link and a QR code, good once. This peer has to run when it joins."""
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.peer_homes import invite_from, withdraw_from

    speaks, found = language_of(language), mesh_home_of(home)
    if withdraw:
        if not withdraw_from(found, bakery):
            raise SettingsError(f"found no open invitation of {bakery!r}")
        typer.echo(speaks.translate("withdrawn: the invitation of {bakery}", bakery=bakery))
        return
    made = invite_from(found, bakery, days=days)
    typer.echo(made.link)
    _show_invitation(made, svg, speaks)
    if not found.runs:
        typer.echo(
            speaks.translate(
                "{bakery} can join while this peer runs: {command}",
                bakery=bakery,
                command=f"glean mesh run --home {found.path}",
            ),
            err=True,
        )


def _show_invitation(made: MeshInvitation, svg: Path | None, speaks: Language) -> None:
    from glean.cli.invite import in_terminal
    from glean.regular_files import absolute_path
    from glean.web.qr_code import qr_svg, qr_text

    typer.echo(
        "\n"
        + speaks.translate(
            "Typed at {bakery}, until {time}:",
            bakery=made.name,
            time=speaks.moment(_iso(made.expires_at)),
        )
        + f"\n\n    glean mesh join '{made.link}'\n"
    )
    if in_terminal():
        typer.echo(qr_text(made.link))
    if svg is not None:
        path = absolute_path(svg)
        _write_secret(path, qr_svg(made.link))
        typer.echo(speaks.translate("QR code: {path}", path=path))
    typer.echo(
        speaks.translate(
            "Send the link to {bakery} alone. It is good once, and isn't shown again.",
            bakery=made.name,
        ),
        err=True,
    )


@app.command()
@friendly_errors()
def join(
    link: Annotated[str, typer.Argument(help="The link that a member sent.")],
    home: Home = None,
    listen: Listen = "",
    address: Address = None,
    key: Key = "ed25519",
    language: LanguageOption = "en",
) -> None:
    """Join a mesh by an invitation; the member that sent it has to run. Once more does no harm."""
    from glean.mesh.mesh_invitation import read_mesh_invitation
    from glean.mesh.peer_homes import join_from, listening_of

    speaks, invitation = language_of(language), read_mesh_invitation(link)
    listening = listening_of(listen, address or (), towards=invitation.address)
    joined = join_from(home, invitation, listening, key=key)
    facts = joined.facts()
    typer.echo(
        speaks.translate(
            "{name} has joined the mesh {mesh}. All that it needs is in {home}",
            name=facts.name,
            mesh=facts.title,
            home=joined.path,
        )
    )
    typer.echo(
        speaks.translate(
            "It takes part while it runs: {command}",
            command=f"glean mesh run --home {joined.path}",
        )
    )


@app.command()
@friendly_errors()
def leave(home: Home = None, language: LanguageOption = "en") -> None:
    """Leave the mesh: this bakery signs that it does, and the others are told."""
    from glean.cli.signals import ended_by_signals
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.mesh_peer import leave_mesh

    speaks, found = language_of(language), mesh_home_of(home)
    with ended_by_signals():
        told = leave_mesh(found)
    facts = found.facts()
    typer.echo(
        speaks.translate("{name} has left the mesh {mesh}.", name=facts.name, mesh=facts.title)
    )
    if not told:
        typer.echo(
            speaks.translate(
                "Nobody could be told yet; once others can be reached: {command}",
                command=f"glean mesh leave --home {found.path}",
            ),
            err=True,
        )


@app.command()
@friendly_errors()
def status(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same for programs.")] = False,
    language: LanguageOption = "en",
) -> None:
    """Say who is in the mesh, who reaches whom, how its runs stand, and what wasn't taken."""
    from glean.cli.mesh_lines import status_lines
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.mesh_status import mesh_status
    from glean.mesh.runs.run_status import read_statuses

    at, speaks = mesh_home_of(home), language_of(language)
    found, runs = mesh_status(at), read_statuses(at)
    if as_json:
        content = {**found.content(), "federated_runs": [asdict(one) for one in runs]}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    for line in (*status_lines(found, speaks), *run_lines(runs, speaks)):
        typer.echo(line)


app.command()(train)
app.command()(cancel)


@app.command()
@friendly_errors()
def run(
    home: Home = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file of the bakery's node config, to take part in runs: sales."),
    ] = None,
    listen: Listen = "",
    address: Address = None,
    language: LanguageOption = "en",
) -> None:
    """Be a peer of the mesh until Ctrl-C: reach others, pass messages on, let the invited in.

    With --config it takes part in runs, too, with its own table.
    """
    from glean.cli.log_format import tell
    from glean.cli.signals import ended_by_signals
    from glean.mesh.mesh_home import mesh_home_of
    from glean.mesh.mesh_peer import MeshPeer, say_farewell
    from glean.mesh.peer_homes import listen_at, listening_of
    from glean.operations.joining.bakery_node import read_node_config
    from glean.operations.mesh.bakery_config import bakery_config
    from glean.runs.log_lines import log_to

    speaks, found = language_of(language), mesh_home_of(home)
    if listen or address:
        listen_at(found, listening_of(listen, address or ()))
    own = None if config is None else bakery_config(found, read_node_config(config))
    log_to("stderr")
    with ended_by_signals(), found.exclusively(), MeshPeer(found) as peer:
        facts = found.facts()
        tell(
            speaks.translate(
                "{name} runs in the mesh {mesh}, at {listen}",
                name=facts.name,
                mesh=facts.title,
                listen=peer.listening,
            )
        )
        serve(found, peer, own, speaks)
        say_farewell(found, peer)
        tell(
            speaks.translate("{name} has left the mesh {mesh}.", name=facts.name, mesh=facts.title)
        )


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read: who has the link can join."""
    with open(
        path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)
    ) as file:
        file.write(text)


def _iso(at: float) -> str:
    import datetime as dt

    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds")
