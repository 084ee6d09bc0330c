"""`glean simulate`: a whole federation on this machine, followed until its true end."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.cli.typed_settings import typed_settings, whole_paths
from glean.errors import FederationError, GleanError, SettingsError
from glean.federation.launch.flower_app import app_config
from glean.settings import ConfigValue, RoundSettings, RunSettings

if TYPE_CHECKING:
    from glean.federation.launch.simulation_run import Simulation

RUN_FAILED = 1
"""Exit code of a command whose run failed."""

DEFAULT_BAKERIES = 5


@friendly_errors()
def simulate(
    engine: Annotated[
        Literal["ray", "inprocess"],
        typer.Option(help="ray: Flower's simulation; inprocess: the same apps in this process."),
    ] = "ray",
    bakeries: Annotated[
        int | None,
        typer.Option(min=1, help="How many; of a table the first by name (default: all)."),
    ] = None,
    sales: Annotated[
        Path | None, typer.Option(help="Sales table; without it the bakeries are synthetic.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Resources for Ray: a TOML file of Flower's flat keys.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Run config; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="results")
    ] = None,
    growth: Annotated[
        bool,
        typer.Option("--growth", help="Also measure what more bakeries bring (minutes)."),
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(help="Folder of a run that was interrupted: continue it, as it was set."),
    ] = None,
) -> None:
    """Run a federation on this machine and show what it brings.

    Exit codes: 0 completed, 1 failed, 2 not a run that can be done, 130 ended by Ctrl-C, 143 by
    kill.
    """
    from glean.federation.launch.simulation_run import Simulation
    from glean.runs.index import read_run

    typed = typed_settings(set_ or [], sales=sales, resume=resume)
    overrides = _overrides(typed)
    settings = RunSettings.from_config(app_config() | overrides)
    _check_at_the_door(settings)
    count = _count_bakeries(settings, bakeries)
    overrides["min-available-bakeries"] = _least_bakeries(settings, count)
    results = out or Path(settings.output_dir or "results")
    simulation = Simulation(
        bakeries=count,
        overrides=overrides,
        results=results.resolve(),
        profile=_profile(profile),
    )
    with ended_by_signals():
        folder = _run(simulation, engine, settings.rounds.num_server_rounds)
    run = read_run(folder)
    if run.status != "completed":
        typer.echo(f"the run failed: {run.reason}\nits folder: {folder}", err=True)
        raise typer.Exit(RUN_FAILED)
    from glean.cli.report import show_report, show_results

    if growth:
        show_report(folder, growth=True)
    else:
        show_results(folder)


def _run(simulation: Simulation, engine: str, rounds: int) -> Path:
    from glean.cli.progress import following

    with following(simulation.results, rounds) as started:
        try:
            if engine == "ray":
                return simulation.on_ray(started)
            from glean.client_app import app as client_app
            from glean.server_app import app as server_app

            return simulation.in_process(started, server_app=server_app, client_app=client_app)
        except FederationError as error:
            typer.echo(f"the run failed: {error}", err=True)
            raise typer.Exit(RUN_FAILED) from None


def _overrides(typed: dict[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Take what was typed and, of a run to continue, all that it was told."""
    if not typed.get("resume"):
        return whole_paths(app_config()) | typed
    from glean.federation.server.interrupted_run import resumed_config

    run = Path(str(typed["resume"]))
    return resumed_config(run, {"output-dir": str(run.parent), **typed})


def _least_bakeries(settings: RunSettings, count: int) -> int:
    """How many bakeries to wait for: of one bakery's run one, else as the settings say."""
    wanted = settings.rounds.min_available_bakeries
    if wanted > max(count, RoundSettings().min_available_bakeries):
        raise SettingsError(
            f"min-available-bakeries: found {wanted}; wanted at most {count}, the number of "
            "bakeries in this run"
        )
    return min(wanted, count)


def _check_at_the_door(settings: RunSettings) -> None:
    """Refuse before anything starts what every bakery would refuse in the first round."""
    from glean.features.definition import check_covariates
    from glean.sales.calendars import public_holidays
    from glean.sales.products import read_products

    check_covariates(settings.covariates)
    if settings.table.products:
        read_products(Path(settings.table.products))
    if settings.table.holiday_region:
        day = pd.Timestamp(settings.windows.test_start or "2024-01-01")
        public_holidays(settings.table.holiday_region, day, day)
    if settings.resume or settings.start_from:
        from glean.federation.server.start_model import read_start_model

        read_start_model(settings)


def _count_bakeries(settings: RunSettings, wanted: int | None) -> int:
    had = _count_before(settings)
    if had is not None:
        if wanted not in (None, had):
            raise SettingsError(f"--bakeries: found {wanted}; the run to resume has {had}")
        return had
    if not settings.table.sales:
        return wanted or DEFAULT_BAKERIES
    from glean.sales.reading.sales_file import read_sales

    table = read_sales(Path(settings.table.sales))
    last_day = table.rows["date"].max()
    if settings.windows.test_start and last_day < pd.Timestamp(settings.windows.test_start):
        raise SettingsError(
            f"test-start: found {settings.windows.test_start}; the table ends on {last_day.date()}"
        )
    found = len(table.bakeries)
    if wanted is not None and wanted > found:
        raise SettingsError(f"--bakeries: found {wanted}; the table has {found}")
    return wanted or found


def _count_before(settings: RunSettings) -> int | None:
    """How many bakeries the run to continue has; None where there is none, or it met nobody."""
    if not settings.resume:
        return None
    from glean.federation.server.interrupted_run import read_interrupted

    facts = read_interrupted(Path(settings.resume))
    while "nodes" not in facts and facts.get("resumed_from"):
        facts = read_interrupted(Path(facts["resumed_from"]))  # it was killed before it met anybody
    if facts.get("engine") == "deployment":
        raise SettingsError(
            f"resume: {settings.resume} is the run of a deployment, whose tables aren't here; "
            "continue it with `glean run CONNECTION --resume`"
        )
    return facts.get("nodes")


def _profile(path: Path | None) -> dict[str, ConfigValue]:
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GleanError(f"--profile {path}: {error}") from error
    nested = [key for key, value in content.items() if isinstance(value, dict)]
    if nested:
        raise SettingsError(f"--profile {path}: found the table [{nested[0]}]; wanted flat keys")
    return content
