"""Refitted leaves from sums in groups, over real messages and masks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message
from numpy.typing import NDArray

from benchmarks.bad_members import lying
from glean.aggregation.grouped_refit import STEP, median_refitted
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.coordination.grouped_sums import GroupedSums
from glean.federation.coordination.groups import FILE, Groups
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.server import grouped_leaf_refit
from glean.federation.server.grouped_leaf_refit import GroupedLeafRefitStrategy
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import LEAF_GRADIENTS, LEAVES, PRESENCE, SumRequest
from glean.learning.bin_layout import BinLayout
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.tree import NO_NODE, Nodes
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue
from tests.federations import (
    Federation,
    Honest,
    MeddledApp,
    events,
    federation_of,
    small_settings,
)
from tests.inprocess_runs import CutOffError, config_of, run
from tests.tables import random_table

pytestmark = pytest.mark.slow

FLOOR, FEW, MANY = 3, 18, 24
"""Of few bakeries there are six groups of three, of many seven of three or four."""

REFIT: dict[str, ConfigValue] = {
    "leaf_values": "refit",
    "proposals_per_round": 3,
    "max_depth": 3,
    "min_child_weight": 0.5,
    "min_contributors": FLOOR,
    "secure_sums": True,
}
BAD = {"bakery 1", "bakery 2"}
"""In two groups of six."""

Meddle = Callable[[Message, str, Honest], Message]


@pytest.fixture(scope="module")
def bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sales") / "many.csv"
    random_table(bakeries=MANY, products=1, days=60).rows.to_csv(path, index=False)
    return str(path)


def nodes_of(count: int) -> tuple[dict[str, ConfigValue], ...]:
    return tuple({"partition-id": k, "num-partitions": MANY} for k in range(count))


def away(*names: str) -> Meddle:
    """Some bakeries fail in every sum from the second round on."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        told = message.metadata
        if named(name) in names and told.message_type == SUM and int(told.group_id) > 1:
            raise RuntimeError("away")
        return honest()

    return meddle


def named(node: str) -> str:
    """The bakery of a partition, which are in text order."""
    return sorted(f"bakery {k}" for k in range(MANY))[int(node.split()[1])]


def grouped(
    out: Path, sales: str, count: int, meddle: Meddle | None = None, **changes: ConfigValue
) -> Federation:
    app = MeddledApp(meddle or (lambda _message, _name, honest: honest()))
    settings = small_settings(sales, **{**REFIT, **changes})
    return federation_of(out, settings, nodes=nodes_of(count), app=app)


def groups_of(found: Federation) -> Groups:
    groups = found.rounds.sum_rounds.groups
    assert groups is not None
    return groups


