"""What can't be trusted in a step is left out and named; the run goes on or says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message

from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.wire.sum_messages import KeyReply, SumReply, SumTask, UnmaskResult
from glean.federation.wire.sum_request import HISTOGRAMS, LEAVES, TOTALS, WEIGHTS, SumRequest
from glean.forecasting.forecasters import read_model
from glean.learning.forest import Forest
from glean.learning.tree import NO_NODE, Tree
from glean.privacy import mask_messages
from glean.settings import ConfigValue
from tests.federations import (
    Federation,
    Honest,
    MeddledApp,
    events,
    federation_of,
    small_settings,
)

pytestmark = pytest.mark.slow

Change = Callable[[SumReply], dict[str, object]]

BAD = "bakery 1"
PLACE = 1
"""Of the bad bakery among those who have keys."""

KINDS: dict[str, dict[str, ConfigValue]] = {
    "histogram": {"aggregation": "histogram"},
    "refit": {"leaf_values": "refit"},
    "fedavg": {"aggregation": "fedavg", "fedavg_model": "poisson"},
}
PARTS = {"histogram": HISTOGRAMS, "refit": LEAVES, "fedavg": WEIGHTS}


def meddled(
    out: Path, sales: str, kind: str, app: MeddledApp, **changes: ConfigValue
) -> Federation:
    settings = small_settings(sales, **{**KINDS[kind], **changes})
    return federation_of(out, settings, partitions=range(5), app=app)


def damaging(change: Change, applies: Callable[[SumRequest], bool]) -> MeddledApp:
    """Bakery 1's replies in the steps that it applies to are changed."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        reply = honest()
        if name != BAD or message.metadata.message_type != SUM:
            return reply
        request = SumRequest.from_json(SumTask.from_record(message.content).request)
        if not applies(request.at(PLACE) if request.masked else request):
            return reply
        told = SumReply.from_record(reply.content)
        return Message(replace(told, **change(told)).to_record(), reply_to=message)  # type: ignore[arg-type]

    return MeddledApp(meddle)


def reshaped(reply: SumReply, change: Callable[[Tree], Tree]) -> dict[str, object]:
    forest = Forest.from_bytes(reply.proposal)
    trees = tuple(change(tree) for tree in forest.trees)
    return {"proposal": replace(forest, trees=trees).to_bytes()}


def valued(tree: Tree) -> Tree:
    return replace(tree, value=np.where(tree.left == NO_NODE, np.float32(0.25), tree.value))


def off_the_edges(tree: Tree) -> Tree:
    moved = np.nextafter(tree.value, np.float32(9), dtype=np.float32)
    return replace(tree, value=np.where(tree.left == NO_NODE, tree.value, moved))


def twice(reply: SumReply) -> dict[str, object]:
    forest = Forest.from_bytes(reply.proposal)
    return {"proposal": forest.plus(forest.trees).to_bytes()}


SUMMED: dict[str, tuple[Change, str]] = {
    "a word too few": (lambda r: {"vector": r.vector[:-8]}, "found a vector of"),
    "a word too many": (lambda r: {"vector": r.vector + bytes(8)}, "found a vector of"),
    "cut within a word": (lambda r: {"vector": r.vector[:-3]}, "found a vector of"),
    "nothing": (lambda _: {"vector": b""}, "found a vector of 0 bytes"),
    "another definition": (lambda _: {"spec": "f" * 64}, "another feature definition"),
    "other code": (lambda _: {"code": "0" * 16}, "runs other code"),
    "another name": (lambda _: {"bakery": "bakery 2"}, "says it comes from 'bakery 2'"),
    "no device": (lambda _: {"device": "oven"}, "found device 'oven'"),
    "no model": (lambda _: {"lacks_model": True}, "lacks the model, which was sent as a whole"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "words"), SUMMED.values(), ids=SUMMED)
def test_a_damaged_part_of_a_sum_is_left_out_and_named(
    kind: str, change: Change, words: str, tmp_path: Path, five_bakeries: str
) -> None:
    """The round goes on with the sum of the others."""
    app = damaging(change, lambda request: PARTS[kind] in request.contributes)
    found = meddled(tmp_path, five_bakeries, kind, app)
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [4, 4]
    assert {name for _, name, _ in found.failures()} == {BAD}
    assert all(words in reason for _, _, reason in found.failures())


