"""`glean simulate`: a whole federation on this machine, followed until its true end."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.errors import FederationError, GleanError, SettingsError
from glean.settings import ConfigValue, RunSettings, parse_text

if TYPE_CHECKING:
    from glean.federation.local_run import Simulation

RUN_FAILED = 1
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
    out: Annotated[Path, typer.Option(help="Folder for results.")] = Path("results"),
) -> None:
    """Run a federation on this machine and show what it brings."""
    from glean.federation.local_run import Simulation, read_run

    overrides = _overrides(set_ or [])
    if sales is not None:
        overrides["sales"] = str(sales.resolve())
    if "output-dir" in overrides:
        out = Path(str(overrides["output-dir"]))
    count = _count_bakeries(str(overrides.get("sales", "")), bakeries)
    overrides.setdefault("min-available-bakeries", min(2, count))
    simulation = Simulation(
        bakeries=count,
        overrides=overrides,
        results=out.resolve(),
        profile=_profile(profile),
    )
    settings = RunSettings.from_config(simulation.run_config)
    with ended_by_signals():
        folder = _run(simulation, engine, settings.rounds.num_server_rounds)
    run = read_run(folder)
    if run["status"] != "completed":
        typer.echo(f"the run failed: {run['reason']}\nits folder: {folder}", err=True)
        raise typer.Exit(RUN_FAILED)
    from glean.cli.report import show_results

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


def _overrides(words: list[str]) -> dict[str, ConfigValue]:
    found: dict[str, ConfigValue] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise SettingsError(f"--set: found {word!r}; wanted KEY=VALUE")
        found[key.strip()] = parse_text(key.strip(), text.strip())
    return found


def _count_bakeries(sales: str, wanted: int | None) -> int:
    if not sales:
        return wanted or DEFAULT_BAKERIES
    from glean.sales.reading import read_sales

    found = len(read_sales(Path(sales)).bakeries)
    if wanted is not None and wanted > found:
        raise SettingsError(f"--bakeries: found {wanted}; the table has {found}")
    return wanted or found


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
