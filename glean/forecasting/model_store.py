"""What a bakery forecasts from, as files in its home: models, selection and residuals.

`own.json` says how the parts belong together and which model of the federation they were made from;
where that isn't the one in the home, they are of an earlier run and not read.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glean.errors import ModelError
from glean.forecasting.bias_correction import BiasCorrection
from glean.forecasting.calibration import Calibration
from glean.forecasting.client_model import ClientModel
from glean.forecasting.forecasters import read_model
from glean.forecasting.model_selection import ModelSelection
from glean.forecasting.personalization import PersonalizedModel
from glean.forecasting.residuals import Residuals
from glean.forecasting.selection_reason import NAMES, ValidationErrors
from glean.languages.language import ENGLISH

ABOUT_FILE = "own.json"
PERSONALIZED_FILE = "personal.model"
LOCAL_FILE = "alone.model"

_RESIDUALS = {
    "days": np.int64,
    "forecast": np.float64,
    "units": np.float64,
    "fitted": np.bool_,
    "near_holiday": np.bool_,
    "products": np.object_,
}
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)

NAMES_OF_FILES = (PERSONALIZED_FILE, LOCAL_FILE, ABOUT_FILE)
"""In the order in which they are written: the last one says that the others are there."""


@dataclass(frozen=True, eq=False)
class StoredModel:
    """What a home holds.

    Parameters
    ----------
    own : ClientModel
        What the bakery forecasts from.
    residuals : Residuals
        Errors of the chosen forecast up to the end of the run's table.
    region : str
        Region of the public holidays that the models learned with, "" for none.
    """

    own: ClientModel
    residuals: Residuals
    region: str


def to_files(kept: StoredModel) -> dict[str, bytes]:
    """Write what a bakery keeps, by file name in the order of `NAMES_OF_FILES`."""
    model = kept.own
    personalized, local = model.personalized.model.to_bytes(), model.local.to_bytes()
    about = {
        "shared": hashlib.sha256(model.shared.to_bytes()).hexdigest(),
        "personal": hashlib.sha256(personalized).hexdigest(),
        "alone": hashlib.sha256(local).hexdigest(),
        "region": kept.region,
        "weights": dict(model.selection.weights),
        "reason": model.selection.reason(ENGLISH),
        "validation": _validation_to_json(model.selection.errors),
        "factors": dict(model.personalized.correction.factors),
        "trees_share": model.personalized.trees_share,
        "level_share": model.personalized.level_share,
        "prior": _prior_to_json(model.prior),
        "errors": {
            "days": kept.residuals.days.tolist(),
            "forecast": np.round(kept.residuals.forecast, 6).tolist(),
            "units": kept.residuals.units.tolist(),
            "fitted": kept.residuals.fitted.tolist(),
            "near_holiday": kept.residuals.near_holiday.tolist(),
            "products": kept.residuals.products.tolist(),
        },
    }
    return {
        PERSONALIZED_FILE: personalized,
        LOCAL_FILE: local,
        ABOUT_FILE: (json.dumps(about) + "\n").encode(),
    }


def from_files(shared: bytes, files: Mapping[str, bytes]) -> StoredModel:
    """Read what `to_files` wrote.

    Parameters
    ----------
    shared : bytes
        The federation's model file in the home.
    files : mapping of str to bytes
        The files of `NAMES_OF_FILES`.

    Raises
    ------
    ModelError
        A file is damaged, or belongs to another model of the federation.
    """
    try:
        about = json.loads(files[ABOUT_FILE])
        parts = {"shared": shared, "personal": files[PERSONALIZED_FILE], "alone": files[LOCAL_FILE]}
        for name, content in parts.items():
            if hashlib.sha256(content).hexdigest() != about[name]:
                raise ModelError(f"{ABOUT_FILE} was made with another {name} model than is there")
        weights = _shares(about["weights"])
        chosen = {name: weights[name] for name in NAMES if name in weights}
        # Homes that were written by an earlier version have the sentence only.
        validation = _validation_of(about.get("validation"), chosen)
        selection = ModelSelection(chosen, validation, "" if validation else str(about["reason"]))
        personalized = PersonalizedModel(
            read_model(files[PERSONALIZED_FILE]),
            BiasCorrection(_shares(about["factors"])),
            *_shares({name: about[name] for name in ("trees_share", "level_share")}).values(),
        )
        residuals = _residuals_of(about["errors"])
        region = str(about["region"])
        prior = _prior_of(about["prior"])
    except _DAMAGE as error:
        raise ModelError(
            f"{ABOUT_FILE} can't be read ({error!r:.100}); take part in a run again"
        ) from error
    model = ClientModel(
        read_model(shared), personalized, read_model(files[LOCAL_FILE]), selection, prior
    )
    return StoredModel(model, residuals, region)


def _shares(found: Mapping[str, Any]) -> dict[str, float]:
    shares = {str(name): float(value) for name, value in found.items()}
    if not all(0.0 <= share < math.inf for share in shares.values()):
        raise ValueError(f"found {found!r:.60}; wanted numbers from 0 up")
    return shares


def _residuals_of(errors: Mapping[str, Any]) -> Residuals:
    found: dict[str, Any] = {
        name: np.array(errors[name], dtype=kind) for name, kind in _RESIDUALS.items()
    }
    if len({array.shape for array in found.values()}) != 1 or found["days"].ndim != 1:
        raise ValueError("found past errors of different lengths")
    if not all(isinstance(name, str) for name in found["products"]):
        raise ValueError("found a product whose name is no text")
    return Residuals(**found)


def _validation_to_json(errors: ValidationErrors | None) -> dict[str, object] | None:
    return None if errors is None else {**vars(errors), "by_method": dict(errors.by_method)}


def _validation_of(
    found: dict[str, Any] | None, weights: Mapping[str, float]
) -> ValidationErrors | None:
    if found is None:
        return None
    days, sure = found["days"], found["sure"]
    if type(days) is not int or days < 0 or type(sure) is not bool or not weights:
        raise ValueError("found a choice without its days or methods")
    by_method = {name: float(error) for name, error in found["by_method"].items()}
    if not by_method.keys() <= NAMES.keys():
        raise ValueError("found validation errors of methods that aren't known")
    return ValidationErrors(days, by_method, float(found["chosen"]), sure)


def _prior_to_json(prior: Calibration | None) -> dict[str, object] | None:
    if prior is None:
        return None
    # It has no products: those of other bakeries are other ones.
    kept = {name: value for name, value in vars(prior).items() if name != "products"}
    return {name: np.asarray(value).tolist() for name, value in kept.items()}


def _prior_of(found: dict[str, object] | None) -> Calibration | None:
    if found is None:
        return None
    chance, share, holiday = (
        float(str(found[name])) for name in ("by_chance", "by_share", "holiday")
    )
    scores, levels, weekdays = (
        np.array(found[name], dtype=np.float64) for name in ("scores", "levels", "weekdays")
    )
    if scores.shape != levels.shape or scores.ndim != 1 or weekdays.shape != (7,):
        raise ValueError("found a prior of other lengths")
    return Calibration(chance, share, scores, levels, weekdays, holiday)
