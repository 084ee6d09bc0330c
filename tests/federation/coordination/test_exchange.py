"""A bakery that fails, lies, comes late or sends garbage is named, and the others go on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from glean.errors import FederationError
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.wire.messages import ClientInfo, EvaluateReply, FinalReply, TrainReply
from glean.runs.code_version import check_code, code_fingerprint
from glean.runs.folder import RunFolder
from tests.federation.coordination.meddling import BAD, only, run_through
from tests.federations import Honest, MeddledApp, events, federation_of, small_settings

KINDS = ("query", "train", "evaluate", "evaluate.test")
TYPES: dict[str, type[ClientInfo | TrainReply | EvaluateReply | FinalReply]] = {
    "query": ClientInfo,
    "train": TrainReply,
    "evaluate": EvaluateReply,
    "evaluate.test": FinalReply,
}


def changed(kind: str, message: Message, honest: Honest, **changes: Any) -> Message:
    """The honest reply with some of its fields changed."""
    value = TYPES[kind].from_record(honest().content)
    return Message(replace(value, **changes).to_record(), reply_to=message)


def raising(_message: Message, _honest: Honest) -> Message:
    raise RuntimeError("the oven is on fire")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bakery_that_raises_is_named_and_the_round_goes_on(
    kind: str, tmp_path: Path, three_bakeries: str
) -> None:
    """Whichever question it fails at, the others finish the run, and the reason is written."""
    settings = small_settings(three_bakeries, num_server_rounds=2)
    federation = federation_of(tmp_path, settings, app=MeddledApp(only(kind, raising)))
    rows = run_through(federation)
    assert set(rows) >= {"bakery 0", "bakery 2"}
    assert all("the oven is on fire" in reason for _, _, reason in federation.failures())
    named = {(number, name) for number, name, _ in federation.failures()}
    expected = {
        "query": {(0, "node 3")},
        "train": {(1, BAD), (2, BAD)},
        "evaluate": {(1, BAD), (2, BAD)},
        "evaluate.test": {(2, BAD)},
    }
    assert named == expected[kind]
    rounds = federation.table("rounds.csv")
    replies = 2 if kind in ("train", "query") else 3
    assert rounds["replies"].tolist() == [replies, replies]
    failed = 1 if kind in ("train", "evaluate") else 0
    assert rounds["failures"].tolist() == [failed, failed]


def garbage(message: Message, _honest: Honest) -> Message:
    return Message(RecordDict({"junk": ConfigRecord({"a": 1})}), reply_to=message)


def damaged_bytes(message: Message, honest: Honest) -> Message:
    record = honest().content
    data = record.array_records["model"]["model"].data
    array = Array(dtype="uint8", shape=(3,), stype="numpy.ndarray", data=data[:-7])
    record["model"] = ArrayRecord({"model": array})
    return Message(record, reply_to=message)


REPLIES: list[tuple[str, Callable[[Message, Honest], Message], str]] = [
    ("train", garbage, "the message lacks 'fields'"),
    ("train", damaged_bytes, "the message's bytes are damaged"),
    ("evaluate", garbage, "the message lacks 'fields'"),
    ("evaluate.test", garbage, "the message lacks 'fields'"),
]
CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("train", {"model": b"no model"}, "damaged model file at byte 0"),
    ("train", {"weight": 0.0}, "found weight 0.0; wanted one above 0"),
    ("train", {"weight": -5.0}, "found weight -5.0; wanted one above 0"),
    ("train", {"weight": 1e300}, "found weight 1e+300; wanted one above 0, up to 1e+15"),
    ("train", {"spec": "of old"}, "found features of old; wanted"),
    ("train", {"lacks_model": True}, "lacks the model, which was sent as a whole"),
    ("train", {"bakery": "bakery 0"}, "the reply says it comes from 'bakery 0'; wanted 'bakery 1'"),
    ("train", {"code": "0ther"}, "runs other code (0ther)"),
    ("evaluate", {"sums": (1.0,)}, "found 1 sums of errors; wanted 7"),
    ("evaluate", {"sums": (-1.0,) * 7}, "found a negative sum of errors"),
    ("evaluate", {"lacks_model": True}, "lacks the model, which was sent as a whole"),
    ("evaluate", {"bakery": "bakery 2"}, "the reply says it comes from 'bakery 2'"),
    ("evaluate", {"code": "0ther"}, "runs other code (0ther)"),
    ("evaluate.test", {"bakery": ""}, "the reply says it comes from ''"),
    ("evaluate.test", {"code": ""}, "runs other code ()"),
]
REPLIES += [
    (kind, functools.partial(changed, kind, **changes), words) for kind, changes, words in CHANGES
]


@pytest.mark.parametrize(("kind", "reply", "words"), REPLIES)
def test_a_reply_that_can_not_be_trusted_is_left_out_and_named(
    kind: str,
    reply: Callable[[Message, Honest], Message],
    words: str,
    tmp_path: Path,
    three_bakeries: str,
) -> None:
    """Garbage, damage, another's name, other code, other features: the others go on without it."""
    settings = small_settings(three_bakeries, num_server_rounds=1)
    federation = federation_of(tmp_path, settings, app=MeddledApp(only(kind, reply)))
    rows = run_through(federation)
    ((number, name, reason),) = federation.failures()
    assert (number, name) == (1, BAD)
    assert words in reason
    assert set(rows) == {"bakery 0", "bakery 2"} | ({BAD} if kind != "evaluate.test" else set())
    scored = federation.table("bakery_rounds.csv")["bakery"].tolist()
    assert scored == ["bakery 0"] + ([BAD] if kind != "evaluate" else []) + ["bakery 2"]


