"""The documented commands turn each of the four real tables into the format."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from glean.cli.data import app
from glean.sales.quality.data_check import examine
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable

TABLES = os.environ.get("GLEAN_TABLES", "")
PAGE = Path(__file__).parents[2] / "docs" / "sales-tables.md"

pytestmark = pytest.mark.skipif(
    not TABLES, reason="GLEAN_TABLES names no folder with the real tables"
)


def imported(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> SalesTable:
    """Run the command of the documentation that writes `name`.csv, and read the result."""
    commands = re.findall(r"^glean data (import .*)$", PAGE.read_text(), re.MULTILINE)
    (command,) = [line for line in commands if line.endswith(f" {name}.csv")]
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, shlex.split(os.path.expandvars(command)))
    assert result.exit_code == 0, result.output
    assert f"next        glean data check {name}.csv" in result.output
    assert examine(Path(f"{name}.csv")).usable
    return read_sales(Path(f"{name}.csv"))


def original(path: str, columns: list[str]) -> pd.DataFrame:
    frame = pd.read_csv(Path(TABLES) / path)
    return frame.rename(columns=dict(zip(frame.columns, columns, strict=True)))


def test_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three branches to the end of 2019; returns floored, weather and holidays joined."""
    rows = imported("chain", tmp_path, monkeypatch).rows
    folder = "german_chain_3_branches"
    name = "hackathon_meteolytix_Artikelgruppen_Umsatz_verschiedeneStandorte.csv.gz"
    sales = original(f"{folder}/{name}", ["bakery", "date", "product", "units"])
    sales = sales[sales["date"] <= "2019-12-31"]
    assert len(rows) == len(sales) == 57_776
    assert rows["units"].sum() == pytest.approx(sales["units"].clip(lower=0).sum())
    assert set(rows["bakery"]) == {"1", "2", "3"}
    january = rows[rows["date"] == "2015-01-02"]
    assert set(january["temperature_c"]) == {7.75}
    assert set(january["cloud_cover"]) == {6.0}
    assert rows["temperature_c"].isna().mean() < 0.02
    assert set(rows[rows["date"] == "2019-10-03"]["holiday"]) == {1.0}
    assert set(rows[rows["date"] == "2019-10-04"]["holiday"]) == {0.0}


def test_restaurants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 100 restaurants in text order of those with 180 days or more."""
    table = imported("restaurants-100", tmp_path, monkeypatch)
    visits = original("restaurants_829/air_visit_data.csv.gz", ["bakery", "date", "units"])
    days = visits.groupby("bakery")["date"].nunique()
    expected = sorted(days.index[days >= 180])[:100]
    assert list(table.bakeries) == expected
    kept = visits[visits["bakery"].isin(expected)]
    assert len(table.rows) == len(kept)
    assert table.rows["units"].sum() == kept["units"].sum()
    new_year = table.rows[table.rows["date"] == "2017-01-01"]
    assert set(new_year["holiday"]) == {1.0}


def test_edinburgh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Till lines add up, repeated ones too; the lines of NONE are gone."""
    rows = imported("edinburgh", tmp_path, monkeypatch).rows
    columns = ["date", "time", "ticket", "product"]
    lines = original("edinburgh_till_lines/BreadBasket_DMS.csv.gz", columns)
    lines = lines[lines["product"] != "NONE"]
    assert rows["units"].sum() == len(lines) == 20_507
    coffee = lines[(lines["product"] == "Coffee") & (lines["date"] == "2016-11-05")]
    found = rows[(rows["product"] == "Coffee") & (rows["date"] == "2016-11-05")]
    assert found["units"].tolist() == [len(coffee)]
    assert rows["date"].nunique() == lines["date"].nunique()
    assert (rows["units"] == 0).any()


def test_stuttgart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven dishes on the open days, each with the date and weather of its line."""
    rows = imported("stuttgart", tmp_path, monkeypatch).rows
    days = pd.read_csv(Path(TABLES) / "stuttgart_restaurant" / "yaz_data.csv")
    units = pd.read_csv(Path(TABLES) / "stuttgart_restaurant" / "yaz_target.csv")
    is_open = days["is_closed"] == 0
    assert len(rows) == 7 * is_open.sum() == 5_320
    for dish in units:
        of_dish = rows[rows["product"] == dish]
        assert of_dish["units"].tolist() == units[dish][is_open].tolist()
        assert of_dish["date"].dt.strftime("%Y-%m-%d").tolist() == days["date"][is_open].tolist()
        assert of_dish["temperature_c"].tolist() == days["temperature"][is_open].tolist()
