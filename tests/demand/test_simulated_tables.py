"""Tables of a simulation's bakeries: the same bytes from one process and from several."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from glean.demand import simulated_tables as module
from glean.demand.simulated_tables import simulated_tables
from glean.demand.workload import DEMAND
from glean.errors import GleanError
from glean.evaluation.tables.client_tables import TABLES
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.federation.grids.inprocess import as_server
from glean.learning.forest import Forest
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue
from tests.federations import federation_of, small_settings
from tests.tables import random_table


@pytest.fixture
def bakeries(three_bakeries: str) -> list[BakeryRows]:
    settings = small_settings(three_bakeries, baselines=True)
    found = [bakery_rows_of(NodeSettings(k), settings, newcomer=False) for k in range(3)]
    return [each for each in found if each is not None]


def tables(bakeries: list[BakeryRows], workers: int) -> dict[str, bytes]:
    settings = bakeries[0].settings
    spec = DEMAND.negotiate([{"knows_season": False}], settings)
    model = DEMAND.first_model(spec, settings)
    assert isinstance(model, Forest)
    return simulated_tables(
        bakeries,
        frozenset(),
        model.to_bytes(),
        learning_rate=0.4,
        errors=None,
        workers=workers,
    )


def test_any_number_of_processes_makes_the_same_bytes(bakeries: list[BakeryRows]) -> None:
    """Whoever makes a bakery's tables opens it anew; the bakeries keep their order."""
    alone = tables(bakeries, 1)
    assert set(alone) == set(TABLES)
    assert all(each.sales.name.encode() in alone["days.csv"] for each in bakeries)
    assert tables(bakeries, 3) == alone


def test_what_bakeries_gave_is_taken_and_the_rest_is_made(
    bakeries: list[BakeryRows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gives its part once; only of the one that gave none models are trained again."""
    federation = federation_of(tmp_path / "run", bakeries[0].settings)
    result = federation.run()
    federation.test(result)
    with as_server(federation.grid):
        parts = federation.rounds.final.tables(result.last_round)
        assert federation.rounds.final.tables(result.last_round) == {}
    assert set(parts) == {"bakery 0", "bakery 1", "bakery 2"}
    made: list[int] = []
    kept = module._tables

    def noted(node: NodeSettings, *told: Any) -> dict[str, str]:
        made.append(node.partition)
        return kept(node, *told)

    monkeypatch.setattr(module, "_tables", noted)

    def whole(found: dict[str, dict[str, str]]) -> dict[str, bytes]:
        rate, model = federation.rounds.manager.learning_rate, result.model.to_bytes()
        return simulated_tables(
            bakeries,
            frozenset(),
            model,
            learning_rate=rate,
            errors=None,
            workers=1,
            found=found,
        )

    everything = whole(parts)
    assert set(everything) == set(TABLES)
    assert made == []
    del parts["bakery 1"]
    assert whole(parts) == everything == whole({})
    assert made == [1, 0, 1, 2]


def test_a_bakery_with_a_table_of_its_own_gives_none(tmp_path: Path) -> None:
    """Neither is one made in its final test, nor is a server that asks told anything."""
    table = random_table(bakeries=1, days=120).rows.drop(columns="bakery")
    table.to_csv(tmp_path / "own.csv", index=False)
    node: dict[str, ConfigValue] = {"sales": str(tmp_path / "own.csv"), "bakery": "Hafen"}
    settings = small_settings("", baselines=True, share_scores="yes")
    federation = federation_of(tmp_path / "run", settings, nodes=[node])
    result = federation.run()
    assert set(federation.test(result)) == {"Hafen"}
    (host,) = federation.grid._hosts.values()
    assert not any("tables" in name for name in host.context.state)
    with as_server(federation.grid):
        assert federation.rounds.final.tables(result.last_round) == {}
    ((_, _, reason),) = federation.failures()
    assert "refuses: tables of single days" in reason


def test_an_error_is_told_with_the_bakery_s_name(
    bakeries: list[BakeryRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(bakery: BakeryRows, _own: object) -> dict[str, pd.DataFrame]:
        if bakery.sales.name == bakeries[1].sales.name:
            raise GleanError(f"no table from process {os.getpid()}")
        return {}

    monkeypatch.setattr(module, "tables_of_client", refused)
    with pytest.raises(GleanError, match=f"{bakeries[1].sales.name}: no table"):
        tables(bakeries, 1)


def test_a_product_list_that_went_is_told_by_a_process_too(
    three_bakeries: str, tmp_path: Path
) -> None:
    settings = small_settings(three_bakeries, baselines=True, products=str(tmp_path / "gone.csv"))
    found = [bakery_rows_of(NodeSettings(k), settings, newcomer=False) for k in range(2)]
    with pytest.raises(GleanError, match=r"^bakery \d: .*gone.csv"):
        tables([each for each in found if each is not None], 2)
