"""Where a bakery's forecast takes its model from: a home, a run's folder or a model file.

A home holds what the bakery made of the model after a run. A run's folder holds the run's settings
and the errors of all bakeries. A bare model file holds the model alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glean.aggregation.error_histogram import ErrorDistribution
from glean.errors import GleanError, ModelError
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import read_model
from glean.forecasting.model_store import NAMES_OF_FILES
from glean.forecasting.prior import ERRORS_FILE
from glean.runs.client_home import ABOUT as HOME
from glean.runs.index import is_run, read_run

MODEL_NAMES = ("model.ubj", "model.npz")


@dataclass(frozen=True, eq=False)
class ModelSource:
    """What was found beside a model.

    Parameters
    ----------
    content : bytes
        The federation's model file.
    shared : ForecastModel
        The model in it.
    run_settings : mapping
        Run config of its run, kebab-case; empty where that isn't known.
    client_files : mapping of str to bytes
        What the bakery made of the model, by file name; empty outside a home.
    errors : ErrorDistribution or None
        How far the model is off at the bakeries of its run, where that is known.
    """

    content: bytes
    shared: ForecastModel
    run_settings: Mapping[str, Any] = field(default_factory=dict)
    client_files: Mapping[str, bytes] = field(default_factory=dict)
    errors: ErrorDistribution | None = None


def find_model(path: Path) -> ModelSource:
    """Read the model and what lies beside it.

    Parameters
    ----------
    path : Path
        Home folder, run folder or model file.

    Raises
    ------
    GleanError
        There is no model, or the file is damaged.
    """
    if path.is_file():
        content = path.read_bytes()
        return ModelSource(content, read_model(content))
    model = next((path / name for name in MODEL_NAMES if (path / name).is_file()), None)
    if model is None:
        raise GleanError(
            f"{path}: found no model ({' or '.join(MODEL_NAMES)}); wanted the folder of a run that "
            "completed, a bakery's home, or a model file"
        )
    content = model.read_bytes()
    shared = read_model(content)
    if (path / HOME).is_file() and all((path / name).is_file() for name in NAMES_OF_FILES):
        files = {name: (path / name).read_bytes() for name in NAMES_OF_FILES}
        return ModelSource(content, shared, client_files=files)
    return ModelSource(
        content, shared, run_settings=_settings_of_run(path), errors=_errors_of_run(path)
    )


def _settings_of_run(folder: Path) -> Mapping[str, Any]:
    return read_run(folder).settings if is_run(folder) else {}


def _errors_of_run(folder: Path) -> ErrorDistribution | None:
    path = folder / ERRORS_FILE
    if not path.is_file():
        return None
    try:
        return ErrorDistribution.from_json(path.read_text(encoding="utf-8"))
    except (ModelError, UnicodeDecodeError) as error:
        raise GleanError(
            f"{path} is damaged: {error}. Put the file back, or delete it to go on without the "
            "other bakeries' errors"
        ) from error
