"""Sales files that several tests share; a table is read once a process."""

from __future__ import annotations

import pytest

from tests.tables import random_table


@pytest.fixture(scope="session")
def three_bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a table of "bakery 0", "bakery 1" and "bakery 2": two products, 120 days."""
    path = tmp_path_factory.mktemp("sales") / "three.csv"
    random_table(bakeries=3).rows.to_csv(path, index=False)
    return str(path)
