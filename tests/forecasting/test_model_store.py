"""A bakery's home whose files are damaged: said in a line, whatever is wrong with them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from glean.errors import ModelError
from glean.forecasting.model_store import (
    ABOUT_FILE,
    LOCAL_FILE,
    PERSONALIZED_FILE,
    from_files,
)
from glean.languages.language import ENGLISH, language
from tests.forecasting.test_recursive_forecast import MODEL

CONTENT = MODEL.to_bytes()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ERRORS = {
    "days": [1, 2],
    "forecast": [1.0, 2.0],
    "units": [1.0, 3.0],
    "fitted": [False, False],
    "near_holiday": [False, True],
    "products": ["roll", "bun"],
}
PRIOR = {
    "by_chance": 1.0,
    "by_share": 0.1,
    "holiday": 1.0,
    "scores": [-1.0, 1.0],
    "levels": [0.1, 0.9],
    "weekdays": [1.0] * 7,
}
WHOLE: dict[str, Any] = {
    "shared": DIGEST,
    "personal": DIGEST,
    "alone": DIGEST,
    "region": "DE-SH",
    "weights": {"federated": 1.0},
    "reason": "the best",
    "factors": {"roll": 1.1},
    "trees_share": 0.5,
    "level_share": 0.5,
    "prior": PRIOR,
    "errors": ERRORS,
}


def files_with(about: bytes) -> dict[str, bytes]:
    return {PERSONALIZED_FILE: CONTENT, LOCAL_FILE: CONTENT, ABOUT_FILE: about}


def test_a_whole_file_is_read() -> None:
    """With all its parts."""
    stored = from_files(CONTENT, files_with(json.dumps(WHOLE).encode()))
    assert stored.region == "DE-SH"
    assert stored.own.selection.weights == {"federated": 1.0}
    assert stored.own.personalized.correction.factors == {"roll": 1.1}
    assert stored.residuals.days.tolist() == [1, 2]
    assert stored.residuals.products.tolist() == ["roll", "bun"]


VALIDATION = {"days": 28, "by_method": {"federated": 0.2}, "chosen": 0.2, "sure": True}


def test_why_a_forecast_was_chosen_is_told_in_any_language() -> None:
    """From its errors; a home of an earlier version has a sentence, which stays as it is."""
    kept, earlier = (
        from_files(CONTENT, files_with(json.dumps(WHOLE | more).encode())).own.selection
        for more in ({"validation": VALIDATION}, {})
    )
    german = language("de")
    assert kept.reason(german).startswith("das unveränderte Modell der Föderation: An den letzten")
    assert earlier.reason(german) == earlier.reason(ENGLISH) == "the best"


@pytest.mark.parametrize(
    "about",
    [
        b"",
        b"[" * 200_000,
        b'{"shared": ' * 100_000,
        b"\xff",
        b"[]",
        *(
            json.dumps(WHOLE | change).encode()
            for change in (
                {"weights": {"federated": float("inf")}},
                {"weights": [1.0]},
                {"factors": {"roll": -1.0}},
                {"trees_share": "much"},
                {"errors": ERRORS | {"units": [1.0]}},
                {"errors": dict.fromkeys(ERRORS, 1)},
                {"errors": ERRORS | {"days": [2**70, 1]}},
                {"errors": ERRORS | {"products": [["roll"], 2]}},
                {"errors": ERRORS | {"products": [1, 2]}},
                {"prior": PRIOR | {"weekdays": [1.0]}},
                {"prior": PRIOR | {"levels": [0.5]}},
                {"validation": [28]},
                {"validation": VALIDATION | {"days": "many"}},
                {"validation": VALIDATION | {"sure": 1}},
                {"validation": VALIDATION | {"by_method": {"guess": 0.1}}},
                {"validation": VALIDATION, "weights": {}},
            )
        ),
    ],
)
def test_a_damaged_file_is_named(about: bytes) -> None:
    """With what to do: take part in a run again."""
    with pytest.raises(ModelError, match=r"own\.json can't be read .*take part in a run again"):
        from_files(CONTENT, files_with(about))
