"""A made-up run of five bakeries with its report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glean.evaluation.pages.report import write_report
from tests.evaluation.made_runs import made_run


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made_run(tmp_path_factory.mktemp("runs") / "five")
    write_report(folder)
    return folder


@pytest.fixture
def run(five: Path, tmp_path: Path) -> Path:
    """A copy of the made-up run to damage."""
    return Path(shutil.copytree(five, tmp_path / "run"))
