"""Tables of a simulation's bakeries: the same bytes from one process and from several."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glean.demand import simulated_tables as module
from glean.demand.simulated_tables import simulated_tables
from glean.demand.workload import DEMAND
from glean.errors import GleanError
from glean.evaluation.tables.client_tables import TABLES
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.learning.forest import Forest
from glean.node_settings import NodeSettings
from tests.federations import small_settings


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


def test_an_error_is_told_with_the_bakery_s_name(
    bakeries: list[BakeryRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(bakery: BakeryRows, _own: object) -> None:
        if bakery.sales.name == bakeries[1].sales.name:
            raise GleanError(f"no table from process {os.getpid()}")

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
