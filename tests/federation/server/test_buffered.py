"""Rounds of a buffer: the same model as synchronous ones where nobody is late, and their bounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from flwr.app import RecordDict

from glean.errors import FederationError, RefusalError, SettingsError
from glean.federation.client.client import client_of
from glean.federation.wire.messages import Task
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.federations import federation_of, model_bytes, small_settings
from tests.inprocess_runs import config_of, cut_off, facts_of, run

KINDS: dict[str, dict[str, ConfigValue]] = {
    "average": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    "network": {"aggregation": "fedavg", "fedavg_model": "neural"},
    "optimiser": {"aggregation": "fedadam", "fedavg_model": "poisson"},
    "leaves": {"leaf_values": "refit"},
    "random trees": {"aggregation": "oblivious"},
}
FIVE = range(5)


@pytest.mark.parametrize("masked", [False, True], ids=["bare", "masked"])
@pytest.mark.parametrize("name", KINDS)
def test_a_buffer_of_all_at_one_speed_is_a_synchronous_round(
    name: str, masked: bool, tmp_path: Path, three_bakeries: str
) -> None:
    """Nothing is stale, and everybody is in each buffer: the model is the same, to the byte."""
    changes = {**KINDS[name], "num_server_rounds": 3, "secure_sums": masked}
    sync = small_settings(three_bakeries, **changes)
    buffered = small_settings(three_bakeries, mode="async", buffer_size=3, **changes)
    assert model_bytes(tmp_path / "1", buffered) == model_bytes(tmp_path / "2", sync)


def late(sales: str, **changes: ConfigValue) -> RunSettings:
    told: dict[str, ConfigValue] = {
        "mode": "async",
        "buffer_size": 3,
        "speed_spread": 20.0,
        "num_server_rounds": 8,
        **KINDS["average"],
    }
    return small_settings(sales, **told | changes)


@pytest.mark.parametrize("name", ["average", "leaves", "random trees"])
def test_the_same_seed_gives_the_same_bytes_in_any_order(
    name: str, tmp_path: Path, five_bakeries: str
) -> None:
    """Who is in which buffer follows from names and the seed; masks change no byte."""
    settings = late(five_bakeries, **KINDS[name])
    federation = federation_of(tmp_path / "1", settings, partitions=FIVE)
    first = federation.run().model.to_bytes()
    assert federation.table("participation.csv")["staleness"].max() > 0
    assert (federation.table("rounds.csv")["replies"] == 3).all()
    assert model_bytes(tmp_path / "2", settings, [4, 2, 0, 1, 3]) == first
    masked = late(five_bakeries, secure_sums=True, **KINDS[name])
    assert model_bytes(tmp_path / "3", masked, FIVE) == first
    other = late(five_bakeries, seed=7, **KINDS[name])
    assert model_bytes(tmp_path / "4", other, FIVE) != first


def test_the_fast_come_more_often_and_the_clock_goes_on(tmp_path: Path, five_bakeries: str) -> None:
    """Tables say who took part, how stale, and how long it took; a synchronous run waits longer."""
    federation = federation_of(tmp_path / "1", late(five_bakeries), partitions=FIVE)
    federation.run()
    took_part = federation.table("participation.csv")
    assert (took_part.groupby("round").size() == 3).all()
    assert took_part["staleness"].max() > 0
    counts = Counter(took_part["bakery"])
    assert max(counts.values()) >= 2 * min(counts.values())
    seconds = federation.table("rounds.csv")["virtual_seconds"]
    assert len(seconds) == 8
    sync = late(five_bakeries, mode="sync")
    waiting = federation_of(tmp_path / "2", sync, partitions=FIVE)
    waiting.run()
    assert waiting.table("rounds.csv")["virtual_seconds"].sum() > 2 * seconds.sum()
    assert not (waiting.folder.path / "participation.csv").exists()


def test_what_is_too_stale_is_never_in_a_sum(tmp_path: Path, five_bakeries: str) -> None:
    """It is dropped and named; whose it was begins anew."""
    settings = late(five_bakeries, staleness_bound=2, num_server_rounds=12)
    federation = federation_of(tmp_path, settings, partitions=FIVE)
    federation.run()
    assert federation.table("participation.csv")["staleness"].max() == 2
    dropped = [reason for _, _, reason in federation.failures()]
    assert dropped
    assert all("staleness-bound takes up to 2" in reason for reason in dropped)


def test_with_a_floor_buffers_are_the_same_or_differ_by_as_many(
    tmp_path: Path, five_bakeries: str
) -> None:
    """Else the difference of two sums would tell of few; of the totals all were counted."""
    settings = late(five_bakeries, secure_sums=True, min_contributors=3, num_server_rounds=6)
    federation = federation_of(tmp_path, settings, partitions=FIVE)
    federation.run()
    took_part = federation.table("participation.csv")
    cohorts = {frozenset(rows["bakery"]) for _, rows in took_part.groupby("round")}
    everybody = frozenset(f"bakery {k}" for k in FIVE)
    for one in cohorts:
        assert len(one) >= 3
        for other in cohorts | {everybody}:
            assert one == other or len(one ^ other) >= 3


def test_cut_off_and_resumed_it_ends_with_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Who was training, since when and until when, goes on from the checkpoint."""
    changes: dict[str, ConfigValue] = {
        "mode": "async",
        "buffer_size": 3,
        "speed_spread": 20.0,
        "straggler_share": 0.3,
        "num_server_rounds": 6,
        **KINDS["average"],
    }
    config = config_of(three_bakeries, **changes)
    config["buffer-size"] = 0
    whole = run(tmp_path / "whole", config)
    old = cut_off(tmp_path / "out", config, round_number=4)
    new = run(tmp_path / "out", config | {"resume": str(old)})
    assert 0 < facts_of(new)["resumed_round"] < 6
    assert (new / "model.npz").read_bytes() == (whole / "model.npz").read_bytes()
    columns = ["round", "virtual_seconds"]
    one, other = (pd.read_csv(path / "rounds.csv")[columns] for path in (whole, new))
    pd.testing.assert_frame_equal(one, other)
    assert (new / "participation.csv").read_bytes() == (whole / "participation.csv").read_bytes()


