"""A bakery that joins: a user of its own, an operator's side, a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.made_up_service import MadeUpService
from tests.tables import random_table


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of their own."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return tmp_path / "user"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[MadeUpService]:
    """An operator."""
    found = MadeUpService(tmp_path / "operator")
    yield found
    found.close()


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """A table."""
    path = tmp_path / "my sales.csv"
    random_table(bakeries=1).rows.drop(columns="bakery").to_csv(path, index=False)
    return path
