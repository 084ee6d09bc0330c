"""A simulation on this machine: prepared and checked as a whole, then run in this process."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from glean.errors import FederationError, GleanError, SettingsError
from glean.federation.coordination.exchange import TEST
from glean.federation.grids.answers_apart import AnswersApart
from glean.federation.launch.flower_app import app_config
from glean.federation.launch.simulation_run import Simulation
from glean.federation.server.interrupted_run import read_interrupted
from glean.federation.workload.registry import workload_of
from glean.installed_packages import check_installed
from glean.languages.language import ENGLISH, Language
from glean.learning.xgboost_library import check_xgboost
from glean.operations.registry.start_model import with_fetched_model
from glean.operations.running.run_config import simulation_overrides
from glean.operations.running.stored_inputs import fetch_inputs
from glean.process_pool import warm_up, workers_of
from glean.regular_files import absolute_path, read_regular
from glean.settings import ConfigValue, RoundSettings, RunSettings
from glean.workloads import vocabulary_of

Engine = Literal["ray", "inprocess"]

_FEWEST_BAKERIES = 8
"""For each process: it takes as long to begin as their final test takes."""

_ASKED_OF_PROCESSES = ("glean.client_app", "glean.evaluation.worker_imports")


@dataclass(frozen=True)
class PreparedSimulation:
    """A simulation that can be started.

    Parameters
    ----------
    simulation : Simulation
        What shall be run.
    engine : str
        "ray": Flower's simulation; "inprocess": the same apps in one process.
    rounds : int
        Number of rounds.
    """

    simulation: Simulation
    engine: Engine
    rounds: int

    @property
    def language(self) -> Language:
        """What the terminal says of it with."""
        return ENGLISH.in_words_of(vocabulary_of(self.simulation.run_config["workload"]))


def prepare_simulation(
    given: Mapping[str, ConfigValue],
    *,
    engine: Engine = "ray",
    bakeries: int | None = None,
    results: Path | None = None,
    profile: Path | None = None,
) -> PreparedSimulation:
    """Check everything that can be checked before a simulation starts; what URLs name is fetched.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's; with `resume`, of a run to continue.
    engine : str
        "ray" or "inprocess".
    bakeries : int, optional
        How many; of a table the first by name, by default all.
    results : Path, optional
        Folder for run folders; by default the setting `output-dir`, or "results".
    profile : Path, optional
        Resources for Ray: a TOML file of Flower's flat keys.

    Raises
    ------
    GleanError
        It can't be run so.
    """
    _check_installed(engine)
    folder = results or Path(str(given.get("output-dir") or "results"))
    fetched = fetch_inputs(with_fetched_model(given, folder), folder)
    overrides = simulation_overrides(fetched)
    settings = RunSettings.from_config(app_config() | overrides)
    _check_inputs(settings)
    count = _count_bakeries(settings, bakeries)
    overrides["min-available-bakeries"] = _least_bakeries(settings, count)
    simulation = Simulation(
        bakeries=count,
        overrides=overrides,
        results=absolute_path(results or Path(settings.output_dir or "results")),
        profile={} if profile is None else _read_profile(profile),
    )
    return PreparedSimulation(simulation, engine, settings.rounds.num_server_rounds)


def run_simulation(prepared: PreparedSimulation, started: Callable[[int], None]) -> Path:
    """Run a simulation and wait for its end.

    Parameters
    ----------
    prepared : PreparedSimulation
        From `prepare_simulation`.
    started : callable
        Told the id of the run once it is known.

    Returns
    -------
    Path
        The run's folder, whether it succeeded or not (see `read_progress`).

    Raises
    ------
    FederationError
        It couldn't be started, or ended without a word.
    """
    if prepared.engine == "ray":
        return prepared.simulation.on_ray(started)
    simulation = prepared.simulation
    workers = _workers(simulation)
    if workers > 1:
        warm_up(_ASKED_OF_PROCESSES)
    from glean.client_app import answer_apart
    from glean.client_app import app as client_app
    from glean.server_app import app as server_app

    apart = AnswersApart(frozenset([TEST]), answer_apart, workers) if workers > 1 else None
    return simulation.in_process(started, server_app=server_app, client_app=client_app, apart=apart)


def _workers(simulation: Simulation) -> int:
    """How many processes share the end of a run in process; one where that is little."""
    bakeries = simulation.bakeries
    if not simulation.run_config["baselines"]:
        return 1
    return max(1, min(workers_of(os.environ), bakeries // _FEWEST_BAKERIES))


def _check_installed(engine: Engine) -> None:
    """Refuse before anything starts what this environment can't do."""
    check_xgboost()
    check_installed("matplotlib")
    if engine == "ray" and find_spec("ray") is None:
        raise FederationError(
            "found no Ray, on which Flower simulates; wanted pip install 'glean[simulation]', or "
            "--engine inprocess"
        )


def _check_inputs(settings: RunSettings) -> None:
    """Refuse before anything starts what every bakery would refuse in the first round."""
    workload_of(settings).check(settings)
    if settings.resume or settings.start_from:
        from glean.federation.server.start_model import read_start_model

        read_start_model(settings)


def _least_bakeries(settings: RunSettings, count: int) -> int:
    """How many bakeries to wait for: of one bakery's run one, else as the settings say."""
    wanted = settings.rounds.min_available_bakeries
    if wanted > max(count, RoundSettings().min_available_bakeries):
        raise SettingsError(
            f"min-available-bakeries: found {wanted}; wanted at most {count}: so many "
            "take part in this run"
        )
    return min(wanted, count)


def _count_bakeries(settings: RunSettings, wanted: int | None) -> int:
    had = _count_before(settings)
    if had is not None:
        if wanted not in (None, had):
            raise SettingsError(f"--bakeries: found {wanted}; the run to resume has {had}")
        return had
    return workload_of(settings).count_clients(settings, wanted)


def _count_before(settings: RunSettings) -> int | None:
    """How many bakeries the run to continue has; None where there is none, or it met nobody."""
    if not settings.resume:
        return None
    facts = read_interrupted(Path(settings.resume))
    while "nodes" not in facts and facts.get("resumed_from"):
        facts = read_interrupted(Path(facts["resumed_from"]))  # it was killed before it met anybody
    if facts.get("engine") == "deployment":
        raise SettingsError(
            f"resume: {settings.resume} is the run of a deployment, whose tables aren't here; "
            "continue it with `glean run CONNECTION --resume`"
        )
    return facts.get("nodes")


def _read_profile(path: Path) -> dict[str, ConfigValue]:
    try:
        content = tomllib.loads(read_regular(path).decode())
    except (OSError, ValueError) as error:
        raise GleanError(f"--profile {path}: {error}") from error
    nested = [key for key, value in content.items() if isinstance(value, dict)]
    if nested:
        raise SettingsError(f"--profile {path}: found the table [{nested[0]}]; wanted flat keys")
    return content
