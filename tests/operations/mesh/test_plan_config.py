"""What can be proposed to a mesh."""

from __future__ import annotations

import pytest

from glean.errors import SettingsError
from glean.federation.launch.flower_app import app_config
from glean.operations.mesh.plan_config import plan_config
from glean.settings import ConfigValue, RunSettings


def test_a_plan_has_the_whole_run_config() -> None:
    """The app's, but for what is given, and without files of this machine."""
    found = plan_config({"num-server-rounds": 7})
    assert found["num-server-rounds"] == 7
    assert {*app_config()} - {*found} <= {*RunSettings().to_config()}
    assert not {"sales", "output-dir", "resume"} & {*found}
    assert RunSettings.from_config(found).rounds.num_server_rounds == 7


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sales": "sales.csv"}, "sales: found in a run on a mesh"),
        ({"start-from": "model.ubj"}, "a file of this machine"),
        ({"output-dir": "results"}, "output-dir"),
        ({"num-server-rounds": -1}, "num-server-rounds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_proposed_is_refused(given: dict[str, ConfigValue], said: str) -> None:
    """Before anybody hears of it."""
    with pytest.raises(SettingsError, match=said):
        plan_config(given)


def test_a_run_that_would_wait_in_vain_is_refused() -> None:
    """Of three members no five come together; masks want five unless it is said otherwise."""
    with pytest.raises(SettingsError, match="min-contributors: found 5, and 3 members"):
        plan_config({"privacy": "sums"}, members=3)
    with pytest.raises(SettingsError, match="min-available-bakeries: found 4, and 3 members"):
        plan_config({"privacy": "sums", "min-available-bakeries": 4}, members=3)
    assert plan_config({"privacy": "sums", "min-contributors": 3}, members=3)
    assert plan_config({"privacy": "sums"}, members=5)
