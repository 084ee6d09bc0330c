"""What a command loads before it is needed: nothing heavy for help, no federation for a plan."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.forecasting.test_recursive_forecast import MODEL
from tests.tables import random_table

LOADED = """
import sys
from glean.cli.app import app
try:
    app(sys.argv[1:])
finally:
    print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""

HEAVY = {"flwr", "grpc", "ray", "numba", "sklearn", "matplotlib", "sqlalchemy", "fastapi", "plotly"}
"""Takes tenths of a second or more, and no command at a bakery needs it."""

NUMBERS = {"numpy", "pandas", "scipy", "xgboost", "pyarrow", "holidays", "multiprocessing"}


def loaded_by(*words: str) -> set[str]:
    """Top names of all that is loaded at the end of a command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("loaded: ")
    return set(last.removeprefix("loaded: ").split())


@pytest.mark.parametrize("words", [("--help",), ("plan", "--help"), ("simulate", "--help")])
def test_help_loads_nothing_that_takes_long(words: tuple[str, ...]) -> None:
    assert loaded_by(*words) & (HEAVY | NUMBERS) == set()


def test_a_plan_loads_nothing_of_a_federation(tmp_path: Path) -> None:
    model, sales = tmp_path / "model.ubj", tmp_path / "sales.csv"
    model.write_bytes(MODEL.to_bytes())
    random_table(days=200, seed=4).rows.to_csv(sales, index=False)
    out = str(tmp_path / "plan.html")
    loaded = loaded_by("plan", "--model", str(model), "--sales", str(sales), "--out", out)
    assert loaded & HEAVY == set()
    assert "xgboost" in loaded  # the model was read
