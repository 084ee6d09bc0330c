"""Bakeries are killed, lose their keys and join while sums are taken, and the trees are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.wire.sum_request import HISTOGRAMS, LEAVES, TOTALS
from glean.learning.forest import Forest
from glean.settings import ConfigValue
from tests.churn import Moment, StepLog, churned, stop_the_clock
from tests.federation.server.churn_runs import GROWN, REFIT, TEN, checkpoints, lost
from tests.federations import Federation, events
from tests.tables import random_table

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StepLog:
    return StepLog(monkeypatch)


@pytest.fixture(scope="module")
def ten_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a table of "bakery 0" to "bakery 9"."""
    path = tmp_path_factory.mktemp("sales") / "ten.csv"
    random_table(bakeries=10, days=80).rows.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory, ten_bakeries: str) -> list[Moment]:
    """All moments of an undisturbed histogram run of ten bakeries."""
    found, grid = churned(tmp_path_factory.mktemp("calm"), ten_bakeries, GROWN, bakeries=10)
    found.run()
    return [moment for moment in grid.moments if moment[0] in (ADVERTISE_KEYS, SUM, UNMASK)]


def random_departures(moments: Sequence[Moment], seed: int) -> dict[str, Moment]:
    """Three of ten bakeries, each with a moment at which it goes."""
    rng = np.random.default_rng(seed)
    at = rng.integers(len(moments), size=3)
    return {TEN[k]: moments[at[i]] for i, k in enumerate(rng.choice(10, size=3, replace=False))}


def grown_from_the_root(found: Federation, log: StepLog) -> bool:
    """Whether all bakeries that each round's trees were begun with stayed to their end."""
    stayed = all(log.asked(HISTOGRAMS, n) == log.counted(HISTOGRAMS, n) for n in (1, 2, 3))
    return stayed and all(event["event"] != "trees_given_up" for event in events(found.folder))


def absent_from(log: StepLog, gone: set[str], rounds: int) -> dict[str, Moment]:
    """The moment before the first tree that each bakery isn't in."""
    when: dict[str, Moment] = {}
    counted = log.counted(TOTALS, 1)
    for name in sorted(gone):
        missed = [k + 1 for k, there in enumerate(log.learners(rounds)) if name not in there]
        if missed:
            # Before the first tree there is the count of rows.
            when[name] = (SUM, missed[0], int(missed[0] == 1 and name in counted))
    return when


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_is_absent_from_that_tree_on(
    seed: int, moments: list[Moment], log: StepLog, tmp_path: Path, ten_bakeries: str
) -> None:
    """Three of ten are killed in any phases: every round's model is that of a run without them.

    That run loses each of them before the first tree that it has no part in. Who has sent all that
    a tree needs before it is killed counts in that tree.
    """
    going = random_departures(moments, seed)
    found, grid = churned(tmp_path / "killed", ten_bakeries, GROWN, bakeries=10, going=going)
    found.run()
    assert len(grid.away) == 3
    assert grown_from_the_root(found, log)
    learners = log.learners(3)
    for name, moment in going.items():
        kind, number, _ = moment
        assert all(name not in there for there in learners[number:])
        # Last of all the third round is scored.
        assert kind == UNMASK or moment == moments[-1] or name not in learners[number - 1]
    assert all(there >= {*TEN} - going.keys() for there in learners)
    absent = absent_from(log, {*going}, 3)
    log.results.clear()
    never, _ = churned(tmp_path / "absent", ten_bakeries, GROWN, bakeries=10, going=absent)
    never.run()
    assert checkpoints(found) == checkpoints(never)
    assert log.learners(3) == learners


PHASES: dict[str, tuple[Moment, bool]] = {
    "asked for a key": ((ADVERTISE_KEYS, 1, 0), False),
    "before it sends the first level": ((SUM, 2, 0), False),
    "before it sends the last level": ((SUM, 2, 2), False),
    "between sending and opening": ((UNMASK, 2, 0), False),
    "in the last opening of a tree": ((UNMASK, 2, 2), True),
}


@pytest.mark.parametrize(("moment", "counts"), PHASES.values(), ids=PHASES)
def test_killed_in_each_phase(
    moment: Moment, counts: bool, log: StepLog, tmp_path: Path, ten_bakeries: str
) -> None:
    """A tree is grown anew without it, unless it had sent its part of every level."""
    going = {"bakery 4": moment}
    found, grid = churned(tmp_path, ten_bakeries, GROWN, bakeries=10, going=going)
    found.run()
    assert grid.away == {6}
    assert grown_from_the_root(found, log)
    number = moment[1]
    assert ("bakery 4" in log.learners(3)[number - 1]) == counts
    assert log.learners(3)[2] == {*TEN} - {"bakery 4"}
    assert "sum_lost" not in {event["event"] for event in events(found.folder)}
    assert {name for _, name, _ in found.failures()} == {"bakery 4"}


@pytest.mark.parametrize("seed", range(3))
def test_refitted_rounds_end_whoever_is_killed(
    seed: int, log: StepLog, tmp_path: Path, ten_bakeries: str
) -> None:
    """Three of ten at random moments: a valid model of finite leaves, summed over who had sent."""
    kinds = [(SUM, n, k) for n in (1, 2, 3) for k in (0, 1)] + [(UNMASK, n, 0) for n in (1, 2, 3)]
    going = random_departures(kinds, seed)
    found, grid = churned(tmp_path, ten_bakeries, REFIT, bakeries=10, going=going)
    model = found.run().model
    assert len(grid.away) == 3
    forest = Forest.from_bytes(model.to_bytes())
    assert forest.tree_count == len(forest.trees) > 0
    assert all(event["event"] != "sum_lost" for event in events(found.folder))
    for number in (1, 2, 3):
        there = log.counted(LEAVES, number)
        assert there >= {*TEN} - going.keys()
        assert not there & {name for name, moment in going.items() if moment[1] < number}
    assert found.table("rounds.csv")["wape"].notna().all()


