"""A run's model as MLflow loads and serves it: files that Glean reads, a signature, an example.

Nothing in it is code or a pickle: MLflow is told the name of the module that reads the files. That
is Glean's own (`glean/operations/registry/served_model.py`), so Glean has to be installed where the
model is served.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean import __version__
from glean.errors import GleanError
from glean.forecasting.prior import ERRORS_FILE
from glean.iris.species import LENGTHS, SPECIES
from glean.registry.input_examples import iris_example, sales_example
from glean.registry.run_content import FILES_FOLDER, PLACES, workload_of
from glean.registry.tracking_server import quiet_mlflow
from glean.runs.folder import RunFolder
from glean.runs.index import StoredRun
from glean.runs.model_card import CARD_FILE, CARD_PAGE, KEY_FILE, MODEL_NAMES, ModelCard, model_at
from glean.sales.table import FLAGS

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

LOADER = "glean.operations.registry.served_model"
"""Module that MLflow reads the files by."""

QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975)
"""Of a forecast's table; a test compares them with what a forecast has."""

_BESIDE = (CARD_FILE, CARD_PAGE, KEY_FILE, ERRORS_FILE)


@dataclass(frozen=True)
class _Served:
    """What MLflow is told of a workload's model.

    Parameters
    ----------
    signature : callable
        Makes the signature out of the model's card.
    example : callable
        Makes an input out of it, of made-up rows.
    """

    signature: Callable[[Mapping[str, Any]], ModelSignature]
    example: Callable[[Mapping[str, Any]], pd.DataFrame]


def can_be_served(run: StoredRun) -> bool:
    """Whether a run left a model that MLflow can be told how to load."""
    left = any((run.folder / name).is_file() for name in MODEL_NAMES)
    return left and workload_of(run) in _SERVED


def write_package(run: StoredRun, folder: Path) -> None:
    """Write a run's model as MLflow's format has it.

    Parameters
    ----------
    run : StoredRun
        A run that completed.
    folder : Path
        Is made.
    """
    quiet_mlflow()
    served, card = _SERVED[workload_of(run)], _card_of(run.folder)
    files = folder.with_name(FILES_FOLDER)
    _copy_files(run, files)
    with warnings.catch_warnings():
        # MLflow warns of its own type hints, and pandas of how MLflow uses it.
        warnings.simplefilter("ignore")
        from mlflow.pyfunc import save_model

        save_model(
            str(folder),
            loader_module=LOADER,
            data_path=str(files),
            signature=served.signature(card),
            input_example=served.example(card),
            pip_requirements=[f"glean[mlflow]=={__version__}"],
        )


def _copy_files(run: StoredRun, files: Path) -> None:
    files.mkdir()
    model = model_at(run.folder)
    for path in (model, *(run.folder / name for name in _BESIDE)):
        if path.is_file():
            shutil.copyfile(path, files / path.name)
    settings = {key: value for key, value in run.settings.items() if key not in PLACES}
    facts = {"status": run.status, "engine": run.engine, "settings": settings}
    RunFolder(files, lasting=False).write_run(facts)


def _card_of(folder: Path) -> Mapping[str, Any]:
    try:
        return ModelCard.from_bytes((folder / CARD_FILE).read_bytes()).content
    except (OSError, GleanError):
        return {}  # an earlier version of Glean made none


def _forecast_signature(card: Mapping[str, Any]) -> ModelSignature:
    """Sales of one bakery in, a table of units and quantiles out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    covariates = covariates_of(card)
    optional = [n for n in ("price", *FLAGS, "temperature_c", "rain_mm") if n not in covariates]
    inputs = Schema(
        [
            ColSpec("string", "date"),
            ColSpec("string", "product"),
            ColSpec("double", "units"),
            *(ColSpec("double", name) for name in covariates),
            ColSpec("string", "bakery", required=False),
            *(ColSpec("double", name, required=False) for name in optional),
            ColSpec("string", "sold_out_at", required=False),
        ]
    )
    outputs = Schema(
        [
            ColSpec("string", "date"),
            ColSpec("string", "product"),
            ColSpec("double", "expected"),
            *(ColSpec("double", f"q_{level:g}") for level in QUANTILES),
            ColSpec("string", "why"),
        ]
    )
    params = [
        ParamSpec("days", "long", 7),
        ParamSpec("bakery", "string", ""),
        ParamSpec("region", "string", ""),
    ]
    return ModelSignature(inputs, outputs, ParamSchema(params))


def covariates_of(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the further columns of a sales table that a model goes by."""
    return tuple(str(name) for name in card.get("data", {}).get("covariates") or ())


def _iris_signature(_card: Mapping[str, Any]) -> ModelSignature:
    """Four lengths in, the species and its probabilities out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    inputs = Schema([ColSpec("double", name) for name in LENGTHS])
    answers = [ColSpec("string", "species"), *(ColSpec("double", name) for name in SPECIES)]
    return ModelSignature(inputs, Schema(answers))


_SERVED = {
    "demand": _Served(_forecast_signature, lambda card: sales_example(covariates_of(card))),
    "iris": _Served(_iris_signature, lambda _card: iris_example()),
}
"""Workloads whose models MLflow can serve."""
