"""What bakeries can do by themselves, on the days that they chose by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from glean.evaluation.tables.choices import WITHOUT_FEDERATION, errors_without_federation
from tests.inprocess_runs import config_of, run

TWO = pd.DataFrame(
    {
        "bakery": ["a", "b"],
        "validation_units": [100.0, 300.0],
        "wape_weekday-mean": [0.10, 0.20],
        "wape_local": [0.30, 0.10],
    }
)


def test_errors_of_all_are_weighted_by_what_is_sold() -> None:
    """As if the bakeries were one."""
    found = errors_without_federation(TWO)
    assert found == pytest.approx({"weekday-mean": 0.175, "local": 0.15})


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"wape_local": [0.3, np.nan]}, {"weekday-mean"}),
        ({"validation_units": [0.0, 0.0]}, set()),
    ],
)
def test_what_is_not_known_of_all_is_left_out(changes: dict[str, Any], known: set[str]) -> None:
    """One bakery's error isn't that of all."""
    assert set(errors_without_federation(TWO.assign(**changes))) == known


def test_a_run_of_an_earlier_version_has_none() -> None:
    """Its table has other columns."""
    assert errors_without_federation(TWO[["bakery"]]) == {}


def test_a_simulation_tells_them(tmp_path: Path, three_bakeries: str) -> None:
    """Of the rows that the rounds are scored on: there the shared model has the rounds' error."""
    folder = run(tmp_path, config_of(three_bakeries, num_server_rounds=1, baselines=True))
    choices = pd.read_csv(folder / "choice.csv").set_index("bakery")
    assert set(errors_without_federation(choices)) == set(WITHOUT_FEDERATION)
    rounds = pd.read_csv(folder / "bakery_rounds.csv").set_index("bakery")
    assert choices["wape_federated"].to_dict() == pytest.approx(rounds["wape"].to_dict(), rel=1e-4)
    whole = pd.read_csv(folder / "rounds.csv")["wape"].iloc[-1]
    weights = choices["validation_units"]
    assert np.average(choices["wape_federated"], weights=weights) == pytest.approx(whole, rel=1e-4)
