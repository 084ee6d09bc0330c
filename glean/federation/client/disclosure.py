"""What a bakery's reply tells the server, in plain words for the bakery's own log."""

from __future__ import annotations

import json
from dataclasses import astuple

from glean.federation.wire.messages import ClientInfo, EvaluateReply, FinalReply, TrainReply
from glean.federation.wire.sum_messages import KeyReply, SumReply, UnmaskResult
from glean.federation.wire.sum_request import (
    ERROR_COUNTS,
    FINAL,
    HISTOGRAMS,
    LEAVES,
    MOMENTS,
    SCORES,
    TOTALS,
    WEIGHTS,
    SumRequest,
)
from glean.learning.forest import Forest
from glean.metrics import ErrorSums

Reply = ClientInfo | TrainReply | EvaluateReply | FinalReply | SumReply | KeyReply | UnmaskResult

KEPT = "sales rows, days, products, levels, file names as such"
_NOTHING_NEW = "nothing but that this bakery doesn't hold the model so far, which it now gets"


_PARTS = {
    TOTALS: "the number of its training rows and the sum of their levels",
    SCORES: "the sums of errors over its validation window",
    FINAL: "its results on the test window",
    MOMENTS: "five sums of forecasts and of errors over its validation window",
    ERROR_COUNTS: "how many errors of its validation window are how large, in public steps",
    WEIGHTS: "the model's weights after training here, times its training weight",
    LEAVES: "its gradient and hessian sums of each leaf",
    HISTOGRAMS: "its gradient and hessian sums of each public bin",
}


def disclosed(reply: Reply, *, round_number: str, orders: SumRequest | None = None) -> str:
    """Say what leaves the shop with a reply, and what doesn't.

    Parameters
    ----------
    reply : a message of a bakery
        What is about to be sent.
    round_number : str
        The round that the server asked in; "0" or "" before the first.
    orders : SumRequest, optional
        What a `SumReply` answers.
    """
    when = f" in round {round_number}" if round_number.strip("0") else ""
    if isinstance(reply, FinalReply):
        when = " after the last round"
    content = _step(reply, orders) if isinstance(reply, SumReply) and orders else _content(reply)
    return f"to the server{when}: {content}; not: {KEPT}"


def _content(reply: Reply) -> str:
    match reply:
        case ClientInfo():
            return _introduction(reply)
        case TrainReply(lacks_model=True) | EvaluateReply(lacks_model=True) | SumReply():
            return _NOTHING_NEW
        case KeyReply():
            return "the public half of a key for the masks of this run"
        case UnmaskResult():
            return (
                "this bakery's share of the others' masks, with which the server opens the sum of "
                "the last step; that can still tell of a single bakery"
            )
        case TrainReply():
            return (
                f"{_learned(reply)}, the training weight {reply.weight:,.0f}, "
                f"rounded to two digits, and that it learned on {reply.device}"
            )
        case EvaluateReply():
            return _sums(reply.sums)
        case FinalReply():
            return _final(reply)


def _introduction(reply: ClientInfo) -> str:
    enough = "enough" if reply.trains else "too few"
    long = "long enough" if reply.knows_season else "too short"
    note = f", the note {reply.note!r}" if reply.note else ""
    return (
        f"the name {reply.bakery!r}, the version of the code here ({reply.code}), "
        f"that there are {enough} trading days to learn from and that "
        f"they are {long} a time to learn the season from{note}"
    )


def _learned(reply: TrainReply) -> str:
    return f"{_trees(reply.model)}, with leaf values"


def _trees(content: bytes) -> str:
    count = Forest.from_bytes(content).tree_count
    trees = "1 new tree" if count == 1 else f"{count} new trees"
    return f"{trees} ({len(content) / 1000:.1f} kB: public bin edges to split at)"


def _step(reply: SumReply, orders: SumRequest) -> str:
    if reply.lacks_model or reply.lacks_keys:
        return _NOTHING_NEW
    told = [_sums(reply.sums)] if reply.sums else []
    if reply.proposal:
        told.append(f"{_trees(reply.proposal)}, without any value in its leaves")
        told.append(f"that it learned on {reply.device}")
    filled = ", ".join(_PARTS[part] for part in orders.contributes) or "zeros"
    if reply.vector and orders.masked:
        told.append(
            f"{len(reply.vector) / 1000:.1f} kB that look like chance to everybody until they are "
            f"added to the other bakeries' ({filled}); the server reads the sum, which can still "
            "tell of a single bakery, and can read more if it breaks the rules (docs/privacy.md)"
        )
    elif reply.vector:
        told.append(f"{filled}, unmasked: the server reads it as it is")
    return "; ".join(told)


def _sums(values: tuple[float, ...]) -> str:
    sums = ErrorSums(*values)
    numbers = ", ".join(f"{value:,.6g}" for value in astuple(sums)[2:])
    return (
        f"sums over the validation window: {sums.rows:,.0f} forecasts, {sums.units:,.6g} units "
        f"sold in all, and {len(astuple(sums)) - 2} sums of their errors ({numbers})"
    )


def _final(reply: FinalReply) -> str:
    if not reply.rows:
        return (
            "that it has judged the final model; the results leave only as part of a sum over all"
        )
    rows = json.loads(reply.rows)
    first = rows[0]
    errors = ", ".join(f"{row['method']} {row['abs_error']:,.6g}" for row in rows)
    return (
        f"totals of the test window: {first['n_days']} days, {first['n_rows']} forecasts, "
        f"{first['units']:,.6g} units sold in all, each method's error in units ({errors}) and "
        "the measures of accuracy made of it"
    )
