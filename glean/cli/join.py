"""`glean join`, `glean leave`, `glean members`: a bakery's way into a federation, and out of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.cli.typed_language import LanguageOption, language_of
from glean.errors import SettingsError

if TYPE_CHECKING:
    from glean.languages.language import Language
    from glean.operations.joining.joined_home import JoinedHome
    from glean.operations.joining.new_member import Joined
    from glean.operations.joining.owner_choices import OwnerChoices
    from glean.privacy.invitation import Invitation

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of what is kept here; by default ~/glean/ and the bakery's name."),
]


Privacy = Annotated[
    Literal["noise", "sums"] | None,
    typer.Option(
        help="noise (the default): only runs with noise on what leaves; sums: also without."
    ),
]
EpsilonTotal = Annotated[
    float | None,
    typer.Option(
        min=0.0, help="What a day may spend over all runs; 0 (the default): two full runs."
    ),
]
MinContributors = Annotated[
    int | None, typer.Option(min=3, help="No sum of fewer bakeries than this; 5 by default.")
]
ShareScores = Annotated[
    Literal["yes", "no"] | None,
    typer.Option(help="Whether a run may show the operator this bakery's scores; no by default."),
]
Trust = Annotated[
    Literal["confirmed", "operator"] | None,
    typer.Option(
        help="Which members count: those whom you confirm (the default), or all whom the operator "
        "lets in."
    ),
]


@friendly_errors()
def join(
    invitation: Annotated[
        str, typer.Argument(help="The link that the operator sent; none: go on where it joined.")
    ] = "",
    sales: Annotated[
        Path | None, typer.Option(help="The bakery's sales table; it stays on this machine.")
    ] = None,
    home: Home = None,
    privacy: Privacy = None,
    epsilon_total: EpsilonTotal = None,
    min_contributors: MinContributors = None,
    share_scores: ShareScores = None,
    trust: Trust = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether all is ready; nothing is changed.")
    ] = False,
    as_service: Annotated[
        bool,
        typer.Option("--as-service", help="Go on by itself, also after a reboot (systemd)."),
    ] = False,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Whether to show the bakery's page too.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask whether to go on.")] = False,
    waits: Annotated[bool, typer.Option("--wait", hidden=True)] = False,
    language: LanguageOption = "en",
) -> None:
    """Join a federation by an invitation, and take part until Ctrl-C. Once more does no harm.

    Where it has joined already, what is typed besides is written into the home's bakery.toml.

    It makes this bakery's keys here, checks the table, says what will leave the shop and what
    won't, and starts the node and the bakery's page.
    """
    from glean.cli.joined import TakingPart, say_members, show_checks, take_part
    from glean.operations.joining.new_member import joined_by
    from glean.operations.joining.owner_choices import OwnerChoices
    from glean.privacy.invitation import read_invitation

    speaks = language_of(language)
    asked = read_invitation(invitation) if invitation else None
    if check:
        show_checks(_wanted(asked), sales, home, speaks)
        return
    typed = OwnerChoices(sales, privacy, epsilon_total, min_contributors, share_scores, trust)
    joined = _joined_before(home) if asked is None else joined_by(asked, home)
    if joined is not None:
        _apply(joined.home, typed, speaks)
    else:
        joined = _join(_wanted(asked), typed, home, speaks, yes=yes)
    say_members(joined.home, speaks, asks=not yes and sys.stdin.isatty())
    way = TakingPart(page=page, language=language, waits=waits)
    with ended_by_signals():
        take_part(joined.home, speaks, way, as_service=as_service)


def _joined_before(home: Path | None) -> Joined:
    from glean.operations.joining.joined_home import home_of
    from glean.operations.joining.new_member import Joined

    found = home_of(home)
    joined = Joined(found, found.facts())
    if joined.facts.left:
        raise SettingsError(
            f"{joined.facts.bakery!r} has left {joined.facts.federation!r}; wanted the invitation "
            "too, to take part again"
        )
    return joined


def _apply(home: JoinedHome, typed: OwnerChoices, speaks: Language) -> None:
    """Write what was typed into the config of a home that has joined, and say what changes."""
    from glean.operations.joining.owner_choices import apply_choices

    if typed.sales is not None:
        typed = replace(typed, sales=_checked_table(typed.sales, speaks))
    for change in apply_choices(home, typed):
        nothing = speaks.translate("not set")
        typer.echo(
            speaks.translate(
                "{file}, {key}: {now} from now on; it was {before}",
                file=home.config.name,
                key=change.key,
                now=change.now or nothing,
                before=change.before or nothing,
            )
        )


def _join(
    invitation: Invitation,
    typed: OwnerChoices,
    home: Path | None,
    speaks: Language,
    *,
    yes: bool,
) -> Joined:
    from glean.cli.joined import ask_to_go_on, say_what_leaves
    from glean.operations.joining.new_member import join as join_federation

    table, policy, confirms = _checked_table(typed.sales, speaks), typed.policy, typed.confirms
    say_what_leaves(table, policy, confirms=confirms, language=speaks)
    ask_to_go_on(speaks, yes=yes)
    joined = join_federation(invitation, sales=table, policy=policy, confirms=confirms, home=home)
    typer.echo(
        speaks.translate(
            "{bakery} has joined {federation}. All that it needs is in {home}",
            bakery=joined.facts.bakery,
            federation=joined.facts.federation,
            home=joined.home.path,
        )
    )
    return joined


@friendly_errors()
def leave(home: Home = None, language: LanguageOption = "en") -> None:
    """Leave the federation: nothing goes on, the server is told, and the home is kept."""
    from glean.operations.joining.departure import leave as leave_federation
    from glean.operations.joining.joined_home import home_of
    from glean.operations.joining.user_service import UserService, run_command

    speaks = language_of(language)
    found = home_of(home)
    facts = found.facts()
    done = leave_federation(found, UserService(found, run_command))
    typer.echo(
        speaks.translate(
            "{bakery} has left {federation}. Its home {home} is kept: plans go on being made from "
            "it.",
            bakery=facts.bakery,
            federation=facts.federation,
            home=found.path,
        )
    )
    if done.objection:
        typer.echo(
            speaks.translate(
                "The server couldn't be told ({why}); tell the operator.", why=done.objection
            ),
            err=True,
        )


@friendly_errors()
def members(
    home: Home = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", metavar="NAME", help="Counts from now on; may be repeated."),
    ] = None,
    confirm_all: Annotated[
        bool, typer.Option("--confirm-all", help="All whom the server shows count from now on.")
    ] = False,
    distrust: Annotated[
        list[str] | None,
        typer.Option("--distrust", metavar="NAME", help="Doesn't count any more."),
    ] = None,
    language: LanguageOption = "en",
) -> None:
    """Show the federation's members with their fingerprints, and confirm them.

    Compare a fingerprint with that bakery itself, over the telephone say, not with the operator.
    """
    from glean.cli.joined import show_members
    from glean.operations.joining.joined_home import home_of
    from glean.operations.joining.trusted_members import (
        confirm_members,
        distrust_members,
        known_members,
    )

    found = home_of(home).path
    known = known_members(found)
    if confirm_all or confirm:
        wanted = {m.name for m in known if m.state in ("new", "key_changed")} if confirm_all else {}
        fingerprints = {m.name: m.fingerprint for m in known}
        names = {*wanted, *(confirm or ())}
        confirm_members(found, {name: fingerprints.get(name, "") for name in names})
    if distrust:
        distrust_members(found, distrust)
    show_members(known_members(found), language_of(language))


def _wanted(invitation: Invitation | None) -> Invitation:
    if invitation is None:
        raise SettingsError("--check: found no invitation; wanted the link that the operator sent")
    return invitation


def _checked_table(sales: Path | None, language: Language) -> Path:
    """Check the table before the invitation is spent.

    Raises
    ------
    SettingsError
        None was named.
    typer.Exit
        It can't be used; what is wrong was printed.
    """
    from glean.cli.checked import print_check
    from glean.operations.tables.table_check import check_table
    from glean.regular_files import absolute_path

    if sales is None:
        raise SettingsError("found no table; wanted --sales with this bakery's sales, like my.csv")
    found = check_table(sales, language=language)
    if not found.report.usable:
        print_check(found, language)
        raise typer.Exit(1)
    if len(found.report.bakeries) > 1:
        raise SettingsError(
            f"--sales: found {len(found.report.bakeries)} bakeries in {sales}; wanted the table "
            "of this one alone"
        )
    typer.echo(found.verdict)
    return absolute_path(sales)
