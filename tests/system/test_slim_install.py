"""A bakery's environment, which has less than a machine that simulates: what works there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tests import processes
from tests.processes import REPOSITORY

pytestmark = pytest.mark.slow

SIMULATION_ONLY = {
    "ray",
    "pyarrow",
    "sklearn",
    "numba",
    "llvmlite",
    "matplotlib",
    "plotly",
    "fastapi_offline",
}
"""What pip install 'glean[shop]' doesn't bring, beside NVIDIA's libraries."""


def environment_without(folder: Path, missing: set[str]) -> dict[str, str]:
    """Environment variables for `python -S`: all that is installed here, but for some packages."""
    spec = importlib.util.find_spec("numpy")
    assert spec is not None
    assert spec.origin is not None
    here = Path(spec.origin).parents[1]
    site = folder / "site"
    site.mkdir()
    for path in here.iterdir():
        if path.name.partition(".")[0] not in missing and path.suffix != ".pth":
            (site / path.name).symlink_to(path)
    search = f"{REPOSITORY}:{site}"
    return processes.environment(folder / "flower", PYTHONPATH=search)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A bakery's environment."""
    return environment_without(tmp_path_factory.mktemp("shop"), SIMULATION_ONLY)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in an environment that can draw the report and has nothing else that a bakery lacks."""
    folder = tmp_path_factory.mktemp("run")
    drawing = environment_without(folder, SIMULATION_ONLY - {"matplotlib"})
    return simulate(folder / "slim", drawing, "-S")


def simulate(folder: Path, env: dict[str, str], *options: str) -> Path:
    """A small run in this process; its folder."""
    folder.mkdir()
    small = ("--bakeries", "2", "--set", "num-server-rounds=2", "--set", "max-depth=3")
    words = ("simulate", "--engine", "inprocess", *small, "--set", "baselines=false")
    command = (sys.executable, *options, "-m", "glean", *words)
    done = processes.run(*command, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "results" / "latest"


def test_without_what_a_bakery_lacks_the_model_is_the_same(model: Path, tmp_path: Path) -> None:
    """To the byte: Numba's loops and NumPy's give the same."""
    env = processes.environment(tmp_path / "flower", PYTHONPATH=str(REPOSITORY))
    whole = simulate(tmp_path / "whole", env)
    assert (model / "model.ubj").read_bytes() == (whole / "model.ubj").read_bytes()


def test_a_bakery_plans(shop: dict[str, str], model: Path, tmp_path: Path) -> None:
    """And looks its table over."""
    table = REPOSITORY / "data" / "bakery_1.csv"
    for words in (("plan", "--model", model, "--sales", table), ("data", "check", table)):
        command = (sys.executable, "-S", "-m", "glean", *map(str, words))
        done = processes.run(*command, cwd=tmp_path, env=shop)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "bake-plan.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate",), "found no matplotlib"),
        (("serve", "--port", "0"), "found no plotly, fastapi_offline"),
        (("data", "check", "sales.parquet"), "wanted a table as CSV, or pip install"),
    ],
)
def test_what_it_can_not_do_names_what_is_missing(
    shop: dict[str, str], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """Before anything begins, with the command that brings it."""
    (tmp_path / "sales.parquet").write_bytes(b"")
    command = (sys.executable, "-S", "-m", "glean", *words)
    done = processes.run(*command, cwd=tmp_path, env=shop)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
