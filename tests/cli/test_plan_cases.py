"""Plans of small tables that once went wrong, in a folder beside the repository, are right."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app

CASES = os.environ.get("GLEAN_CASES", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES, reason="GLEAN_CASES names no folder with the cases"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that the cases are planned with."""
    folder = tmp_path_factory.mktemp("cases")
    table = folder / "base.csv"
    table.write_bytes(gzip.decompress((Path(CASES) / "base.csv.gz").read_bytes()))
    words = ["simulate", "--engine", "inprocess", "--sales", str(table), "--out", str(folder)]
    result = CliRunner().invoke(app, [*words, "--set", "num-server-rounds=15"])
    assert result.exit_code == 0, result.output
    return folder / "latest"


def planned(run: Path, name: str, folder: Path, *words: str) -> tuple[pd.DataFrame, Result]:
    """Lines of the plan by product, and all that is said."""
    out = folder / "plan.html"
    command = ["plan", "--model", str(run), "--sales", str(Path(CASES) / name), "--out", str(out)]
    result = CliRunner().invoke(app, [*command, *words])
    assert result.exit_code == 0, result.output
    return pd.read_csv(out.with_suffix(".csv")).set_index("product"), result


@pytest.mark.parametrize("day", ["2024-11-16", "2024-11-23", "2024-11-30", "2024-12-07"])
def test_one_order_moves_no_plan(day: str, run: Path, tmp_path: Path) -> None:
    """Of 3,000 rolls, where about 330 are usual."""
    plan, result = planned(run, "p_catering.csv.gz", tmp_path, "--date", day)
    assert plan["bake"]["Roll"] == pytest.approx(345, rel=0.04)
    assert "Saturday 9 November: 3,000 of Roll" in result.output


def test_a_weekend_product_and_a_standing_order(run: Path, tmp_path: Path) -> None:
    plan, result = planned(run, "p_a.csv.gz", tmp_path, "--date", "2024-11-19")
    assert "Sunday plait" not in plan.index
    assert "Not sold on Tuesdays, so not planned: Sunday plait." in result.output
    for column in ("bake", "likely_low", "likely_high"):
        assert plan[column]["Constant"] == 10


def test_a_season_to_come(run: Path, tmp_path: Path) -> None:
    """Asked about; planned once it is told."""
    day = ("--date", "2024-11-10")
    plan, result = planned(run, "p_preseason.csv.gz", tmp_path, *day)
    assert "Stollen" not in plan.index
    assert "Stollen: sold at this time last year" in result.output
    told = [str(Path(CASES) / f"stollen_{name}.csv") for name in ("products", "coming")]
    words = (*day, "--products", told[0], "--coming", told[1])
    plan, _ = planned(run, "p_preseason.csv.gz", tmp_path, *words)
    assert plan["expected"]["Stollen"] == pytest.approx(30, rel=0.15)


def test_a_product_that_was_dropped(run: Path, tmp_path: Path) -> None:
    plan, result = planned(run, "p_discont.csv.gz", tmp_path)
    assert "Croissant" not in plan.index
    assert "Croissant: left out, as it hasn't been sold since Saturday 19 Oct" in result.output


def test_pieces_beside_kilograms(run: Path, tmp_path: Path) -> None:
    plan, _ = planned(run, "p_kg_mixed.csv.gz", tmp_path)
    bakes = plan["bake"].to_numpy(dtype=float)
    by_weight = plan.index == "Rye loaf"
    np.testing.assert_array_equal(bakes[~by_weight], bakes[~by_weight].round())
    np.testing.assert_array_equal(bakes, bakes.round(1))
