"""A model's card as a file that may come from anyone, and as a page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.runs.model_card import LARGEST_CARD, CardSignature, ModelCard, digest_of
from glean.runs.model_card_page import card_page

MODEL = b"a model"
SECTIONS: dict[str, Any] = {
    "use": "Brot für morgen",
    "run": {"seed": 42, "rounds": None},
    "members": [{"name": "Süd", "trained": True}, {"name": "面包", "trained": False}],
    "scores": {"test": [{"method": "federated", "wape": 0.168, "noise": 0.01}]},
    "weak_points": ["one", "two"],
}
CARD = ModelCard.of(MODEL, file="model.ubj", run_id="7", sections=SECTIONS)
WRITTEN = CARD.to_bytes()

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=8,
)


def test_a_card_is_read_as_it_was_written() -> None:
    """With and without a signature; it knows its model by each byte."""
    for card in (CARD, ModelCard(CARD.content, CardSignature("ssh-ed25519 A", "00ff"))):
        assert ModelCard.from_bytes(card.to_bytes()) == card
    assert (CARD.file, CARD.digest, CARD.run_id) == ("model.ubj", digest_of(MODEL), "7")
    assert CARD.is_of(MODEL)
    assert not CARD.is_of(MODEL + b"\0")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: text + " ",
        lambda text: text.replace('"bytes": 7', '"bytes":  7'),
        lambda text: text.replace('"bytes": 7', '"bytes": 07'),
        lambda text: text.replace('"bytes": 7', '"bytes": 7.0e0'),
        lambda text: text.replace('"bytes": 7', '"bytes": NaN'),
        lambda text: text.replace('"seed": 42', '"seed": 41,\n    "seed": 42'),
        lambda text: text.replace("Süd", "S\\u00fcd"),
        lambda text: text.replace('"signature": null', '"signature": []'),
        lambda text: text.replace('"signature": null', '"signature": "me"'),
        lambda text: text.replace('"signature": null', '"signature": {"key": 1, "value": ""}'),
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"model"', '"modell"'),
        lambda text: text.replace('"id": "7"', '"id": 7'),
        lambda _: "",
        lambda _: "[]",
        lambda _: "7",
        lambda _: "[" * 100_000,
        lambda text: text.replace("[", "[" * 20, 1).replace("]", "]" * 20, 1),
        lambda text: text.replace('"Brot', '"\\ud800Brot'),
        lambda _: " " * (LARGEST_CARD + 1),
    ],
)
def test_other_bytes_are_no_card(damage: Any) -> None:
    """There is one way to write a card, so that a signature over it is one over its file."""
    damaged = damage(WRITTEN.decode()).encode()
    assert damaged != WRITTEN
    with pytest.raises(ModelError, match="the card"):
        ModelCard.from_bytes(damaged)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_a_page_of_whatever_stands_in_a_card(sections: dict[str, Any]) -> None:
    """Any card that can be read can be shown, and nothing in it moves a terminal."""
    kept = {k: v for k, v in sections.items() if k not in ("format", "model", "run", "signature")}
    card = ModelCard.of(MODEL, file="model.ubj", run_id="7", sections=kept)
    try:
        read = ModelCard.from_bytes(card.to_bytes())
    except UnicodeEncodeError:
        return  # half a character, which no file holds
    page = card_page(read)
    assert all(line.isprintable() for line in page.split("\n"))


def test_a_page_says_what_the_card_says() -> None:
    """Names, tables, scores with the noise behind them; markup in a name stays text."""
    named = {**SECTIONS, "members": [{"name": "<b>[x](y)|\x1b[2J", "trained": True}]}
    page = card_page(ModelCard.of(MODEL, file="model.ubj", run_id="7", sections=named))
    assert "| federated | 0.168 ± 0.01 |" in page
    assert "- seed: 42\n- rounds: -\n" in page
    assert "## Weak points\n\n- one\n- two\n" in page
    assert r"\<b\>\[x\](y)\|\\x1b\[2J" in page


def test_a_card_in_json_is_for_machines_too() -> None:
    """Plain JSON, with the digest as `sha256sum` prints it."""
    found = json.loads(WRITTEN)
    assert found["model"]["sha256"] == digest_of(MODEL)
    assert found["signature"] is None
