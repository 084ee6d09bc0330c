"""A model that a run can't go on from is refused, with what it has and what is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glean.errors import SettingsError
from glean.features.definition import FeatureDefinition
from glean.learning.forest import Forest
from glean.learning.weight_models import initial_weights
from glean.settings import ConfigValue
from tests.inprocess_runs import config_of, run


def tree_model(**changes: Any) -> bytes:
    traits: dict[str, Any] = {"horizon_days": 1, "season": False, "covariates": ()}
    objective = changes.pop("objective", "reg:squarederror")
    return Forest.empty(FeatureDefinition(**traits | changes), objective=objective).to_bytes()


WEIGHTS = initial_weights("poisson", FeatureDefinition(horizon_days=1, season=False), seed=1)
UNFIT = {
    "text": (b"to whom it may concern", {}, "start-from: .*old.model: "),
    "weights for trees": (
        WEIGHTS.to_npz(),
        {},
        "averaged weights .poisson.; this run's is trees",
    ),
    "trees for weights": (
        tree_model(),
        {"aggregation": "fedavg"},
        "the kind trees; this run's",
    ),
    "other weights": (WEIGHTS.to_npz(), {"aggregation": "fedavg"}, "this run's is .*neural"),
    "objective": (
        tree_model(objective="count:poisson"),
        {},
        "the objective count:poisson; this run's is reg:squarederror",
    ),
    "horizon": (tree_model(horizon_days=2), {}, "the horizon in days 2; this run's is 1"),
    "covariates": (
        tree_model(covariates=("footfall",)),
        {},
        "the covariates footfall; this run's is .none.",
    ),
}


@pytest.mark.parametrize(("content", "changes", "words"), UNFIT.values(), ids=UNFIT)
def test_a_model_that_does_not_fit_is_refused(
    content: bytes,
    changes: dict[str, ConfigValue],
    words: str,
    tmp_path: Path,
    three_bakeries: str,
) -> None:
    """The message names the file, what it has and what the run has."""
    path = tmp_path / "old.model"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as refused:
        run(tmp_path, config_of(three_bakeries, start_from=str(path), **changes))
    assert str(path) in str(refused.value)
    assert "wanted the model of a run with the same aggregation" in str(refused.value)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path, three_bakeries: str) -> None:
    """With its path, and what kind of file is wanted."""
    with pytest.raises(SettingsError, match=r"start-from: .*none\.ubj can't be read"):
        run(tmp_path, config_of(three_bakeries, start_from=str(tmp_path / "none.ubj")))
