"""The report on who was in which rounds, where not all were in each: how often, how evenly."""

from __future__ import annotations

from glean.evaluation.pages import html
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import Worded
from glean.runs.participation import Participation

_MOST_CLIENTS = 500

_EACH = Worded(translatable("Every bakery"), translatable("Every client"))
_ONE = Worded(translatable("bakery"), translatable("client"))


def participation_section(found: Participation | None, language: Language) -> str:
    """Say how evenly clients took part, with a row for each; "" where all were in each round.

    Parameters
    ----------
    found : Participation or None
        Who took part.
    language : Language
        Of the page.
    """
    if found is None:
        return ""
    _ = language.translate
    even = _(
        "{rounds} rounds were made of {updates} updates. How evenly all took part, Jain's index "
        "says with {index}: 1 where all are in as many rounds, {least} where one alone is in any.",
        rounds=language.number(found.rounds),
        updates=language.number(found.updates),
        index=language.number(found.jain, 2),
        least=language.number(1 / len(found.clients), 2),
    )
    return html.section(
        _("Who took part"),
        [
            html.paragraph(even),
            html.paragraph(_staleness(found, language)),
            html.folded(_(_EACH), _table(found, language)),
        ],
    )


def _staleness(found: Participation, language: Language) -> str:
    if not found.mean_staleness:
        return ""
    return language.translate(
        "An update began {mean} rounds before the one that it is in, on average, and {most} at "
        "most: so much the model had gone on without it.",
        mean=language.number(found.mean_staleness, 1),
        most=language.number(found.clients["max_staleness"].max()),
    )


def _table(found: Participation, language: Language) -> str:
    _ = language.translate
    heads = [_(_ONE), _("rounds"), _("share of rounds"), _("rounds old, mean"), _("at most")]
    shown = found.clients.sort_values("rounds", kind="stable").head(_MOST_CLIENTS)
    rows = [
        [
            str(name),
            language.number(row["rounds"]),
            language.percent(row["rounds"] / found.rounds),
            language.number(row["mean_staleness"], 1),
            language.number(row["max_staleness"]),
        ]
        for name, row in zip(shown.index, shown.to_dict("records"), strict=True)
    ]
    return html.table(_("Those in the fewest rounds first."), heads, rows)
