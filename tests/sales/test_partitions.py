"""Which bakery a node plays, wherever the package runs from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import SalesError, SettingsError
from glean.node_settings import NodeSettings
from glean.sales import partitions
from glean.sales.partitions import BakerySales, bakeries_of_run, bakery_of_node
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.windows import windows_of
from glean.settings import TableSettings, WindowSettings
from tests.tables import random_table

PACKAGE = Path(partitions.__file__).parent.parent


def write(path: Path, **changes: int) -> str:
    random_table(days=40, **changes).rows.to_csv(path, index=False)
    return str(path)


def own(node: NodeSettings, table: TableSettings | None = None) -> BakerySales:
    found = bakery_of_node(node, table or TableSettings())
    assert found is not None
    return found


def test_without_a_table_each_node_makes_its_synthetic_bakery() -> None:
    """Node k plays synthetic bakery k of the run's scenario, with the truth beside it."""
    found = own(NodeSettings(partition=2), TableSettings(scenario="unrelated"))
    made = synthetic_bakery(2, scenario="unrelated")
    assert (found.name, found.region, found.own_table) == (made.name, made.region, False)
    pd.testing.assert_frame_equal(found.table.rows, made.table.rows)
    assert found.expected is not None
    assert np.array_equal(found.expected, made.expected)


def test_the_synthetic_bakeries_need_no_file(tmp_path: Path) -> None:
    """From a folder of Python files alone, as in Flower's bundle, they are the same ones."""
    bundle = tmp_path / "bundle"
    ignored = shutil.ignore_patterns("__pycache__", "*.toml", "py.typed")
    shutil.copytree(PACKAGE, bundle / "glean", ignore=ignored)
    code = (
        "import glean.sales.partitions as p\n"
        "from glean.node_settings import NodeSettings\n"
        "from glean.settings import TableSettings\n"
        "b = p.bakery_of_node(NodeSettings(partition=1), TableSettings())\n"
        "print(p.__file__); print(b.name, len(b.table.rows), b.table.rows['units'].sum())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(bundle)},
        capture_output=True,
        text=True,
        check=True,
    )
    place, facts = done.stdout.splitlines()
    here = own(NodeSettings(partition=1))
    assert Path(place).is_relative_to(bundle)
    assert facts == f"{here.name} {len(here.table.rows)} {here.table.rows['units'].sum()}"


def test_a_run_s_table_is_shared_out_by_name(tmp_path: Path) -> None:
    """Node k plays the k-th bakery by name and sees its rows only; further nodes play none."""
    table = TableSettings(sales=write(tmp_path / "t.csv", bakeries=3), holiday_region="DE-SH")
    found = bakeries_of_run(table, 5)
    assert [bakery.name for bakery in found] == ["bakery 0", "bakery 1", "bakery 2"]
    for bakery in found:
        assert bakery.table.bakeries == (bakery.name,)
        assert (bakery.region, bakery.expected, bakery.own_table) == ("DE-SH", None, False)
    assert bakery_of_node(NodeSettings(partition=3), table) is None


def test_a_node_s_own_table_beats_the_run_s(tmp_path: Path) -> None:
    """Where the node config names a table, the run's is not even opened."""
    node = NodeSettings(sales=write(tmp_path / "mine.csv", seed=4), bakery="Rue Mouffetard")
    found = own(node, TableSettings(sales="/nowhere/table.csv"))
    assert (found.name, found.own_table) == ("Rue Mouffetard", True)
    assert len(found.table.rows) == len(random_table(days=40, seed=4).rows)


def test_a_bakery_without_a_name_takes_the_table_s(tmp_path: Path) -> None:
    """A table of one bakery says its name; the node config need not."""
    assert own(NodeSettings(sales=write(tmp_path / "mine.csv"))).name == "bakery 0"


def test_in_a_table_of_several_bakeries_the_node_says_which(tmp_path: Path) -> None:
    """Told its name it has its rows; untold it refuses to guess, and lists the names."""
    path = write(tmp_path / "both.csv", bakeries=2)
    mine = own(NodeSettings(sales=path, bakery="bakery 1"))
    assert mine.table.bakeries == ("bakery 1",)
    for name in ("", "Bakery 1"):
        with pytest.raises(SettingsError, match=r"2 bakeries \(bakery 0, bakery 1\); say which"):
            bakery_of_node(NodeSettings(sales=path, bakery=name), TableSettings())


def test_a_table_that_is_not_there_is_a_sales_error(tmp_path: Path) -> None:
    """A wrong path ends in a sentence with the path, not in a traceback."""
    with pytest.raises(SalesError, match=r"gone\.csv"):
        bakery_of_node(NodeSettings(), TableSettings(sales=str(tmp_path / "gone.csv")))


def test_a_table_written_anew_is_read_anew(tmp_path: Path) -> None:
    """The table kept from the last read isn't used once the file has changed."""
    path = tmp_path / "t.csv"
    table = TableSettings(sales=write(path, bakeries=1))
    assert len(bakeries_of_run(table, 3)) == 1
    write(path, bakeries=2)
    os.utime(path, ns=(1, 1))
    assert len(bakeries_of_run(table, 3)) == 2


@pytest.mark.parametrize("days", [0, 1, 30])
def test_a_newcomer_keeps_its_last_days_and_their_truth(days: int) -> None:
    """The cut keeps the test window and `days` before it; the truth stays beside its rows."""
    whole = own(NodeSettings(partition=0))
    assert whole.expected is not None
    start = windows_of(whole.table, WindowSettings()).test_start
    cut = whole.since(start, days=days)
    truth = whole.table.rows.assign(expected=whole.expected)
    kept = truth[truth["date"] >= start - pd.Timedelta(days=days)].reset_index(drop=True)
    pd.testing.assert_frame_equal(cut.table.rows, kept.drop(columns="expected"))
    assert cut.expected is not None
    assert np.array_equal(cut.expected, kept["expected"])
    assert windows_of(cut.table, WindowSettings()).test_start == start
    assert len(whole.expected) == len(whole.table.rows)


def test_a_newcomer_without_a_known_truth_is_cut_too() -> None:
    """Real tables have no truth to keep aligned."""
    whole = replace(own(NodeSettings(partition=0)), expected=None)
    cut = whole.since(pd.Timestamp("2024-06-01"), days=10)
    assert cut.expected is None
    assert cut.table.rows["date"].min() >= pd.Timestamp("2024-05-22")


def test_a_bakery_that_closed_long_before_the_test_is_never_without_rows() -> None:
    """Cut to days on which it didn't trade any more, its last day is left."""
    whole = own(NodeSettings(partition=0))
    last = whole.table.rows["date"].max()
    cut = whole.since(last + pd.Timedelta(days=90), days=30)
    assert set(cut.table.rows["date"]) == {last}
