"""Of one or two bakeries no masked sum is taken: it is refused, done without, or waited for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.errors import FederationError
from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.settings import ConfigValue
from tests.churn import Moment, StepLog, churned, stop_the_clock
from tests.federation.server.churn_runs import GROWN, REFIT, checkpoints, lost
from tests.federations import events, member_nodes


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StepLog:
    return StepLog(monkeypatch)


def test_fewer_than_three_that_are_left_end_the_run(tmp_path: Path, three_bakeries: str) -> None:
    """Two can't hide each other: the reason says so and how to go on without masks."""
    found, _ = churned(
        tmp_path, three_bakeries, GROWN, bakeries=3, going={"bakery 1": (UNMASK, 2, 0)}
    )
    with pytest.raises(FederationError) as failed:
        found.run()
    assert str(failed.value) == (
        "round 2: secure-sums: found 2 bakeries to sum over; wanted 3 or more, since of two each "
        "could tell the other's part from the sum. Let more join, or switch it off with "
        "secure-sums=false"
    )
    assert len(lost(found)) == 1


@pytest.mark.parametrize("bakeries", [1, 2])
def test_histograms_of_one_or_two_are_refused_unless_switched_off(
    bakeries: int, tmp_path: Path, three_bakeries: str
) -> None:
    """With the reason; with secure-sums=false they train."""
    found, grid = churned(tmp_path / "on", three_bakeries, GROWN, bakeries=bakeries)
    with pytest.raises(FederationError, match=f"found {bakeries} bakeries to sum over; wanted 3"):
        found.run()
    assert not [moment for moment in grid.moments if moment[0] in (SUM, UNMASK)]
    off, _ = churned(
        tmp_path / "off", three_bakeries, {**GROWN, "secure_sums": False}, bakeries=bakeries
    )
    assert off.run().last_round == 3


@pytest.mark.parametrize("bakeries", [1, 2])
def test_a_simulation_of_one_or_two_bags_without_masks(
    bakeries: int, tmp_path: Path, three_bakeries: str
) -> None:
    """Their tables are the operator's own; from three on masks are used."""
    found, grid = churned(tmp_path / "few", three_bakeries, REFIT, bakeries=bakeries)
    found.run()
    assert {moment[0] for moment in grid.moments if "train" in moment[0]} == {SUM}
    more, grid = churned(tmp_path / "three", three_bakeries, REFIT, bakeries=3)
    more.run()
    assert {moment[0] for moment in grid.moments if "train" in moment[0]} == {
        SUM,
        ADVERTISE_KEYS,
        UNMASK,
    }


@pytest.mark.parametrize("going", [(UNMASK, 2, 0), (SUM, 2, 1), (SUM, 3, 0)])
def test_a_simulation_left_with_two_goes_on_without_masks(
    going: Moment, tmp_path: Path, three_bakeries: str
) -> None:
    """As one that begins with two does, whenever the third goes."""
    found, _ = churned(tmp_path, three_bakeries, REFIT, bakeries=3, going={"bakery 1": going})
    found.run()
    assert found.table("rounds.csv")["replies"].tolist()[-1] == 2


def own_nodes(folder: Path, sales: str) -> list[dict[str, ConfigValue]]:
    """Nodes of a deployment: each bakery of a table has its own rows and keys."""
    folder.mkdir()
    tables = {}
    for bakery, rows in pd.read_csv(sales).groupby("bakery"):
        tables[str(bakery)] = folder / f"{bakery}.csv"
        rows.drop(columns="bakery").to_csv(tables[str(bakery)], index=False)
    return member_nodes(folder, tables)


@pytest.mark.parametrize("at", [(SUM, 2, 1), (UNMASK, 2, 0), (SUM, 3, 0)])
def test_a_deployment_waits_for_the_third(at: Moment, tmp_path: Path, three_bakeries: str) -> None:
    """Of three machines one is restarted: the sum waits for it, and the model is as if it hadn't.

    Whoever asks it who it is finds it back after half a minute.
    """
    nodes = own_nodes(tmp_path / "own", three_bakeries)
    calm, _ = churned(tmp_path / "calm", "", REFIT, bakeries=3, nodes=nodes)
    calm.run()
    found, grid = churned(
        tmp_path / "cut", "", REFIT, bakeries=3, nodes=nodes, going={"bakery 1": at}
    )
    before = grid.get_node_ids

    def back_later() -> list[int]:
        if grid.away and found.clients.clock() > 30.0:
            grid.away.clear()
        return before()

    grid.get_node_ids = back_later  # type: ignore[method-assign]
    found.run()
    assert found.table("rounds.csv")["replies"].tolist()[-1] == 3
    told = [event["event"] for event in events(found.folder)]
    assert "waiting_for_bakeries" in told
    assert "bakery_returned" in told
    # In the third case it is cut off as it is to propose: that round has fewer structures.
    assert (checkpoints(found) == checkpoints(calm)) == (at != (SUM, 3, 0))


def test_a_deployment_that_waits_in_vain_says_for_whom(tmp_path: Path, three_bakeries: str) -> None:
    """After round-timeout-s the run fails, with who is missing and for how long."""
    nodes = own_nodes(tmp_path / "own", three_bakeries)
    going = {"bakery 1": (SUM, 2, 0)}
    found, _ = churned(
        tmp_path / "run", "", {**REFIT, "round_timeout_s": 60}, bakeries=3, nodes=nodes, going=going
    )
    with pytest.raises(FederationError, match=r"2 bakeries can take part.*wants 3.*bakery 1"):
        found.run()
