"""What a client's reply tells the server, in plain words for the client's own log."""

from __future__ import annotations

import json

from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    JobReply,
    TrainReply,
)
from glean.federation.wire.sum_messages import KeyReply, SumReply, UnmaskResult
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
    FINAL,
    HISTOGRAMS,
    LEAF_GRADIENTS,
    LEAVES,
    PRESENCE,
    QUANTISED_STEPS,
    SCORES,
    TOTALS,
    WEIGHT_STEPS,
    WEIGHTS,
    WHOLE,
    SumRequest,
)
from glean.federation.workload.protocols import Wording
from glean.languages.vocabulary import BAKERIES, Vocabulary
from glean.learning.forest import Forest

Reply = (
    ClientInfo
    | TrainReply
    | JobReply
    | EvaluateReply
    | FinalReply
    | SumReply
    | KeyReply
    | UnmaskResult
)

_NOTHING_NEW = "nothing but that this {one} doesn't hold the model so far, which it now gets"

_PARTS = {
    TOTALS: "the number of its training rows and the sum of their levels",
    SCORES: "the sums of errors over its validation window",
    FINAL: "its results on the test window",
    WEIGHT_STEPS: "what training here changed in the model's weights, times its training weight",
    QUANTISED_STEPS: "what training here changed in the model's weights, rounded to a few bits",
    WEIGHTS: "the model's weights after training here, times its training weight",
    CLIENT_STEPS: "what training here changed in the model's weights, cut to a length",
    WHOLE: "that it trains all of the model's weights",
    LEAVES: "its gradient and hessian sums of each leaf",
    LEAF_GRADIENTS: "its gradient sums of each leaf",
    PRESENCE: "in which nodes of the trees it has rows",
    HISTOGRAMS: "its gradient and hessian sums of each public bin",
    DAY_HESSIANS: "the weight of its rows in each leaf of random trees",
    DAY_GRADIENTS: "its clipped gradient sums of each leaf of random trees",
    CLIPPED_SCORE: "one score over its validation window",
    CLIPPED_FINAL: "its scores over its test window",
}


def disclosed(
    reply: Reply,
    wording: Wording,
    *,
    round_number: str,
    request: SumRequest | None = None,
    noised: bool = False,
    vocabulary: Vocabulary = BAKERIES,
) -> str:
    """Say what leaves the shop with a reply, and what doesn't.

    Parameters
    ----------
    reply : a message of a client
        What is about to be sent.
    wording : Wording
        How the workload calls its data.
    round_number : str
        The round that the server asked in; "0" or "" before the first.
    request : SumRequest, optional
        What a `SumReply` answers.
    noised : bool
        Whether the run's sums carry noise.
    vocabulary : Vocabulary
        What those are called who take part.
    """
    when = f" in round {round_number}" if round_number.strip("0") else ""
    if isinstance(reply, FinalReply):
        when = " after the last round"
    if isinstance(reply, SumReply) and request:
        content = _summand(reply, request, wording, vocabulary, noised=noised)
    else:
        content = _content(reply, wording, vocabulary)
    return f"to the server{when}: {content}; not: {wording.kept}"


def _content(reply: Reply, wording: Wording, vocabulary: Vocabulary) -> str:
    match reply:
        case ClientInfo():
            return _info(reply, wording, vocabulary)
        case (
            TrainReply(lacks_model=True)
            | EvaluateReply(lacks_model=True)
            | JobReply(lacks_model=True)
            | SumReply()
        ):
            return _NOTHING_NEW.format(one=vocabulary.one)
        case KeyReply():
            return "the public half of a key for the masks of this run"
        case UnmaskResult():
            return (
                f"this {vocabulary.one}'s share of the others' masks, with which the server opens "
                f"the last sum; that can still tell of a single {vocabulary.one}"
            )
        case TrainReply():
            return (
                f"{_trees(reply.model)}, with leaf values, the training weight "
                f"{reply.weight:,.0f}, rounded to two digits, and that it learned on {reply.device}"
            )
        case JobReply():
            return "that training here is done; what came of it stays until it is in a sum"
        case EvaluateReply():
            return wording.of_sums(reply.sums)
        case FinalReply():
            return _final(reply, wording)


def _info(reply: ClientInfo, wording: Wording, vocabulary: Vocabulary) -> str:
    note = f", the note {reply.note!r}" if reply.note else ""
    facts = wording.of_info(reply.trains, json.loads(reply.facts))
    floor = f", that it wants {reply.min_contributors} {vocabulary.many} in each sum"
    proof = ", a signature by which nobody else can claim the name"
    return (
        f"the name {reply.bakery!r}, the version of the code here ({reply.code}), {facts}{note}"
        f"{floor if reply.min_contributors else ''}{proof if reply.proof else ''}"
    )


def _trees(content: bytes) -> str:
    count = Forest.from_bytes(content).tree_count
    trees = "1 new tree" if count == 1 else f"{count} new trees"
    return f"{trees} ({len(content) / 1000:.1f} kB: public bin edges to split at)"


def _summand(
    reply: SumReply,
    request: SumRequest,
    wording: Wording,
    vocabulary: Vocabulary,
    *,
    noised: bool = False,
) -> str:
    if reply.lacks_model or reply.lacks_keys:
        return _NOTHING_NEW.format(one=vocabulary.one)
    one, others = vocabulary.one, f"{vocabulary.many}'"
    hidden = f"this {one}" if CLIENT_STEPS in request.parts else f"a day of this {one}"
    sentences = [wording.of_sums(reply.sums)] if reply.sums else []
    if reply.proposal:
        sentences.append(f"{_trees(reply.proposal)}, without any value in its leaves")
        sentences.append(f"that it learned on {reply.device}")
    parts = {**_PARTS, **wording.parts}
    contributed = ", ".join(parts.get(part, part) for part in request.contributes) or "zeros"
    if reply.vector and noised:
        sentences.append(
            f"{len(reply.vector) / 1000:.1f} kB that look like chance to everybody until they are "
            f"added to the other {others} ({contributed}, with noise); the server reads the sum "
            f"with the noise of all, which tells little of {hidden} (docs/privacy.md)"
        )
    elif reply.vector and request.masked:
        sentences.append(
            f"{len(reply.vector) / 1000:.1f} kB that look like chance to everybody until they are "
            f"added to the other {others} ({contributed}); the server reads the sum, which can "
            f"still tell of a single {one}, and can read more if it breaks the rules "
            "(docs/privacy.md)"
        )
    elif reply.vector:
        sentences.append(f"{contributed}, unmasked: the server reads it as it is")
    return "; ".join(sentences)


def _final(reply: FinalReply, wording: Wording) -> str:
    if not reply.rows:
        return (
            "that it has scored the final model; the results leave only as part of a sum over all"
        )
    return wording.of_final_rows(json.loads(reply.rows))
