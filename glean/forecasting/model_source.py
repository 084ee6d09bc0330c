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
from glean.privacy.model_key import ModelKey, check_model_file
from glean.regular_files import read_regular
from glean.runs.client_home import ABOUT as HOME
from glean.runs.index import is_run, read_run
from glean.runs.model_card import model_at


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


def find_model(path: Path, key: ModelKey | None = None) -> ModelSource:
    """Read the model and what lies beside it; who signed it is checked before it is read.

    Parameters
    ----------
    path : Path
        Home folder, run folder or model file.
    key : ModelKey, optional
        Whose signature it must have; by default that of the key beside it, if there is one.

    Raises
    ------
    GleanError
        There is no model, it isn't signed as it must be, or the file is damaged.
    """
    model = model_at(path)
    content = _checked(model, key)
    shared = read_model(content)
    if path.is_file():
        return ModelSource(content, shared)
    if (path / HOME).is_file() and all((path / name).is_file() for name in NAMES_OF_FILES):
        files = {name: (path / name).read_bytes() for name in NAMES_OF_FILES}
        return ModelSource(content, shared, client_files=files)
    return ModelSource(
        content, shared, run_settings=_settings_of_run(path), errors=_errors_of_run(path)
    )


def _checked(model: Path, key: ModelKey | None) -> bytes:
    """Read a model file that is signed as it must be; twice, since a run may end at this moment."""
    content = read_regular(model)
    try:
        check_model_file(model, content, key)
    except ModelError:
        content = read_regular(model)
        check_model_file(model, content, key)
    return content


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