class GroupSums:
    """All sums that groups open, step by step, and the values that they make of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[dict[int, SumResult]] = []
        self.values: list[tuple[NDArray[np.float64], Forest]] = []
        honest = GroupedSums.run_each
        refit = median_refitted

        def run_each(sums: GroupedSums, *parts: object) -> dict[int, SumResult]:
            found = honest(sums, *parts)  # type: ignore[arg-type]
            self.opened.append(found)
            return found

        def refitted(proposed: Forest, values: NDArray[np.float64], **options: float) -> Forest:
            found = refit(proposed, values, **options)
            self.values.append((values, found))
            return found

        monkeypatch.setattr(GroupedSums, "run_each", run_each)
        monkeypatch.setattr(grouped_leaf_refit, "median_refitted", refitted)

    def of(self, part: str) -> list[dict[int, SumResult]]:
        """Those of a part."""
        return [
            step
            for step in self.opened
            if any(part in one.parts for each in step.values() for one in each.requests.values())
        ]


def fewest_in_a_leaf(forest: Forest, names: Collection[str], found: Federation) -> int:
    """Bakeries among these that have rows in the leaf that has fewest, by their own rows."""
    counts = np.zeros(sum(map(len, forest.trees)), dtype=np.int64)
    for name in names:
        place = sorted(f"bakery {k}" for k in range(MANY)).index(name)
        bakery = bakery_rows_of(NodeSettings(partition=place), found.settings)
        assert bakery is not None
        assert bakery.sales.name == name
        layout = BinLayout(forest.definition, found.settings.boosting.bins)
        rows = bakery.training(forest.definition)
        own = GradientHistograms(rows, layout, found.settings.boosting)
        counts += own.occupied_nodes(forest.trees)
    return int(counts[Nodes.of(forest.trees).left == NO_NODE].min())


def test_no_group_opens_a_leaf_below_the_floor(tmp_path: Path, bakeries: str) -> None:
    """Counted by its members' own rows; groups have structures of their own, and some are thin.

    Masks change no byte of the model.
    """
    asked: dict[tuple[int, bytes], set[str]] = {}
    proposed: set[bytes] = set()

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == SUM:
            task = SumTask.from_record(message.content)
            parts = SumRequest.from_json(task.request).parts
            if LEAVES in parts:
                asked.setdefault((task.number, task.structures), set()).add(named(name))
            if PRESENCE in parts:
                proposed.add(task.structures)
        return honest()

    found = grouped(tmp_path / "masked", bakeries, FEW, meddle)
    model = found.run().model.to_bytes()
    plain = grouped(tmp_path / "plain", bakeries, FEW, secure_sums=False)
    assert plain.run().model.to_bytes() == model
    assert isinstance(found.rounds._strategy, GroupedLeafRefitStrategy)
    members = [frozenset(each) for each in groups_of(found).members]
    assert sorted(map(sorted, asked.values())) == sorted(sorted(each) for each in members * 2)
    for (_, structures), names in asked.items():
        assert fewest_in_a_leaf(Forest.from_bytes(structures), names, found) >= FLOOR
    assert len(proposed) == 2
    assert len({structures for _, structures in asked}) > 2
    bare = (Forest.from_bytes(structures) for structures in proposed)
    assert min(fewest_in_a_leaf(each, members[0], found) for each in bare) < FLOOR


@pytest.mark.parametrize("attack", ["random words", "scaled gradient"])
def test_two_liars_of_eighteen_move_no_leaf_beyond_the_others(
    attack: str, tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaf's value is within those of groups without a liar; the run ends, scored."""
    steps = GroupSums(monkeypatch)
    found = grouped(tmp_path, bakeries, FEW)
    with lying(BAD, attack):
        result = found.run()
    groups = groups_of(found)
    spoilt = {groups.places[name] for name in BAD}
    assert len(spoilt) == 2
    assert result.last_round == 2
    assert 0 < found.table("rounds.csv")["wape"].iloc[-1] < 1
    for (values, trees), opened in zip(steps.values, steps.of(LEAVES), strict=True):
        left_out = FEW // 3 - len(values)
        places = [place for place in opened if left_out == 0 or place not in spoilt]
        assert len(places) == len(values)
        honest = values[[place not in spoilt for place in places]]
        leaves = np.concatenate([tree.value[tree.left == NO_NODE] for tree in trees.trees])
        medians = leaves * 3 / (STEP * found.rounds.manager.learning_rate)
        assert (medians >= honest.min(axis=0) - 1e-6).all()
        assert (medians <= honest.max(axis=0) + 1e-6).all()
    named_groups = [event for event in events(found.folder) if event["event"] == "group_left_out"]
    assert {groups.places[event["members"][0]] for event in named_groups} <= spoilt
    if attack == "random words":
        assert len(named_groups) == 2


