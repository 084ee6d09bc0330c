"""`glean invite`: a bakery's invitation, on the operator's machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.database_option import DatabaseOption
from glean.cli.errors import friendly_errors
from glean.errors import SettingsError
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.service.settings import ServiceSettings

ACTOR = "glean invite"


@friendly_errors()
def invite(
    bakeries: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BAKERY]...", help="The bakery's name, as all members see it; or several."
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="Folder of the run folders, as `glean serve` has it.")
    ] = Path("results"),
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good for.")] = 7,
    replace: Annotated[
        bool, typer.Option("--replace", help="For a member that lost its key: give it a new one.")
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the invitation that it was sent.")
    ] = False,
    member: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="In place of a name: member.json of a bakery that runs Flower's own node; it is "
            "taken in at once.",
        ),
    ] = None,
    database: DatabaseOption = "",
) -> None:
    """Invite bakeries: of each a link, a command to type there, and a QR code.

    A link is good once, for its bakery, and is shown this once: only a hash of its secret is kept.
    An earlier one that is still open is withdrawn.
    """
    from glean.service.settings import ServiceSettings

    if withdraw and replace:
        raise SettingsError("--withdraw and --replace don't go together: one ends an invitation")
    settings = ServiceSettings(results=absolute_path(results), database=database)
    if member is not None:
        _take_in(settings, member)
        return
    if not bakeries:
        raise SettingsError("found no name; wanted that of the bakery, as all members will see it")
    for bakery in bakeries:
        if withdraw:
            _withdraw(settings, bakery)
        else:
            _invite(settings, bakery, days=days, replace=replace)
    if not withdraw:
        typer.echo(
            "Send a link to its bakery alone. It is good once, and isn't shown again.", err=True
        )


def _withdraw(settings: ServiceSettings, bakery: str) -> None:
    from glean.service.membership.operator_access import operator_access

    with operator_access(settings) as access:
        if not access.invitations.withdraw_of(bakery):
            raise SettingsError(f"found no open invitation of {bakery!r}")
        access.audit_log.note(ACTOR, "invitation.withdraw", detail=bakery)
    typer.echo(f"withdrawn: the invitation of {bakery}")


def _invite(settings: ServiceSettings, bakery: str, *, days: int, replace: bool) -> None:
    from glean.service.membership.inviting import invite as make
    from glean.service.membership.operator_access import operator_access

    with operator_access(settings) as access:
        made = make(access.members, access.invitations, bakery, days=days, replaces_key=replace)
        access.audit_log.note(ACTOR, "invitation.create", made.row.id, detail=bakery)
    typer.echo(made.link)
    typer.echo(f"\nTyped at {bakery}, until {made.row.expires_at[:16].replace('T', ' ')} UTC:\n")
    typer.echo(f"    {made.command}\n")
    if in_terminal():
        from glean.web.qr_code import qr_text

        typer.echo(qr_text(made.link))
    if replace:
        typer.echo("It gives this member a new key; the others are shown that, and confirm it.")


def _take_in(settings: ServiceSettings, path: Path) -> None:
    from glean.privacy.own_keys import read_public_halves
    from glean.service.membership.operator_access import operator_access

    found = read_public_halves(path)
    with operator_access(settings) as access:
        access.members.add(found, by_invitation=False)
        access.audit_log.note(ACTOR, "member.add", found.bakery)
    typer.echo(f"taken in: {found.bakery}, with Flower's own node")


def in_terminal() -> bool:
    """Whether somebody looks at what is printed."""
    return sys.stdout.isatty()
