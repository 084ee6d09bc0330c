"""Whole runs on the irises in this process: masks, resume, start-from, bad input."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message

from glean.errors import FederationError, SettingsError
from glean.evaluation import plain_conclusion
from glean.federation.wire.messages import FinalReply
from glean.runs.code_version import code_fingerprint
from glean.settings import ConfigValue
from tests.federations import Honest, MeddledApp
from tests.inprocess_runs import config_of, cut_off, facts_of, run
from tests.iris.test_workload import fedavg_by_hand, shares_of

pytestmark = pytest.mark.slow

SAME = ("model.npz", "bakeries.csv", "bakery_rounds.csv")
"""Files that hold no time."""


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures, which take seconds and have a test of their own."""
    with mock.patch.object(plain_conclusion.PlainConclusion, "write_report"):
        yield


def iris(**changes: ConfigValue) -> dict[str, ConfigValue]:
    """Run config; keys with "_" for "-"."""
    return config_of("", workload="iris", learning_rate=0.1, **changes)


def nodes_of(clients: int) -> list[dict[str, ConfigValue]]:
    return [{"partition-id": k, "num-partitions": clients} for k in range(clients)]


def assert_same(one: Path, other: Path) -> None:
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_masks_change_no_byte(tmp_path: Path) -> None:
    """Of the model, the scores and the checkpoints."""
    masked, plain = (
        run(tmp_path / str(on), iris(secure_sums=on), nodes=nodes_of(4)) for on in (True, False)
    )
    assert_same(masked, plain)
    models = [sorted((folder / "models").iterdir()) for folder in (masked, plain)]
    assert [path.name for path in models[0]] == ["round_001.npz", "round_002.npz"]
    for one, other in zip(*models, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    ("kind", "number", "done"), [("train", 1, None), ("train", 3, 1), ("evaluate.test", 4, 4)]
)
def test_a_run_cut_off_and_resumed_ends_as_if_it_had_not_been(
    kind: str, number: int, done: int | None, masked: bool, tmp_path: Path
) -> None:
    """In the first round, in one that also scores the round before, and in the final test."""
    config = iris(num_server_rounds=4, secure_sums=masked, share_scores="yes")
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=number, kind=kind)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert_same(new, whole)
    assert (facts_of(new)["resumed_from"], facts_of(new)["resumed_round"]) == (str(old), done)
    assert facts_of(new)["best_round"] == facts_of(whole)["best_round"]


def test_another_workload_is_not_resumed(tmp_path: Path) -> None:
    """The setting that differs is named."""
    old = cut_off(tmp_path, iris(), round_number=2)
    config = iris() | {"workload": "demand", "aggregation": "fedavg", "resume": str(old)}
    with pytest.raises(SettingsError, match="workload: found 'demand'; the run to resume has 'iri"):
        run(tmp_path, config)