def test_a_group_that_lacks_one_sits_out(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on, with counts and hessians of their own; half of them can't."""
    steps = GroupSums(monkeypatch)
    found = grouped(tmp_path / "one", bakeries, FEW, away("bakery 1"), secure_sums=False)
    assert found.run().last_round == 2
    assert found.table("rounds.csv")["replies"].tolist() == [18, 15]
    lacking = groups_of(found).places["bakery 1"]
    assert [len(step) for step in steps.of(LEAVES)] == [6, 5]
    assert lacking not in steps.of(LEAVES)[-1]
    assert not steps.of(LEAF_GRADIENTS)
    half = [names[0] for names in groups_of(found).members[:3]]
    given_up = grouped(tmp_path / "half", bakeries, FEW, away(*half), secure_sums=False)
    assert given_up.run().last_round == 2
    assert given_up.table("rounds.csv")["replies"].tolist() == [18, 0]
    assert "round_given_up" in {event["event"] for event in events(given_up.folder)}


def one_of_each_large_group(groups: Groups) -> Iterator[str]:
    """And one of a small one: then most groups lack somebody."""
    sizes = [len(members) for members in groups.members]
    assert sorted(sizes) == [3, 3, 3, 3, 4, 4, 4]
    small = sizes.index(3)
    yield groups.members[small][0]
    yield from (members[1] for members in groups.members if len(members) == 4)


def test_where_most_groups_lack_one_earlier_leaves_serve_again(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With gradients alone, of six groups; nothing is opened over cohorts that are too like."""
    steps = GroupSums(monkeypatch)
    groups = Groups.of_roster([named(f"bakery {k}") for k in range(MANY)], [], floor=3, roomy=True)
    assert groups is not None
    gone = [*one_of_each_large_group(groups)]
    found = grouped(tmp_path, bakeries, MANY, away(*gone), share_scores="no")
    assert found.run().last_round == 2
    assert groups_of(found).members == groups.members
    assert found.table("rounds.csv")["replies"].tolist() == [24, 18]
    again = steps.of(LEAF_GRADIENTS)
    assert [len(step) for step in again] == [3, 6]  # the second time nobody is asked in vain
    assert all(one.total.any() for one in again[1].values())
    senders = {name for one in again[1].values() for name in one.replies}
    assert not senders & {*gone}
    for step in (*steps.of(PRESENCE), *steps.of(LEAVES)):
        for place, one in step.items():
            assert one.replies.keys() == {*groups.members[place]}
    for cohorts in found.rounds.sum_rounds.cohorts._opened.cohorts.values():
        assert all(len(one ^ other) >= FLOOR for one, other in combinations(cohorts, 2))


def test_of_one_model_no_group_s_gradients_are_opened_over_two_cohorts(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One goes after its group's were opened, while others lack somebody: the round is given up."""
    sums = GroupSums(monkeypatch)
    groups = Groups.of_roster([named(f"bakery {k}") for k in range(MANY)], [], floor=3, roomy=True)
    assert groups is not None
    small = [members[0] for members in groups.members if len(members) == 3][:3]
    large = [members[0] for members in groups.members if len(members) == 4]
    gone = away(*small, large[0])
    asked: list[str] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == SUM and named(name) == large[1]:
            request = SumRequest.from_json(SumTask.from_record(message.content).request)
            asked.extend(part for part in request.parts if part == LEAF_GRADIENTS)
            if len(asked) > 1:
                raise RuntimeError("away")
        return gone(message, name, honest)

    found = grouped(tmp_path, bakeries, MANY, meddle, secure_sums=False)
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [24, 0]
    place = groups.places[large[1]]
    again = sums.of(LEAF_GRADIENTS)
    assert [place in step for step in again] == [True, False]
    assert len(again[0]) == 3


def test_a_run_that_resumes_without_some_ends_with_the_same_bytes(
    tmp_path: Path, bakeries: str
) -> None:
    """Leaves that serve again are on disk, by group; groups are those that it began with."""
    groups = Groups.of_roster([named(f"bakery {k}") for k in range(MANY)], [], floor=3, roomy=True)
    assert groups is not None
    gone = away(*one_of_each_large_group(groups))

    def cut(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == SUM and message.metadata.group_id == "3":
            raise CutOffError
        return gone(message, name, honest)

    config = config_of(
        bakeries, **{**REFIT, "secure_sums": False, "num_server_rounds": 3, "share_scores": "no"}
    )
    nodes = nodes_of(MANY)
    whole = run(tmp_path / "whole", config, nodes=nodes, app=MeddledApp(gone))
    with pytest.raises(CutOffError):
        run(tmp_path / "out", config, nodes=nodes, app=MeddledApp(cut))
    old = (tmp_path / "out" / "latest").resolve()
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes, app=MeddledApp(gone))
    for name in ("model.ubj", FILE, "leaves.npz"):
        assert (new / name).read_bytes() == (whole / name).read_bytes()
