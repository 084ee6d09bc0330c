"""Who was in which rounds, read from a run's folder, and how even it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import GleanError
from glean.runs.participation import jain_index, read_participation


def written(folder: Path, *rows: str) -> Path:
    lines = ["round,bakery,staleness", *rows]
    (folder / "participation.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_rounds_and_staleness_are_counted_by_client(tmp_path: Path) -> None:
    """Those in no round too; names stay text."""
    folder = written(tmp_path, "1,007,0", "1,NA,0", "2,007,0", "3,007,3")
    found = read_participation(folder, ["NA", "late", "007"])
    assert found is not None
    assert found.clients["rounds"].to_dict() == {"007": 3, "NA": 1, "late": 0}
    assert found.clients.loc["007", "mean_staleness"] == 1.0
    assert found.clients.loc["007", "max_staleness"] == 3.0
    assert found.clients["mean_staleness"].isna().to_dict()["late"]
    assert (found.rounds, found.updates, found.mean_staleness) == (3, 4, 0.75)
    assert found.jain == pytest.approx(16 / 30)


def test_runs_of_all_in_each_round_have_none(tmp_path: Path) -> None:
    """No table, or one without rows."""
    assert read_participation(tmp_path, ["A"]) is None
    assert read_participation(written(tmp_path), ["A"]) is None


@pytest.mark.parametrize("row", ["1,A,", "x,A,0", "1,A,soon"])
def test_a_damaged_table_is_named(row: str, tmp_path: Path) -> None:
    """And not read in part."""
    with pytest.raises(GleanError, match=r"participation\.csv"):
        read_participation(written(tmp_path, "1,A,0", row), ["A"])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_the_index_is_between_one_in_n_and_one(counts: list[int]) -> None:
    """And the same for counts that are all multiplied."""
    found = jain_index(counts)
    assert 1 / len(counts) - 1e-9 <= found <= 1 + 1e-9
    assert jain_index([3 * count for count in counts]) == pytest.approx(found)
