"""What a bakery's reply tells the server, in plain words for the bakery's own log."""

from __future__ import annotations

import json
from dataclasses import astuple

from glean.federation.messages import Contribution, FinalScores, Introduction, Score
from glean.learning.averaged import Weights
from glean.learning.forest import Forest
from glean.metrics import ErrorSums

Reply = Introduction | Contribution | Score | FinalScores

KEPT = "sales rows, days, products, levels, file names"
_ZIP_MAGIC = b"PK"
_NOTHING_NEW = "nothing but that this bakery doesn't hold the model so far, which it now gets"


def disclosed(reply: Reply, *, round_number: str) -> str:
    """Say what leaves the shop with a reply, and what doesn't.

    Parameters
    ----------
    reply : Introduction, Contribution, Score or FinalScores
        What is about to be sent.
    round_number : str
        The round that the server asked in; "0" or "" before the first.
    """
    when = f" in round {round_number}" if round_number.strip("0") else ""
    if isinstance(reply, FinalScores):
        when = " after the last round"
    return f"to the server{when}: {_content(reply)}; not: {KEPT}"


def _content(reply: Reply) -> str:
    match reply:
        case Introduction():
            return _introduction(reply)
        case Contribution(lacks_model=True) | Score(lacks_model=True):
            return _NOTHING_NEW
        case Contribution():
            return (
                f"{_learned(reply)}, the training weight {reply.weight:,.0f}, "
                f"rounded to two digits, and that it learned on {reply.device}"
            )
        case Score():
            return _sums(reply)
        case FinalScores():
            return _final(reply)


def _introduction(reply: Introduction) -> str:
    enough = "enough" if reply.trains else "too few"
    long = "long enough" if reply.knows_season else "too short"
    note = f", the note {reply.note!r}" if reply.note else ""
    return (
        f"the name {reply.bakery!r}, the version of the code here ({reply.code}), "
        f"that there are {enough} trading days to learn from and that "
        f"they are {long} a time to learn the season from{note}"
    )


def _learned(reply: Contribution) -> str:
    size = f"{len(reply.model) / 1000:.1f} kB"
    if reply.model.startswith(_ZIP_MAGIC):
        arrays = Weights.from_npz(reply.model).arrays
        count = sum(values.size for values in arrays.values())
        return f"the model's {count:,} weights after training here ({size})"
    count = Forest.from_bytes(reply.model).tree_count
    trees = "1 new tree" if count == 1 else f"{count} new trees"
    return f"{trees} ({size}: public bin edges to split at, and leaf values)"


def _sums(reply: Score) -> str:
    sums = ErrorSums(*reply.sums)
    numbers = ", ".join(f"{value:,.6g}" for value in astuple(sums)[2:])
    return (
        f"sums over the validation window: {sums.rows:,.0f} forecasts, {sums.units:,.6g} units "
        f"sold in all, and {len(astuple(sums)) - 2} sums of their errors ({numbers})"
    )


def _final(reply: FinalScores) -> str:
    rows = json.loads(reply.rows)
    first = rows[0]
    errors = ", ".join(f"{row['method']} {row['abs_error']:,.6g}" for row in rows)
    return (
        f"totals of the test window: {first['n_days']} days, {first['n_rows']} forecasts, "
        f"{first['units']:,.6g} units sold in all, each method's error in units ({errors}) and "
        "the measures of accuracy made of it"
    )
