"""Runs that several tests attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.audited_runs import NOISED, TELLING, Attacked, attacked, small_table


@pytest.fixture(scope="session")
def small_sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of four bakeries over 60 days."""
    return small_table(tmp_path_factory.mktemp("audited") / "four.csv")


@pytest.fixture(scope="session")
def telling(small_sales: Path) -> Attacked:
    """Without noise and without a floor, with scores that are hidden."""
    return attacked(small_sales, TELLING, share_scores="no")


@pytest.fixture(scope="session")
def floored(small_sales: Path) -> Attacked:
    """The same with at least three bakeries in each leaf."""
    return attacked(small_sales, TELLING, min_contributors=3, share_scores="no")


@pytest.fixture(scope="session")
def noised(small_sales: Path) -> Attacked:
    """With noise, at the default epsilon."""
    return attacked(small_sales, NOISED)
