"""What noise costs on a table or on synthetic bakeries: measured, written, and told as tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glean.errors import SettingsError
from glean.evaluation.figures.privacy_curve import privacy_picture
from glean.evaluation.tables.privacy_curve import measure_curve
from glean.evaluation.tables.privacy_summary import curve_table
from glean.federation.launch.flower_app import app_config
from glean.federation.server.conclusion import ResultTable
from glean.federation.workload.registry import workload_of
from glean.operations.running.run_config import simulation_overrides
from glean.process_pool import workers_of
from glean.regular_files import absolute_path
from glean.runs.folder import write_whole
from glean.settings import ConfigValue, RunSettings
from glean.workloads import DEFAULT_WORKLOAD

FEWEST_BAKERIES = 3
"""With fewer there is no sum under masks."""

_CLIENT_APP = "glean.client_app:app"

_MEASURED = ("privacy", "epsilon")
_WHOLE_TRAININGS = ("resume", "start-from")


@dataclass(frozen=True)
class PreparedCurve:
    """A curve that can be measured.

    Parameters
    ----------
    settings : RunSettings
        Those of its runs in mode "sums".
    bakeries : tuple of int
        Numbers of bakeries.
    seeds : int
        How many, from the settings' on.
    folder : Path
        Where the results go.
    """

    settings: RunSettings
    bakeries: tuple[int, ...]
    seeds: int
    folder: Path


@dataclass(frozen=True)
class WrittenCurve:
    """A curve that was measured.

    Parameters
    ----------
    tables : tuple of ResultTable
        One for each number of bakeries.
    paths : tuple of Path
        The files that were written.
    """

    tables: tuple[ResultTable, ...]
    paths: tuple[Path, ...]


def prepare_curve(
    given: Mapping[str, ConfigValue],
    *,
    bakeries: Sequence[int] = (),
    seeds: int = 10,
    results: Path | None = None,
) -> PreparedCurve:
    """Check all that can be checked before anything is measured; nothing is written.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.
    bakeries : sequence of int
        Numbers of bakeries; of a table the first by name. None: all of a table, 5 synthetic ones.
    seeds : int
        How many.
    results : Path, optional
        Folder in which `privacy-curve` is made; by default the setting `output-dir`, or "results".

    Raises
    ------
    SettingsError
        It can't be measured so.
    """
    if wrong := [key for key in (*_MEASURED, *_WHOLE_TRAININGS) if given.get(key)]:
        raise SettingsError(
            f"{', '.join(wrong)}: found in the settings of a curve, which trains anew for every "
            "epsilon; wanted without"
        )
    config = app_config() | simulation_overrides(given)
    settings = RunSettings.from_config(config | {"privacy": "sums"})
    if settings.workload != DEFAULT_WORKLOAD or settings.rounds.kind.averages_weights:
        raise SettingsError(
            f"found workload {settings.workload!r}, aggregation {settings.rounds.aggregation!r}; "
            f"wanted {DEFAULT_WORKLOAD!r} and an aggregation of trees, which noise can be compared "
            "with"
        )
    RunSettings.from_config(config | {"privacy": "noise", "aggregation": "oblivious"})
    workload = workload_of(settings)
    workload.check(settings)
    sizes = [workload.count_clients(settings, count) for count in bakeries or (None,)]
    if few := [size for size in sizes if size < FEWEST_BAKERIES]:
        raise SettingsError(
            f"--bakeries: found {few[0]}; wanted at least {FEWEST_BAKERIES}, or there is no sum"
        )
    out = absolute_path(results or Path(settings.output_dir or "results"))
    return PreparedCurve(settings, tuple(sorted({*sizes})), seeds, out / "privacy-curve")


def run_curve(prepared: PreparedCurve, measured: Callable[[pd.Series], None]) -> WrittenCurve:
    """Measure a curve and write it; what has been measured is on disk at any moment.

    Parameters
    ----------
    prepared : PreparedCurve
        From `prepare_curve`.
    measured : callable
        Told each row of `privacy_curve.csv` as soon as it is there.
    """
    workers = workers_of(os.environ)
    folder, settings = prepared.folder, prepared.settings
    folder.mkdir(parents=True, exist_ok=True)
    curve = pd.DataFrame()
    for count in prepared.bakeries:
        for row in measure_curve(
            settings, count, _CLIENT_APP, seeds=prepared.seeds, workers=workers
        ):
            curve = pd.concat([curve, row], ignore_index=True)
            text = curve.to_csv(index=False, lineterminator="\n")
            table = write_whole(folder / "privacy_curve.csv", text.encode())
            measured(row.iloc[0])
    label = settings.table.units_label
    pictures = [
        write_whole(
            folder / f"privacy-curve-{count}.png",
            privacy_picture(curve, count, units_label=label).png,
        )
        for count in prepared.bakeries
    ]
    tables = tuple(curve_table(curve, count) for count in prepared.bakeries)
    return WrittenCurve(tables, (table, *pictures))
