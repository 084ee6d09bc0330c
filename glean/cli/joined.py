"""What `glean join` shows: what leaves the shop, the members, and what happens meanwhile."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glean.languages.language import Language
from glean.node_settings import NodeSettings
from glean.operations.joining.joined_home import JoinedHome
from glean.operations.joining.node_status import read_standing
from glean.operations.joining.policy_words import policy_sentences, what_leaves
from glean.operations.joining.preflight import preflight
from glean.operations.joining.supervision import (
    AtWorkError,
    Supervised,
    home_alone,
    last_line,
    supervise,
)
from glean.operations.joining.trusted_members import KnownMember, confirm_members, known_members
from glean.operations.joining.user_service import UserService, run_command
from glean.privacy.invitation import Invitation
from glean.setting_fields import ConfigValue

NODE_LOG, PAGE_LOG = "node.log", "shop.log"

_ADDRESS = re.compile(r"https?://\S+")


def show_checks(
    invitation: Invitation, sales: Path | None, home: Path | None, language: Language
) -> None:
    """Print what a preflight found.

    Raises
    ------
    typer.Exit
        Something isn't right.
    """
    known = JoinedHome(home.expanduser().absolute()) if home else None
    checks = preflight(invitation, sales=sales, home=known, language=language)
    for check in checks:
        mark = {True: "ok", False: "!!", None: "?"}[check.ok]
        typer.echo(f"{mark:>2}  {check.name}: {check.text}")
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


def say_what_leaves(
    sales: Path, policy: Mapping[str, ConfigValue], *, confirms: bool, language: Language
) -> None:
    """Say on one screen what will leave the shop, what won't, and what it refuses."""
    trusted = {"trusted-members": "confirmed"} if confirms else {}
    node = NodeSettings.from_config({"sales": str(sales), **policy, **trusted})
    for sentence in what_leaves(node, language):
        typer.echo(f"\n{sentence}")
    typer.echo("\n" + language.translate("What this bakery's own program keeps to:"))
    for sentence in policy_sentences(node, language):
        typer.echo(f"  - {sentence}")
    typer.echo("")


def ask_to_go_on(language: Language, *, yes: bool) -> None:
    """Ask, where there is somebody to answer.

    Raises
    ------
    typer.Abort
        The answer is no.
    """
    if not yes and sys.stdin.isatty():
        typer.confirm(language.translate("Join?"), default=True, abort=True)


def say_members(home: JoinedHome, language: Language, *, asks: bool) -> None:
    """Show the members; where new ones came, ask whether they count, or say how to confirm them."""
    members = known_members(home.path)
    show_members(members, language)
    waiting = {m.name: m.fingerprint for m in members if m.state in ("new", "key_changed")}
    if not waiting or not home.trusted.exists():
        return
    typer.echo(
        language.translate(
            "Only members count that you have confirmed. Compare their fingerprints with those "
            "bakeries themselves, over the telephone say, not with the operator."
        )
    )
    if asks and typer.confirm(language.translate("Have you, and do they count?"), default=False):
        confirm_members(home.path, waiting)
        return
    command = f"glean members --home {home.path}"
    typer.echo(language.translate("Later: {command}", command=command))


def show_members(members: Iterable[KnownMember], language: Language) -> None:
    """Print members as a table."""
    states = {
        "own": language.translate("this bakery"),
        "confirmed": language.translate("confirmed"),
        "new": language.translate("not confirmed yet"),
        "key_changed": language.translate("has another key than you confirmed"),
        "shut_out": language.translate("shut out"),
    }
    table = Table(box=None, pad_edge=False)
    for name in ("member", "fingerprint", "counts"):
        table.add_column(_heading(name, language), overflow="fold")
    for member in members:
        # As text: a name in brackets would be taken for a colour.
        table.add_row(Text(member.name), member.fingerprint, states[member.state])
    Console().print(table)


@dataclass(frozen=True)
class TakingPart:
    """How a bakery takes part.

    Parameters
    ----------
    page : bool
        Whether its page is shown too.
    language : str
        Of the page and of what is said.
    waits : bool
        Whether it waits where another process is at work in the home, as a service does.
    """

    page: bool = True
    language: str = "en"
    waits: bool = False


def take_part(home: JoinedHome, speaks: Language, way: TakingPart, *, as_service: bool) -> None:
    """Start the node and the page, and keep both going; as a service, have systemd do that."""
    if as_service:
        _start_service(home, speaks, way)
        return

    def wait() -> None:
        typer.echo(
            speaks.translate(
                "Another `glean join` is at work in {home}; this one goes on once it has ended.",
                home=home.path,
            ),
            err=True,
        )

    try:
        with home_alone(home, waits=wait if way.waits else None):
            supervise(
                _children(home, way),
                tell=lambda text: typer.echo(text, err=True),
                each_look=_Announcer(home, speaks).look,
            )
    except AtWorkError as error:
        typer.echo(str(error), err=True)


class _Announcer:
    """Says what changes: the page's address, and how the node stands."""

    def __init__(self, home: JoinedHome, language: Language) -> None:
        self._home = home
        self._language = language
        self._page = ""
        self._standing = ("", "")

    def look(self) -> None:
        """Say what is new."""
        found = _ADDRESS.search(last_line(self._home.path / PAGE_LOG))
        if found and found[0] != self._page:
            self._page = found[0]
            typer.echo(self._language.translate("page: {address}", address=self._page))
        standing = read_standing(self._home.path)
        if (standing.state, standing.text) == self._standing:
            return
        self._standing = (standing.state, standing.text)
        if standing.state != "stopped":
            typer.echo(self._sentence(standing.state, standing.text))

    def _sentence(self, state: str, text: str) -> str:
        if state == "waiting":
            return self._language.translate("waiting for the server: {why}", why=text)
        if text:
            return self._language.translate("refused: {why}", why=text)
        return self._language.translate(
            "connected; what leaves this shop stands in {log}", log=self._home.path / NODE_LOG
        )


def _children(home: JoinedHome, way: TakingPart) -> list[Supervised]:
    facts = home.facts()
    node = [
        "node", facts.address, "--root-certificates", str(home.authority), "--key",
        str(home.node_key), "--config", str(home.config),
    ]  # fmt: skip
    glean = [sys.executable, "-m", "glean"]
    found = [Supervised("node", [*glean, *node], home.path / NODE_LOG, reads=home.config)]
    if way.page:
        shop = ["shop", str(home.path), "--language", way.language]
        found.append(Supervised("page", [*glean, *shop], home.path / PAGE_LOG, reads=home.config))
    return found


def _start_service(home: JoinedHome, language: Language, way: TakingPart) -> None:
    service = UserService(home, run_command, page=way.page, language=way.language)
    lingers = service.start()
    typer.echo(
        language.translate(
            "It goes on as the service {name}: systemctl --user status {name}", name=service.name
        )
    )
    if not lingers:
        typer.echo(
            language.translate(
                "It ends when you log out, until an administrator types: loginctl enable-linger "
                "and this user's name"
            ),
            err=True,
        )


def _heading(name: str, language: Language) -> str:
    match name:
        case "member":
            return language.translate("member")
        case "fingerprint":
            return language.translate("fingerprint")
        case _:
            return language.translate("counts")