def test_who_sent_leaf_sums_before_it_was_killed_counts(
    log: StepLog, tmp_path: Path, ten_bakeries: str
) -> None:
    """Killed between sending and opening it is in the leaves; killed before, it isn't."""
    going = {"bakery 2": (UNMASK, 2, 0), "bakery 5": (SUM, 2, 1)}
    found, _ = churned(tmp_path, ten_bakeries, REFIT, bakeries=10, going=going)
    found.run()
    # Bakery 5 is gone first, so that seeds are asked before shares: bakery 2 has none to give.
    assert log.counted(LEAVES, 2) == {*TEN} - {"bakery 2", "bakery 5"}
    alone, _ = churned(
        tmp_path / "alone", ten_bakeries, REFIT, bakeries=10, going={"bakery 2": (UNMASK, 2, 0)}
    )
    alone.run()
    assert log.counted(LEAVES, 2) == {*TEN}


@pytest.mark.parametrize("aggregation", ["histogram", "refit", "fedavg"])
def test_a_lost_sum_is_told_and_those_who_are_left_go_on(
    aggregation: str, tmp_path: Path, ten_bakeries: str
) -> None:
    """Six of ten go between sending and opening: the four that stay make keys and sum anew."""
    kinds: dict[str, dict[str, ConfigValue]] = {
        "histogram": GROWN,
        "refit": REFIT,
        "fedavg": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    }
    going = dict.fromkeys(TEN[4:], (UNMASK, 2, 0))
    found, grid = churned(tmp_path, ten_bakeries, kinds[aggregation], bakeries=10, going=going)
    found.run()
    assert [moment for moment in grid.moments if moment[0] == ADVERTISE_KEYS] == [
        (ADVERTISE_KEYS, 1, 0),
        (ADVERTISE_KEYS, 2, 0),
    ]
    ((number, reason),) = lost(found)
    assert number == 2
    assert "4 of 10" in reason or "of 9 shares" in reason
    assert "go on with those who are left" in reason
    assert found.table("rounds.csv")["replies"].tolist() == [10, 4, 4]
    assert {name for _, name, _ in found.failures()} == {*TEN[4:]}


@pytest.mark.parametrize("kind", [GROWN, REFIT], ids=["histogram", "refit"])
@pytest.mark.parametrize("at", [(SUM, 2, 0), (SUM, 2, 1), (SUM, 3, 0)])
def test_who_lost_keys_and_model_gets_them_anew_at_once(
    at: Moment,
    kind: dict[str, ConfigValue],
    log: StepLog,
    tmp_path: Path,
    ten_bakeries: str,
) -> None:
    """Restarted within a moment it says what it lacks; the model is that of a calm run."""
    calm, _ = churned(tmp_path / "calm", ten_bakeries, kind, bakeries=5)
    calm.run()
    wanted = [log.counted(part, n) for n in (1, 2, 3) for part in parts_of(kind)]
    log.results.clear()
    found, grid = churned(
        tmp_path / "restarted",
        ten_bakeries,
        kind,
        bakeries=5,
        going={"bakery 3": at},
        coming={"bakery 3": at},
    )
    found.run()
    assert checkpoints(found) == checkpoints(calm)
    assert [log.counted(part, n) for n in (1, 2, 3) for part in parts_of(kind)] == wanted
    ((number, reason),) = lost(found)
    assert (number, reason[:22]) == (at[1], "one has lost its keys;")
    assert sum(moment[0] == ADVERTISE_KEYS for moment in grid.moments) == 2
    assert found.failures() == []


def parts_of(kind: dict[str, ConfigValue]) -> tuple[str, ...]:
    return (HISTOGRAMS,) if kind is GROWN else (LEAVES,)


@pytest.mark.parametrize("kind", [GROWN, REFIT], ids=["histogram", "refit"])
def test_who_joins_is_in_the_sums_from_the_next_round_on(
    kind: dict[str, ConfigValue], log: StepLog, tmp_path: Path, ten_bakeries: str
) -> None:
    """It comes while round 2 is trained; keys are agreed with it once, for round 3 and later."""
    coming = {"bakery 4": (SUM, 2, 0)}
    found, grid = churned(
        tmp_path, ten_bakeries, {**kind, "num_server_rounds": 4}, bakeries=5, coming=coming
    )
    found.run()
    (part,) = parts_of(kind)
    five = {*TEN[:5]}
    assert [log.counted(part, n) == five for n in (1, 2)] == [False, False]
    assert log.counted(part, 4) == five
    assert sum(moment[0] == ADVERTISE_KEYS for moment in grid.moments) == 2
    assert found.failures() == []
    assert found.table("bakery_rounds.csv").groupby("round")["bakery"].nunique().iloc[-1] in (1, 5)


def test_who_is_back_catches_up(log: StepLog, tmp_path: Path, ten_bakeries: str) -> None:
    """Killed in round 2 it is back later, without keys or model, and is in the last sums."""
    found, _ = churned(
        tmp_path,
        ten_bakeries,
        {**GROWN, "num_server_rounds": 5},
        bakeries=5,
        going={"bakery 4": (SUM, 2, 1)},
        coming={"bakery 4": (SUM, 3, 0)},
    )
    found.run()
    five = {*TEN[:5]}
    assert log.learners(5) == [five, five - {"bakery 4"}, five - {"bakery 4"}, five, five]
    told = [event["event"] for event in events(found.folder)]
    assert told.count("bakery_returned") == 1
    # That it has no keys is found out by a step, which is done again.
    assert [number for number, _ in lost(found)] == [4]
