"""The page of an audit, in plain words; and its gist in a few sentences."""

from __future__ import annotations

from collections.abc import Iterator

from glean.audit.claims import TOLERANCE
from glean.audit.finding import Finding, Interval
from glean.audit.membership import MOST_DAYS
from glean.audit.reconstruction import MEMBER, SERVER
from glean.audit.report import Audit
from glean.evaluation.pages import html

TITLE = "What could be read in this run"

_WORDS = (
    (
        "product-day",
        "One product of one bakery on one day that the model learned from. It counts as recovered "
        f"where an attacker names its level and its units, both within {TOLERANCE:.0%}, and a leaf "
        "that it falls into.",
    ),
    ("level", "What a product usually sells on such a weekday, by its last sales."),
    (
        "by chance",
        "The same attack, in the same words, on a run that the bakery took no part in (or, of "
        "differences, where another bakery was missing). What is right there is right by accident.",
    ),
    (
        "more than chance",
        "Whether what the attack recovers only with the bakery there outweighs what it recovers "
        "only without, by McNemar's exact test at 95%.",
    ),
    (
        "thin leaves",
        "The server takes each leaf that was opened for that of a single row: its two sums are "
        "that row's level and units, exactly in the first round, nearly in later ones.",
    ),
    (
        "two runs, one without the bakery",
        "The server runs the job again without one bakery and subtracts: what is left is that "
        "bakery's.",
    ),
    (
        "totals of two such runs",
        "The same of what all sums are relative to: how many rows all have, and the sum of their "
        "levels.",
    ),
    (
        "a run resumed without the bakery",
        "The same after a first round with all of them.",
    ),
    (
        "least squares",
        "Each opened sum is an equation about rows. The attacker is even given which leaf each row "
        "of each bakery reaches, and solves for levels and units. A server has to guess the "
        "former, so it gets less.",
    ),
    (
        "leaf values of the model",
        "What a member has: a leaf's value says how its rows' units relate to their levels; it "
        "takes the level to be the mean one.",
    ),
)


def audit_page(audit: Audit) -> str:
    """Lay an audit out as a page."""
    gist = [html.paragraph(text, kind="headline") for text in gist_of(audit)]
    return html.whole_page(
        f"{TITLE}: {audit.run.name}",
        [
            *gist,
            html.section("Whose messages these are", [html.paragraph(_origin(audit))]),
            html.section("What the server could read", [_table(audit, SERVER), _cells(audit)]),
            html.section("What a member could read", [_table(audit, MEMBER), _members(audit)]),
            html.section("Whether a day took part", [html.paragraph(t) for t in _days(audit)]),
            html.section("What this doesn't say", [html.bullets(_limits(audit))]),
            html.section("Words", [html.definitions(_WORDS)]),
        ],
    )


def gist_of(audit: Audit) -> list[str]:
    """Give what an audit comes to, in a few sentences."""
    worked = [one for one in audit.findings if one.significant]
    failed = [one for one in audit.findings if not one.significant]
    said = [
        f"By {one.attack} the {one.player} reads {one.there:,} of {one.tried:,} ({one.target}); "
        f"{one.not_there:,} by chance."
        for one in worked
    ]
    if failed:
        names = ", ".join(f"{one.attack} ({one.player})" for one in failed)
        said.append(f"No more than chance: {names}.")
    return [*said, *_days(audit)]


def _origin(audit: Audit) -> str:
    attacked = ", ".join(audit.victims)
    said = (
        "A run's folder holds no messages. So the training was run once more with the same "
        "settings and seed, in one process, and everything that travelled was kept. "
    )
    if audit.same_model:
        said += "Its model has the bytes of this run's: these are the sums that were opened then. "
    else:
        said += (
            "Noise is never drawn twice alike: these are the trees of this run, and other noise. "
        )
    return f"{said}Attacked were {attacked}: those with the fewest rows, five at most."


def _table(audit: Audit, player: str) -> str:
    rows = [_row(one) for one in audit.findings if one.player == player]
    if not rows:
        return html.paragraph("Nothing was summed by leaf, and no attack of this kind is there.")
    heads = ("attack", "wanted", "recovered", "by chance", "more than chance")
    return html.table("Each with its 95% interval (Wilson)", heads, rows) + html.bullets(
        f"{one.attack}: {one.note}" for one in audit.findings if one.player == player and one.note
    )


def _row(one: Finding) -> tuple[str, ...]:
    return (
        one.attack,
        one.target,
        f"{one.there:,} of {one.tried:,} ({_share(one.interval)})",
        f"{one.not_there:,} ({_share(one.chance_interval)})",
        "yes" if one.significant else "no",
    )


def _share(interval: Interval) -> str:
    low, high = interval
    return f"{low:.2%} to {high:.2%}"


def _cells(audit: Audit) -> str:
    found = audit.cells
    if not found.cells:
        return ""
    kind = "leaf sums" if found.single_rows >= 0 else "cells of histograms"
    said = (
        f"Of {found.cells:,} {kind} that rows reach, {found.alone:,} "
        f"({found.alone / found.cells:.1%}) hold rows of one bakery alone"
    )
    if found.single_rows >= 0:
        said += f", {found.single_rows:,} a single row"
    said += f". In the thinnest the rows are of {found.fewest}."
    if audit.settings.noise.wanted:
        said += " They carry noise, so that this doesn't show."
    return html.paragraph(f"{said} This is counted from inside; the server isn't told.")


def _members(audit: Audit) -> str:
    return html.paragraph(
        "A member is sent the models, and which trees to sum by. Both follow from what the server "
        "opened, so nothing that a member works out goes beyond what the server can."
        if audit.membership is not None
        else ""
    )


def _days(audit: Audit) -> list[str]:
    found = audit.membership
    if found is None:
        return []
    low, high = found.interval
    said = (
        f"Told whether a bakery's day took part, by an attacker that knows every other row: AUC "
        f"{found.auc:.3f} (95%: {low:.3f} to {high:.3f}; 0.5 is guessing) over {found.days} days."
    )
    if not audit.settings.noise.wanted:
        return [said]
    return [
        said,
        f"By the epsilon of this run ({audit.settings.noise.epsilon:g}) no attack on a day of "
        f"training records gets beyond {audit.best_area:.3f}.",
    ]


def _limits(audit: Audit) -> Iterator[str]:
    yield "What no attack here got, another may get: these are a lower bound of what is told."
    yield (
        "A simulation protects nobody, since all tables are the operator's. The attacks show what "
        "a deployment would tell its server where that opens the same sums; there scores are "
        "hidden and min-contributors is 5, unless set otherwise."
    )
    if audit.membership is not None:
        yield (
            f"Days are drawn, {MOST_DAYS} at most over the bakeries attacked; each is in or out by "
            "a coin in a release made anew with the run's trees."
        )
    if audit.cells.single_rows < 0:
        yield "On histograms no attack on product-days is built: cells are only counted."
