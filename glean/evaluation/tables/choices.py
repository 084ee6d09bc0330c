"""What a bakery bakes by and why, as a row of `choice.csv`, and in words from such a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from glean.forecasting.client_model import ClientModel
from glean.forecasting.selection_reason import NAMES, ValidationErrors, reason_in
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language

CHOICE_COLUMNS = (
    "bakery",
    *NAMES,
    "trees_share",
    "level_share",
    "reason",
)
"""Columns without which `choice.csv` says nothing; under a method stands its share."""

_ERRORS = {method: f"wape_{method}" for method in NAMES}

CHOSEN_BY_COLUMNS = (
    "validation_days",
    "validation_units",
    "wape_chosen",
    "sure",
    *_ERRORS.values(),
)
"""What was chosen by: the reason can be said in any language where they are known."""

WITHOUT_FEDERATION = {
    "weekday-mean": translatable("mean of the last four same weekdays"),
    "local": translatable("each alone (local)"),
}
"""What a bakery can do by itself, as the legend of a picture says it."""


def choice_row(bakery: str, own: ClientModel, *, units: float) -> dict[str, object]:
    """Make the row of one bakery; cells of what isn't known are empty.

    Parameters
    ----------
    bakery : str
        Its name.
    own : ClientModel
        What it chose.
    units : float
        Sold on its validation days.
    """
    errors = own.selection.errors
    row: dict[str, object] = {method: own.selection.weights.get(method, 0.0) for method in NAMES}
    row |= {
        "bakery": bakery,
        "trees_share": own.personalized.trees_share,
        "level_share": own.personalized.level_share,
        "reason": own.selection.reason(ENGLISH),
    }
    if errors is not None:
        row |= {
            "validation_days": errors.days,
            "wape_chosen": errors.chosen,
            "sure": int(errors.sure),
            "validation_units": units,
        }
        row |= {_ERRORS[method]: error for method, error in errors.by_method.items()}
    return row


def errors_without_federation(choices: pd.DataFrame) -> dict[str, float]:
    """WAPE on the validation days of all bakeries together, by what each can do by itself.

    Parameters
    ----------
    choices : DataFrame
        `choice.csv`.

    Returns
    -------
    dict of str to float
        By the methods of `WITHOUT_FEDERATION`; one that isn't known of every bakery is left out.
    """
    found = {}
    for method in WITHOUT_FEDERATION:
        known = choices.reindex(columns=["validation_units", _ERRORS[method]]).to_numpy(float)
        units, errors = known.T
        if not np.isnan(known).any() and units.sum():
            found[method] = float(np.average(errors, weights=units))
    return found


def reason_of(row: Mapping[str, Any], language: Language) -> str:
    """Say why, in a language; as the row has it where it doesn't have what was chosen by."""
    known = {name: row.get(name) for name in CHOSEN_BY_COLUMNS}
    days = known["validation_days"]
    if days is None or days != days:  # NaN
        return str(row["reason"])
    weights = {method: float(row[method]) for method in NAMES if float(row[method]) > 0}
    errors = ValidationErrors(
        days=int(days),
        by_method={method: float(row[name]) for method, name in _ERRORS.items()},
        chosen=float(row["wape_chosen"]),
        sure=bool(row["sure"]),
    )
    return reason_in(language, weights, errors)
