"""A federation in which nobody has a full year: no features of the season, and worth joining."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.features.definition import FeatureDefinition
from glean.forecasting.forecasters import read_model
from glean.settings import ConfigValue, RunSettings
from tests.inprocess_runs import run

pytestmark = pytest.mark.slow

BAKERIES = 10


def test_sixty_days_of_each_bakery_make_more_than_each_makes_of_its_own(tmp_path: Path) -> None:
    """The federation's errors in total are no larger than those of models trained alone."""
    changes: dict[str, ConfigValue] = {
        "newcomer-fraction": 1.0,
        "newcomer-days": 60,
        "num-server-rounds": 12,
    }
    path = run(
        tmp_path,
        RunSettings().to_config() | changes,
        nodes=[{"partition-id": k} for k in range(BAKERIES)],
    )
    definition = read_model((path / "model.ubj").read_bytes()).definition
    assert isinstance(definition, FeatureDefinition)
    assert not definition.season
    scores = pd.read_csv(path / "bakeries.csv")
    sums = scores.groupby("method")[["abs_error", "units"]].sum()
    wape = sums["abs_error"] / sums["units"]
    assert (scores["cohort"] == "newcomer").all()
    assert wape["federated"] <= wape["local"]
    assert wape["chosen"] <= wape["local"]
