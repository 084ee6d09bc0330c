"""Names that are nearly the same."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.operations.tables.remarks import remarks_of
from glean.sales.quality.data_check import examine
from glean.sales.quality.like_names import like_names
from tests.sales.quality.sales_weeks import file_of, sales


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Croissant", "croisant ", True),
        ("Rye bread", "rye-bread", True),
        ("Brötchen", "Broetchen", True),
        ("Bread 1", "Bread 2", False),
        ("Roll", "Rolls", True),
        ("Tea", "Pea", False),
        ("Cheese roll", "Wheat roll", False),
        ("Latte", "Lattice", False),
    ],
)
def test_like_names(one: str, other: str, alike: bool) -> None:
    """Slips of the keyboard are alike; numbers, short words and other things aren't."""
    assert bool(like_names([one, other])) == alike


WORDS = ["roll", "rye", "wheat", "cheese", "apple", "cherry", "brötchen", "tart", "1", "500g"]


def random_names(count: int) -> list[str]:
    """Draw names of a few words, every fifth with a slip of the keyboard in the one before it."""
    rng = np.random.default_rng(8)
    names: list[str] = []
    for number in range(count):
        name = " ".join(rng.choice(WORDS, rng.integers(1, 5), replace=False))
        if number % 5 == 4:
            at = rng.integers(len(names[-1]))
            name = names[-1][:at] + "aZ -"[rng.integers(4)] + names[-1][at + 1 :]
        names.append(name)
    return names


def test_like_names_against_every_pair() -> None:
    """Counting letters first loses no pair that comparing all of them finds."""
    names = sorted(set(random_names(150)))
    every = [pair for pair in combinations(names, 2) if like_names(pair)]
    assert len(every) > 10
    assert like_names(names) == every


def test_thousands_of_names_are_compared() -> None:
    """A twin among three thousand names is found."""
    names = random_names(3000)
    assert ("Sourdough loaf", "sourdogh loaf") in like_names(
        [*names, "Sourdough loaf", "sourdogh loaf"]
    )


def test_names_too_many_to_compare_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes silence for a clean bill."""
    monkeypatch.setattr("glean.sales.quality.like_names.MOST_NAMES", 2)
    monkeypatch.setattr("glean.operations.tables.remarks.MOST_NAMES", 2)
    rows = pd.concat([sales(20).assign(product=name) for name in ("Roll", "Rolls", "Cake")])
    remarks = list(remarks_of(examine(file_of(tmp_path, rows))))
    assert remarks == [
        "3 names of products weren't compared to find some that mean the same; up to 2 are."
    ]


def test_names_of_bakeries_are_compared(tmp_path: Path) -> None:
    """Bakeries that differ in a blank or a capital are asked about; the others aren't."""
    rows = pd.concat([sales(20).assign(bakery=name) for name in ("North", "North ", "north", "A")])
    report = examine(file_of(tmp_path, rows))
    assert report.like_bakeries == (("North", "North "), ("North", "north"), ("North ", "north"))
    assert report.like_products == ()
    assert "Bakeries 'North' and 'North ': are these the same?" in "\n".join(remarks_of(report))