@pytest.mark.parametrize("shown", ["yes", "no"])
def test_a_run_that_starts_from_a_model_goes_on(shown: str, tmp_path: Path) -> None:
    """One round and then one more make two; the final table has the model that it began with."""
    config: dict[str, ConfigValue] = {"secure_sums": True, "share_scores": shown}
    whole = run(tmp_path / "whole", iris(num_server_rounds=2, **config))
    first = run(tmp_path / "first", iris(num_server_rounds=1, **config))
    start = str(first / "model.npz")
    second = run(tmp_path / "second", iris(num_server_rounds=1, start_from=start, **config))
    assert (second / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()
    assert pd.read_csv(second / "rounds.csv")["round"].tolist() == [0, 1]
    scores = pd.read_csv(second / "bakeries.csv")
    began = scores[scores["method"] == "start-from"].drop(columns="method")
    before = pd.read_csv(first / "bakeries.csv").drop(columns="method")
    pd.testing.assert_frame_equal(began.reset_index(drop=True), before)


def test_damaged_weights_are_not_started_from(tmp_path: Path) -> None:
    """Flipped bits, another kind, another workload's model: refused before anybody is asked."""
    good = (run(tmp_path / "run", iris(num_server_rounds=1)) / "model.npz").read_bytes()
    path = tmp_path / "model.npz"
    flipped = good[:700] + bytes([good[700] ^ 1]) + good[701:]
    for data in (flipped, good[:-1], b"", good.replace(b"logistic", b"Logistic")):
        path.write_bytes(data)
        with pytest.raises(SettingsError, match=r"start-from: .*model.npz"):
            run(tmp_path / "bad", iris(start_from=str(path)))
    path.write_bytes(good)
    demand = config_of("", aggregation="fedavg", start_from=str(path))
    with pytest.raises(SettingsError, match="kind 'logistic'"):
        run(tmp_path / "bad", demand)


def test_sums_alone_make_one_row(tmp_path: Path) -> None:
    """Where clients keep their scores, the tables have a row of all, of the same total."""
    hidden = run(tmp_path / "hidden", iris(secure_sums=True, share_scores="no"))
    shown = run(tmp_path / "shown", iris(secure_sums=True, share_scores="yes"))
    assert (hidden / "model.npz").read_bytes() == (shown / "model.npz").read_bytes()
    (row,) = pd.read_csv(hidden / "bakeries.csv").to_dict("records")
    assert (row["bakery"], row["method"]) == ("(all)", "federated")
    wanted = pd.read_csv(shown / "bakeries.csv")
    assert len(wanted) == 3
    for name in ("rows", "log_losses", "hits"):
        assert row[name] == pytest.approx(wanted[name].sum(), abs=1e-5)
    assert set(pd.read_csv(hidden / "bakery_rounds.csv")["bakery"]) == {"(all)"}
    rounds = [pd.read_csv(folder / "rounds.csv")["log_loss"] for folder in (hidden, shown)]
    assert rounds[0].to_numpy() == pytest.approx(rounds[1].to_numpy(), abs=1e-6)


def test_a_run_averages_as_the_formula_says(tmp_path: Path) -> None:
    """Its model is that of plain averaging by rows, but for weights told to two digits."""
    folder = run(tmp_path, iris(num_server_rounds=20, secure_sums=True), nodes=nodes_of(5))
    wanted = fedavg_by_hand(shares_of(42)).arrays
    with np.load(io.BytesIO((folder / "model.npz").read_bytes())) as found:
        for name, values in wanted.items():
            assert found[name] == pytest.approx(values, abs=1e-4)


def test_one_client_is_a_federation(tmp_path: Path) -> None:
    """Of all flowers, without a mask."""
    folder = run(tmp_path, iris(secure_sums=True), nodes=nodes_of(1))
    (row,) = pd.read_csv(folder / "bakeries.csv").to_dict("records")
    assert (row["bakery"], row["rows"]) == ("client 1", 30)


def test_clients_without_rows_take_part_and_arent_trained_on(tmp_path: Path) -> None:
    """Of sixty many have too few flowers for a row to learn from: listed, named, not asked."""
    shares = shares_of(42, clients=60)
    empty = {f"client {k + 1}" for k, share in enumerate(shares) if not len(share[0][0])}
    assert 0 < len(empty) < 60
    folder = run(tmp_path, iris(num_server_rounds=1, secure_sums=True), nodes=nodes_of(60))
    facts = facts_of(folder)
    assert len(facts["bakeries"]) == 60
    rounds = pd.read_csv(folder / "rounds.csv")
    assert rounds["failures"].tolist() == [0]
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    told = [e for e in map(json.loads, lines) if e["event"] == "bakery_not_trained"]
    assert {event["bakery"] for event in told} == empty
    assert {event["reason"] for event in told} == {"it has no training rows; wanted one at least"}
    scores = pd.read_csv(folder / "bakeries.csv")
    assert len(scores) == 60
    assert scores["rows"].sum() == sum(len(share[2][0]) for share in shares)
    assert scores.loc[scores["rows"] == 0, "log_loss"].isna().all()


def test_a_share_of_the_clients_trains(tmp_path: Path) -> None:
    """Two of four in each round, not always the same two."""
    config = iris(num_server_rounds=4, fraction_train=0.5)
    some = run(tmp_path / "some", config, nodes=nodes_of(4))
    everybody = run(tmp_path / "all", config | {"fraction-train": 1.0}, nodes=nodes_of(4))
    assert (some / "model.npz").read_bytes() != (everybody / "model.npz").read_bytes()
    assert facts_of(some)["status"] == "completed"
    assert len(pd.read_csv(some / "bakeries.csv")) == 4


def test_every_other_aggregation_is_taken_for_fedavg(tmp_path: Path) -> None:
    """`run.json` says what was done, not what was asked for."""
    for name in ("bagging", "histogram", "fedavg"):
        folder = run(tmp_path / name, iris(num_server_rounds=1, aggregation=name))
        assert facts_of(folder)["settings"]["aggregation"] == "fedavg"


@pytest.mark.parametrize(
    ("changes", "node", "told"),
    [
        ({"sales": "a.csv"}, {}, "sales: found 'a.csv'; workload=iris brings its own data"),
        ({"newcomer_fraction": 0.5}, {}, "newcomer-fraction: found 0.5"),
        ({}, {"sales": "a.csv"}, "node config sales: found 'a.csv'"),
        ({}, {"num-partitions": 0}, "node config num-partitions: found 0; wanted the number"),
    ],
)
def test_what_the_irises_dont_have_is_refused(
    changes: dict[str, ConfigValue], node: dict[str, ConfigValue], told: str, tmp_path: Path
) -> None:
    """By every client, however the run was started."""
    nodes = [config | node for config in nodes_of(2)]
    config = iris() | {key.replace("_", "-"): value for key, value in changes.items()}
    sent = told if not node.get("sales") else "its own log says more"
    with pytest.raises(FederationError) as refused:
        run(tmp_path, config, nodes=nodes)
    assert sent in str(refused.value)


def lying(text: str) -> MeddledApp:
    """Clients of which the second gives a text for its final scores."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == "evaluate.test" and name == "bakery 1":
            reply = FinalReply("client 2", code_fingerprint(), text)
            return Message(reply.to_record(), reply_to=message)
        return honest()

    return MeddledApp(meddle)


@pytest.mark.parametrize("text", ["", "[]", '{"federated": [1, 2]}', '{"federated": [9, -1, 2]}'])
def test_final_scores_that_cant_be_read_are_left_out(text: str, tmp_path: Path) -> None:
    """With the client's name; the others count."""
    folder = run(tmp_path, iris(num_server_rounds=1), app=lying(text))
    assert pd.read_csv(folder / "bakeries.csv")["bakery"].tolist() == ["client 1", "client 3"]
    events = (folder / "events.jsonl").read_text(encoding="utf-8")
    assert '"event": "bakery_failed", "round": 1, "bakery": "client 2"' in events
