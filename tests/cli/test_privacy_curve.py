"""`glean privacy-curve` as typed: words, files and exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from glean.evaluation.tables.privacy_curve import COLUMNS
from tests.cli.typed_commands import glean

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_it_writes_a_table_and_a_picture_and_says_where(
    monkeypatch: pytest.MonkeyPatch, three_bakeries: str, tmp_path: Path
) -> None:
    """The rows are told on stderr as they come; the table is printed in plain words."""
    row = dict.fromkeys(COLUMNS, 0.25) | {"bakeries": 3, "seed": 42}
    sums = row | {"privacy": "sums", "epsilon": float("nan")}
    noise = row | {"privacy": "noise", "epsilon": 4.0, "epsilon_of_a_days_sales": 1595.2}

    def rows(*_: object, **__: object) -> Iterator[pd.DataFrame]:
        yield from (pd.DataFrame([each])[list(COLUMNS)] for each in (sums, noise))

    monkeypatch.setattr("glean.operations.reports.privacy_curve.measure_curve", rows)
    result = glean("privacy-curve", "--sales", three_bakeries, "--seeds", "1", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "3 bakeries, seed 42, epsilon 4: shared model 25.00%, chosen 25.00%" in result.stderr
    assert "What noise costs 3 bakeries" in result.stdout
    assert "4 / 1,595" in result.stdout
    folder = tmp_path / "privacy-curve"
    assert {path.name for path in folder.iterdir()} == {"privacy_curve.csv", "privacy-curve-3.png"}
    assert all(str(path) in result.stdout for path in folder.iterdir())


def test_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    """Nothing is measured."""
    result = glean("privacy-curve", "--set", "epsilon=2")
    assert result.exit_code == 2
    assert result.stderr.startswith("epsilon: found in the settings of a curve")
