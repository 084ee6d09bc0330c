"""The spec of pictures: agreed on by facts, and read from anyone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glean.errors import ModelError, SettingsError
from glean.image_settings import ImageSettings
from glean.images.image_spec import ImageSpec, agreed

SPEC = ImageSpec(("cat", "dog"), 28, 3, 0.5, 0.25)


def fact(*classes: str, size: Any = 28, channels: Any = 1) -> dict[str, Any]:
    return {"classes": list(classes), "size": size, "channels": channels}


def test_all_classes_of_all_clients_count() -> None:
    """Sorted, each once, with the brightness of the settings."""
    settings = ImageSettings(image_mean=0.2, image_std=0.3)
    spec = agreed([fact("b", "a"), fact("c", "a")], settings)
    assert spec == ImageSpec(("a", "b", "c"), 28, 1, 0.2, 0.3)
    assert ImageSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([fact("a", "b"), fact("a", "b", size=32)], "28 pixels with 1 channels, 32 pixels"),
        ([fact("a", "b"), fact("a", "b", channels=3)], "wanted all alike"),
        ([], "are none"),
        ([{}], "found 0 classes"),
        ([fact("a")], "found 1 classes"),
        ([fact("a", "b", size="28")], "found 2 classes of 0 pixels"),
        ([fact("a", "b", size=4000)], "4000 pixels"),
        ([fact("a", "b", channels=2)], "2 channels"),
        ([fact(*map(str, range(201)))], "found 201 classes"),
        ([{"classes": 5, "size": 28, "channels": 1}], "found 0 classes"),
    ],
)
def test_pictures_that_differ_are_refused(facts: list[dict[str, Any]], said: str) -> None:
    """With what to set."""
    with pytest.raises(SettingsError, match=said):
        agreed(facts, ImageSettings())


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["dog", "cat"]},
        {"classes": ["cat", "cat"]},
        {"classes": ["cat", 7]},
        {"classes": ["cat", "x" * 300]},
        {"classes": ["cat"]},
        {"classes": None},
        {"size": 0},
        {"size": True},
        {"size": 10**9},
        {"channels": 4},
        {"mean": "0.5"},
        {"mean": 2.0},
        {"std": 0.0},
        {"std": float("inf")},
        {"further": 1},
    ],
)
def test_a_spec_that_no_run_makes_is_refused(change: dict[str, Any]) -> None:
    """It comes with a model, from anyone."""
    told = json.loads(SPEC.to_json()) | change
    with pytest.raises(ModelError):
        ImageSpec.from_json(json.dumps(told, sort_keys=True))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", SPEC.to_json() + " "])
def test_other_texts_are_refused(text: str) -> None:
    """To the byte."""
    with pytest.raises(ModelError):
        ImageSpec.from_json(text)