STEP = len(mask_messages._INPUT)
"""Where the number of the step stands, in eight bytes."""

MASKED: dict[str, tuple[Change, str]] = {
    "a byte too few": (lambda r: {"vector": r.vector[:-1]}, "masked input"),
    "half of it": (lambda r: {"vector": r.vector[: len(r.vector) // 2]}, "masked input"),
    "three bytes": (lambda r: {"vector": r.vector[:3]}, "masked input"),
    "a byte too many": (lambda r: {"vector": r.vector + b"!"}, "masked input"),
    "nothing": (lambda _: {"vector": b""}, "masked input"),
    "not masked": (lambda r: {"vector": bytes(len(r.vector))}, "masked input"),
    "of an earlier step": (
        lambda r: {"vector": r.vector[:STEP] + bytes(7) + b"\1" + r.vector[STEP + 8 :]},
        "step, length and corrections (1, ",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("change", "words"), MASKED.values(), ids=MASKED)
def test_a_damaged_masked_vector_costs_only_its_sender(
    kind: str, change: Change, words: str, tmp_path: Path, five_bakeries: str
) -> None:
    """It counts as gone: the others give away the seeds of the step, and the sum is theirs."""
    app = damaging(change, lambda request: PARTS[kind] in request.contributes)
    found = meddled(tmp_path, five_bakeries, kind, app, secure_sums=True)
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [4, 4]
    assert {name for _, name, _ in found.failures()} == {BAD}
    assert all(words in reason for _, _, reason in found.failures()), found.failures()
    assert "sum_lost" not in {event["event"] for event in events(found.folder)}


PROPOSED: dict[str, tuple[Change, str]] = {
    "leaf values": (lambda r: reshaped(r, valued), "found a leaf with a value"),
    "off the public edges": (lambda r: reshaped(r, off_the_edges), "edge"),
    "two trees": (twice, "found 2 new trees; wanted 1"),
    "no bytes": (lambda _: {"proposal": b""}, "model"),
    "half a model": (lambda r: {"proposal": r.proposal[: len(r.proposal) // 2]}, "model"),
    "another definition": (lambda _: {"spec": "f" * 64}, "another feature definition"),
    "a device of its own": (lambda _: {"device": "oven"}, "found device 'oven'"),
    "scores": (lambda _: {"sums": (1.0,) * 7}, "found scores that weren't asked for"),
}


@pytest.mark.parametrize(("change", "words"), PROPOSED.values(), ids=PROPOSED)
def test_a_proposal_that_is_no_structure_is_left_out_and_named(
    change: Change, words: str, tmp_path: Path, five_bakeries: str
) -> None:
    """The round's trees are the other four's; its leaf sums still count."""
    found = meddled(tmp_path, five_bakeries, "refit", damaging(change, lambda o: o.proposes))
    model = found.run().model
    assert found.table("rounds.csv")["replies"].tolist() == [5, 5]
    assert [name for _, name, _ in found.failures()] == [BAD, BAD]
    assert all(words in reason for _, _, reason in found.failures()), found.failures()
    assert Forest.from_bytes(model.to_bytes()).tree_count in (4, 8)


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_were_not_asked_for_are_not_read(
    kind: str, masked: bool, tmp_path: Path, five_bakeries: str
) -> None:
    """Who sends them with its part of a sum is left out, and named."""
    app = damaging(lambda _: {"sums": (1.0,) * 7}, lambda request: TOTALS in request.contributes)
    found = meddled(tmp_path, five_bakeries, kind, app, secure_sums=masked)
    found.run()
    assert {(n, r) for _, n, r in found.failures()} == {
        (BAD, "found scores that weren't asked for")
    }


def misfit(reply: SumReply) -> dict[str, object]:
    """Add to the gradient of one bin what no other column has, and rows of its weight could."""
    words = np.frombuffer(reply.vector, dtype="<i8").copy()
    words[2 * words[1::2].argmax()] += 1 << 10
    return {"vector": words.tobytes()}


def test_rounds_whose_histograms_do_not_fit_are_given_up(
    tmp_path: Path, five_bakeries: str
) -> None:
    """After as many attempts as a phase has; the run ends with the model that it began with."""
    app = damaging(misfit, lambda request: HISTOGRAMS in request.contributes)
    found = meddled(tmp_path, five_bakeries, "histogram", app)
    model = found.run().model
    assert Forest.from_bytes(model.to_bytes()).tree_count == 0
    told = events(found.folder)
    grown_anew = [event["round"] for event in told if event["event"] == "trees_given_up"]
    assert grown_anew == [1, 1, 1, 2, 2, 2]
    given_up = [event for event in told if event["event"] == "round_given_up"]
    assert [event["round"] for event in given_up] == [1, 2]
    assert "the sums of a tree's level don't fit together" in given_up[0]["reason"]
    assert found.table("rounds.csv")["replies"].tolist() == [0, 0]


@pytest.mark.parametrize("level", [1, 2])
def test_histograms_damaged_once_are_asked_again(
    level: int, tmp_path: Path, five_bakeries: str
) -> None:
    """At the root or below: the tree is grown anew, and the model is what it would have been."""
    asked: list[SumRequest] = []

    def once(request: SumRequest) -> bool:
        asked.extend([request] * (HISTOGRAMS in request.contributes))
        return HISTOGRAMS in request.contributes and len(asked) == level

    found = meddled(tmp_path / "damaged", five_bakeries, "histogram", damaging(misfit, once))
    honest = meddled(
        tmp_path / "honest", five_bakeries, "histogram", MeddledApp(lambda _m, _n, call: call())
    )
    assert found.run().model.to_bytes() == honest.run().model.to_bytes()
    told = [event["event"] for event in events(found.folder)]
    assert told.count("trees_given_up") == 1


def noise(reply: SumReply) -> dict[str, object]:
    """Words from all over the ring."""
    rng = np.random.default_rng(7)
    return {"vector": rng.bytes(len(reply.vector))}


@pytest.mark.parametrize("part", ["totals", "learning"])
@pytest.mark.parametrize("kind", KINDS)
def test_noise_in_an_open_vector_costs_only_its_sender(
    part: str, kind: str, tmp_path: Path, five_bakeries: str
) -> None:
    """No rows can have it: the model is made of the others', and the sender is named."""
    wanted = TOTALS if part == "totals" else PARTS[kind]
    app = damaging(noise, lambda request: wanted in request.contributes)
    found = meddled(tmp_path, five_bakeries, kind, app)
    assert read_model(found.run().model.to_bytes())
    assert {name for _, name, _ in found.failures()} == {BAD}
    assert found.table("rounds.csv")["replies"].min() >= 4


@pytest.mark.parametrize("masked_kind", [ADVERTISE_KEYS, UNMASK])
@pytest.mark.parametrize("how", ["cut", "noise", "other code", "another name", "an error"])
def test_damaged_keys_and_openings_cost_only_their_sender(
    masked_kind: str, how: str, tmp_path: Path, five_bakeries: str
) -> None:
    """Without keys it isn't in the sums; one that only helps badly to open them is."""
    form = KeyReply if masked_kind == ADVERTISE_KEYS else UnmaskResult
    field = "advertisement" if masked_kind == ADVERTISE_KEYS else "answer"

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        reply = honest()
        if name != BAD or message.metadata.message_type != masked_kind:
            return reply
        told = form.from_record(reply.content)
        content = getattr(told, field)
        changes: dict[str, dict[str, object]] = {
            "cut": {field: content[:-1]},
            "noise": {field: np.random.default_rng(3).bytes(len(content))},
            "other code": {"code": "0" * 16},
            "another name": {"bakery": "bakery 2"},
        }
        if how == "an error":
            raise RuntimeError("the oven is cold")
        return Message(replace(told, **changes[how]).to_record(), reply_to=message)  # type: ignore[arg-type]

    found = meddled(tmp_path, five_bakeries, "histogram", MeddledApp(meddle), secure_sums=True)
    found.run()
    counted = 4 if masked_kind == ADVERTISE_KEYS else 5
    assert found.table("rounds.csv")["replies"].tolist() == [counted, counted]
    assert {name for _, name, _ in found.failures()} == {BAD}
