"""Commands as typed on a bad day: one clear line, an exit code that isn't 0, and no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.typed_commands import glean
from tests.tables import random_table

pytestmark = [pytest.mark.usefixtures("elsewhere"), pytest.mark.timeout(60)]


def refused(result: Result, *words: str) -> None:
    """Refused in one line on stderr."""
    said = result.stderr.strip()
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert said.count("\n") == 0, said
    assert all(word in said for word in words), said


@pytest.fixture
def table(elsewhere: Path) -> Path:
    """A bakery's sales."""
    path = elsewhere / "sales.csv"
    random_table(days=30).rows.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("command", ["plan", "forecast"])
@pytest.mark.parametrize(
    ("out", "why"),
    [("there", "a folder is there"), ("nowhere/plan.html", "No such file"), ("loop", "circle")],
)
def test_a_place_that_can_not_be_written_is_refused_before_any_work(
    command: str, out: str, why: str, elsewhere: Path
) -> None:
    """Also before the model is looked for."""
    (elsewhere / "there").mkdir()
    (elsewhere / "loop").symlink_to("loop")
    refused(glean(command, "--model", "none", "--out", out), out, why)


def test_a_page_is_not_its_own_table() -> None:
    """The table of the same name would replace it."""
    refused(glean("plan", "--model", "none", "--out", "plan.csv"), "plan.csv", "wanted a page")


def pipe(path: Path) -> str:
    os.mkfifo(path)
    return "a pipe, not a file"


def device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "a device, not a file"


def loop(path: Path) -> str:
    path.symlink_to(path.name)
    return "symbolic links"


NAMED = {
    "check": ("data", "check", "FILE"),
    "import": ("data", "import", "FILE", "--date", "d", "--units", "u", "--out", "o.csv"),
    "covariates": (
        *("data", "import", "sales.csv", "--date", "date", "--units", "units"),
        *("--bakery", "bakery", "--product", "product", "--out", "o.csv", "--covariates", "FILE"),
    ),
    "align rows": (
        *("data", "import", "sales.csv", "--date", "date", "--units", "units"),
        *("--bakery-name", "Anna", "--out", "o.csv", "--align-rows", "FILE"),
    ),
    "simulate": ("simulate", "--engine", "inprocess", "--sales", "FILE"),
    "simulated products": (
        *("simulate", "--engine", "inprocess", "--sales", "sales.csv", "--set", "products=FILE"),
    ),
    "profile": ("simulate", "--profile", "FILE"),
    "start-from": ("simulate", "--set", "start-from=FILE"),
    "plan": ("plan", "--model", "none", "--sales", "FILE"),
    "products": ("plan", "--model", "none", "--sales", "sales.csv", "--products", "FILE"),
    "model": ("plan", "--model", "FILE", "--sales", "sales.csv"),
    "report": ("report", "FILE"),
    "resume": ("simulate", "--resume", "FILE"),
}  # fmt: skip
"""Commands that are given a file, by what it is."""


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("make", [pipe, device, loop])
@pytest.mark.parametrize("words", NAMED.values(), ids=NAMED)
def test_only_regular_files_are_read(
    words: tuple[str, ...], make: Callable[[Path], str], elsewhere: Path
) -> None:
    """A pipe would be waited for, a device fill the memory, and a circle of links lead nowhere."""
    make(elsewhere / "odd.csv")
    result = glean(*(word.replace("FILE", "odd.csv") for word in words))
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert any(name in result.output for name in ("odd.csv", "/dev/zero"))
    assert "Traceback" not in result.output


def test_a_deleted_working_directory_is_named(elsewhere: Path) -> None:
    """Whatever is typed in it with a relative path."""
    elsewhere.rmdir()
    for words in (("report", "results/latest"), ("plan", "--model", "m"), ("simulate",)):
        refused(glean(*words), "found no working directory")