def test_a_refused_reply_leaves_no_trace_in_the_model(tmp_path: Path, three_bakeries: str) -> None:
    """The model is the one of the two others, to the byte."""
    settings = small_settings(three_bakeries)
    meddled = federation_of(tmp_path / "a", settings, app=MeddledApp(only("train", garbage)))
    without = federation_of(tmp_path / "b", settings, partitions=[0, 2])
    assert meddled.run().model.to_bytes() == without.run().model.to_bytes()


@pytest.mark.parametrize("kind", ["train", "evaluate", "evaluate.test"])
def test_without_a_valid_reply_the_run_fails_in_words(
    kind: str, tmp_path: Path, three_bakeries: str
) -> None:
    """A round in which nobody answers properly ends the run, naming the phase."""

    def meddle(message: Message, _name: str, honest: Honest) -> Message:
        meant = message.metadata.message_type == kind
        return garbage(message, honest) if meant else honest()

    federation = federation_of(tmp_path, small_settings(three_bakeries), app=MeddledApp(meddle))
    phase = {
        "train": "the train phase of round 1",
        "evaluate": "the evaluate phase of round 1",
        "evaluate.test": "the final test after round 2",
    }[kind]
    with pytest.raises(FederationError, match=f"no bakery gave a valid reply in {phase}; see ev"):
        run_through(federation)
    assert {name for _, name, _ in federation.failures()} == {"bakery 0", BAD, "bakery 2"}


def test_a_node_of_another_version_takes_no_part(tmp_path: Path, three_bakeries: str) -> None:
    """Its introduction is refused with both fingerprints; the run goes on with the others."""
    other = functools.partial(changed, "query", code="feedbeef")
    settings = small_settings(three_bakeries)
    federation = federation_of(tmp_path, settings, app=MeddledApp(only("query", other)))
    assert list(federation.bakeries) == ["bakery 0", "bakery 2"]
    ((number, name, reason),) = federation.failures()
    assert (number, name) == (0, "node 3")
    assert "other code (feedbeef)" in reason
    assert code_fingerprint() in reason


def test_of_two_nodes_with_one_name_neither_takes_part(tmp_path: Path, three_bakeries: str) -> None:
    """Which of them is the right one can't be known; the name is written down once."""
    settings = small_settings(three_bakeries)
    double = functools.partial(changed, "query", bakery="bakery 2")
    federation = federation_of(tmp_path, settings, app=MeddledApp(only("query", double)))
    assert list(federation.bakeries) == ["bakery 0"]
    ((_, name, reason),) = federation.failures()
    assert (name, reason[:27]) == ("bakery 2", "2 nodes have this name: giv")


def test_spare_nodes_are_no_bakeries(tmp_path: Path, three_bakeries: str) -> None:
    """More nodes than the table has bakeries is no failure; the rest is idle."""
    federation = federation_of(tmp_path, small_settings(three_bakeries), partitions=range(6))
    assert list(federation.bakeries) == ["bakery 0", "bakery 1", "bakery 2"]
    assert federation.failures() == []


def test_too_few_bakeries_are_refused_with_the_reasons(tmp_path: Path, three_bakeries: str) -> None:
    """How many there are, how many are wanted, and why the others fell out."""
    settings = small_settings(three_bakeries, min_available_bakeries=3)
    app = MeddledApp(only("query", raising))
    with pytest.raises(FederationError) as caught:
        federation_of(tmp_path, settings, app=app)
    assert str(caught.value).startswith(
        "2 bakeries can take part; min-available-bakeries wants 3. RuntimeError: the oven"
    )


def test_the_traffic_is_counted(tmp_path: Path, three_bakeries: str) -> None:
    """Down go tasks, up come trees: the second round's figures aren't the first's added up."""
    federation = federation_of(tmp_path, small_settings(three_bakeries, num_server_rounds=3))
    federation.run()
    rounds = federation.table("rounds.csv")
    assert (rounds[["bytes_down", "bytes_up"]] > 1000).to_numpy().all()
    assert rounds["bytes_down"].sum() < federation.clients.traffic.down
    assert rounds["bytes_up"].sum() < federation.clients.traffic.up
    assert rounds["bytes_up"].max() < 1.5 * rounds["bytes_up"].min()


def test_the_own_code_is_let_through() -> None:
    """The check refuses others, not itself."""
    check_code(code_fingerprint())
    with pytest.raises(FederationError, match="install the same version everywhere"):
        check_code("")


def test_a_failure_is_an_event(tmp_path: Path) -> None:
    """Round, name and reason are written at once, and counted."""
    folder = RunFolder.create(tmp_path, run_id=1)
    grid = InProcessGrid(MeddledApp(lambda _m, _n, honest: honest()), [], {}, run_id=1)
    clients = ClientExchange(grid, folder, 1.0)
    clients.report_failure("Bäckerei", "late", round_number=4)
    (event,) = events(folder)
    assert {key: event[key] for key in ("event", "round", "bakery", "reason")} == {
        "event": "bakery_failed",
        "round": 4,
        "bakery": "Bäckerei",
        "reason": "late",
    }
    assert clients.failures == 1
    with as_server(grid):
        assert clients.ask("train", {}, round_number=1) == {}
