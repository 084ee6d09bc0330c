"""What lies beside a model in a run's folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.aggregation.error_histogram import COUNTS_LENGTH, ErrorDistribution
from glean.errors import GleanError
from glean.forecasting.model_source import find_model
from glean.forecasting.prior import ERRORS_FILE
from tests.forecasting.test_recursive_forecast import MODEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model and the federation's errors."""
    (tmp_path / "model.ubj").write_bytes(MODEL.to_bytes())
    errors = ErrorDistribution(1.0, 0.04, (1,) * COUNTS_LENGTH)
    (tmp_path / ERRORS_FILE).write_text(errors.to_json())
    return tmp_path


def test_the_errors_of_a_run_lie_beside_its_model(folder: Path) -> None:
    """And none where there is no such file."""
    found = find_model(folder).errors
    assert found is not None
    assert found.scale == (1.0, 0.04)
    (folder / ERRORS_FILE).unlink()
    assert find_model(folder).errors is None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 200_000, b"[]", b'{"by_chance": 1}'])
def test_damaged_errors_are_named(folder: Path, content: bytes) -> None:
    """By the file, with what to do."""
    (folder / ERRORS_FILE).write_bytes(content)
    with pytest.raises(GleanError, match=r"widths\.json is damaged: .*delete it to go on"):
        find_model(folder)


@pytest.mark.parametrize("content", [b"{", b"[" * 200_000])
def test_a_damaged_run_is_named(folder: Path, content: bytes) -> None:
    """Its settings would say which holidays there are."""
    (folder / "run.json").write_bytes(content)
    with pytest.raises(GleanError, match=r"run\.json: can't be read as JSON"):
        find_model(folder)
