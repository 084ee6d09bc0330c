"""With `min-contributors` no leaf is opened in which fewer bakeries have rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glean.aggregation.leaf_floor import CountedLeaves
from glean.errors import FederationError, SettingsError
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.server.kept_leaves import KeptLeaves
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import LEAF_GRADIENTS, LEAVES, PRESENCE, SumRequest
from glean.learning.bin_layout import BinLayout
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.tree import NO_NODE, Nodes
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.churn import StepLog, churned, stop_the_clock
from tests.federation.server.churn_runs import REFIT
from tests.federations import CapturingGrid, Federation, events, federation_of, small_settings
from tests.lying_server import deployed
from tests.privacy.captured_runs import value_in
from tests.tables import random_table

BAKERIES, FLOOR = 6, 4
DEEP: dict[str, ConfigValue] = {**REFIT, "max_depth": 5, "min_child_weight": 0.1}


@pytest.fixture(scope="module")
def six_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sales") / "six.csv"
    random_table(bakeries=BAKERIES, days=80).rows.to_csv(path, index=False)
    return str(path)


def captured(out: Path, sales: str, **changes: ConfigValue) -> tuple[Federation, CapturingGrid]:
    settings = small_settings(sales, **{**DEEP, **changes})
    found = federation_of(out, settings, partitions=range(BAKERIES), grid_type=CapturingGrid)
    assert isinstance(found.grid, CapturingGrid)
    found.run()
    return found, found.grid


def opened_structures(grid: CapturingGrid) -> Iterator[Forest]:
    """Structures whose leaf sums were asked for."""
    for message in grid.captured:
        task = value_in(message.content)
        if isinstance(task, SumTask) and LEAVES in SumRequest.from_json(task.request).parts:
            yield Forest.from_bytes(task.structures)


def fewest_in_a_leaf(forest: Forest, settings: RunSettings) -> int:
    """Bakeries that have rows in the leaf that has fewest, by their own rows."""
    counts = np.zeros(sum(len(tree) for tree in forest.trees), dtype=np.int64)
    for partition in range(BAKERIES):
        bakery = bakery_rows_of(NodeSettings(partition=partition), settings)
        assert bakery is not None
        rows = bakery.training(forest.definition)
        layout = BinLayout(forest.definition, settings.boosting.bins)
        counts += GradientHistograms(rows, layout, settings.boosting).occupied_nodes(forest.trees)
    return int(counts[Nodes.of(forest.trees).left == NO_NODE].min())


def test_no_leaf_is_opened_below_the_floor(tmp_path: Path, six_bakeries: str) -> None:
    """Counted by the bakeries' own rows; without a floor there are such leaves."""
    bare, grid = captured(tmp_path / "bare", six_bakeries)
    assert (
        min(fewest_in_a_leaf(forest, bare.settings) for forest in opened_structures(grid)) < FLOOR
    )
    floored, grid = captured(tmp_path / "floored", six_bakeries, min_contributors=FLOOR)
    found = [fewest_in_a_leaf(forest, floored.settings) for forest in opened_structures(grid)]
    assert len(found) == 2 * BAKERIES
    assert min(found) >= FLOOR


def test_masks_change_no_byte(tmp_path: Path, six_bakeries: str) -> None:
    """Nor does what a leaf is merged by."""
    models = [
        captured(tmp_path / str(masks), six_bakeries, secure_sums=masks, min_contributors=FLOOR)[0]
        for masks in (False, True)
    ]
    first, second = (sorted((f.folder.path / "models").glob("*.ubj")) for f in models)
    assert len(first) == 2
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_sum_that_lacks_a_counted_bakery_stays_closed(
    tmp_path: Path, six_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes after it was counted: earlier structures serve again, with gradient sums alone.

    Nobody is counted anew, nor are hessians opened: the difference would be its own.
    """
    stop_the_clock(monkeypatch)
    log = StepLog(monkeypatch)
    changes = {**DEEP, "min_contributors": FLOOR}
    going = {"bakery 3": (SUM, 2, 2)}
    found, grid = churned(tmp_path, six_bakeries, changes, bakeries=BAKERIES, going=going)
    found.run()
    assert grid.away
    presence = [result for _, result in log.results if has(PRESENCE, result)]
    assert ["bakery 3" in result.replies for result in presence] == [True, True]
    leaves = [result for _, result in log.results if has(LEAVES, result)]
    assert [bool(result.replies) for result in leaves] == [True, False]
    assert not leaves[1].total.any()
    again = [result for _, result in log.results if has(LEAF_GRADIENTS, result)]
    assert [len(result.replies) for result in again] == [5, 5]
    assert all(result.total.any() for result in again)
    assert found.table("rounds.csv")["replies"].tolist() == [6, 5, 5]


def test_gradients_are_not_measured_by_hessians_that_serve_again(
    tmp_path: Path, six_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These are of an earlier model, which may have been far below: no honest sum is refused."""
    stop_the_clock(monkeypatch)
    add = KeptLeaves.add

    def shrunk(kept: KeptLeaves, leaves: CountedLeaves) -> None:
        assert leaves.hessians is not None
        add(kept, replace(leaves, hessians=leaves.hessians // 1000))

    monkeypatch.setattr(KeptLeaves, "add", shrunk)
    changes = {**DEEP, "min_contributors": FLOOR, "objective": "count:poisson"}
    going = {"bakery 3": (SUM, 2, 2)}
    found, _ = churned(tmp_path, six_bakeries, changes, bakeries=BAKERIES, going=going)
    found.run()
    assert found.table("rounds.csv")["replies"].tolist() == [6, 5, 5]
    assert not [e for e in events(found.folder) if e["event"] == "sum_refused"]


def has(part: str, result: SumResult) -> bool:
    return any(part in request.parts for request in result.requests.values())


def test_a_deployment_with_too_few_names_how_many_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own accord it wants five."""
    stop_the_clock(monkeypatch)
    found, _ = deployed(tmp_path, bakeries=4, min_contributors=0)
    with pytest.raises(FederationError, match=r"min-contributors wants 5 .*: 1 more are missing"):
        found.run()
    waiting = [e for e in events(found.folder) if e["event"] == "waiting_for_bakeries"]
    assert {(event["present"], event["wanted"]) for event in waiting} == {(4, 5)}


@pytest.mark.parametrize("value", [1, 2])
def test_two_can_not_hide_each_other(value: int) -> None:
    """Each would subtract its own part."""
    with pytest.raises(SettingsError, match=f"min-contributors: found {value}; wanted 0 or one"):
        small_settings("", min_contributors=value)