REFUSED: dict[str, tuple[dict[str, ConfigValue], str]] = {
    "trees that aren't sums": ({"leaf_values": "scaled"}, "mode: found 'async' with aggregation"),
    "histograms": ({"aggregation": "histogram"}, "wanted 'sync', or 'fedavg'"),
    "buffers of two": ({"leaf_values": "refit", "buffer_size": 2}, "buffer-size: found 2"),
    "buffers below the floor": (
        {"leaf_values": "refit", "buffer_size": 4, "min_contributors": 5},
        "buffer-size: found 4; wanted 0, or 5 or more",
    ),
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(
    changes: tuple[dict[str, ConfigValue], str], three_bakeries: str
) -> None:
    """Before anything starts, with what was found and what is wanted."""
    given, message = changes
    with pytest.raises(SettingsError) as error:
        small_settings(three_bakeries, mode="async", **given)
    assert message in str(error.value)


def test_clients_with_tables_of_their_own_are_in_no_buffer(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Overlapping buffers tell of few: the server refuses, and so does a client that is asked."""
    whole = pd.read_csv(three_bakeries)
    nodes: list[dict[str, ConfigValue]] = []
    for k in range(3):
        path = tmp_path / f"own-{k}.csv"
        mine = whole[whole["bakery"] == f"bakery {k}"]
        mine.drop(columns="bakery").to_csv(path, index=False)
        nodes.append({"sales": str(path), "bakery": f"bakery {k}"})
    settings = small_settings(three_bakeries, mode="async", **KINDS["average"])
    with pytest.raises(FederationError, match="mode: found 'async' with privacy=sums where"):
        federation_of(tmp_path / "out", settings, nodes=nodes)
    client = client_of(NodeSettings.from_config(nodes[0]), settings)
    assert client is not None
    task = Task(1, "{}", "", "", 0.1, newcomer=False, model=b"")
    with pytest.raises(RefusalError, match="found a job for a buffer whose"):
        client.begin(task, RecordDict())
