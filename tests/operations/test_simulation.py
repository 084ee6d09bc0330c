"""Preparing a simulation: what it is made of, and that nothing is written before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.demand.workload import DEFAULT_BAKERIES
from glean.errors import FederationError, SettingsError
from glean.federation.launch.flower_app import app_config
from glean.operations.running.run_config import deployment_overrides
from glean.operations.running.simulation import prepare_simulation
from glean.settings import ConfigValue
from tests.inprocess_runs import config_of, cut_off


def test_a_simulation_is_prepared_from_plain_arguments(
    tmp_path: Path, three_bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All bakeries of a table, or the first ones; paths become absolute; nothing is written."""
    monkeypatch.chdir(Path(three_bakeries).parent)
    given: dict[str, ConfigValue] = {"sales": Path(three_bakeries).name, "num-server-rounds": 3}
    profile = tmp_path / "profile.toml"
    profile.write_text("client-resources-num-cpus = 2\n", encoding="utf-8")
    results = tmp_path / "results"
    prepared = prepare_simulation(given, results=results, profile=profile)
    assert (prepared.engine, prepared.rounds, prepared.simulation.bakeries) == ("ray", 3, 3)
    assert prepared.simulation.run_config["sales"] == three_bakeries
    assert prepared.simulation.profile == {"client-resources-num-cpus": 2}
    assert prepared.simulation.results == results
    assert not results.exists()
    assert prepare_simulation(given, bakeries=2).simulation.bakeries == 2
    with pytest.raises(SettingsError, match="the table has 3"):
        prepare_simulation(given, bakeries=4)


def test_without_a_table_the_bakeries_are_synthetic() -> None:
    """Five of them; one alone waits for nobody else."""
    assert prepare_simulation({}).simulation.bakeries == DEFAULT_BAKERIES
    alone = prepare_simulation({}, bakeries=1).simulation
    assert alone.run_config["min-available-bakeries"] == 1


def test_a_run_is_resumed_as_it_was_set(tmp_path: Path, three_bakeries: str) -> None:
    """With its own settings, bakeries and folder of results."""
    config = config_of(three_bakeries, num_server_rounds=3, test_start="2023-04-10")
    old = cut_off(tmp_path / "old", config, round_number=2)
    prepared = prepare_simulation({"resume": str(old)}, engine="inprocess")
    assert (prepared.rounds, prepared.simulation.bakeries) == (3, 3)
    assert prepared.simulation.results == old.parent
    assert prepared.simulation.run_config["resume"] == str(old)
    with pytest.raises(SettingsError, match="max-depth: found 9"):
        prepare_simulation({"resume": str(old), "max-depth": 9})
    assert deployment_overrides({"resume": str(old)})["num-server-rounds"] == 3


def test_a_deployment_gets_what_differs_and_no_more(tmp_path: Path) -> None:
    """Its app's own config is the server's; a run to resume must be here."""
    assert deployment_overrides({"seed": 7}) == {"seed": 7}
    assert app_config().keys() > {"seed"}
    with pytest.raises(FederationError, match="continue it from there"):
        deployment_overrides({"resume": str(tmp_path / "elsewhere")})
