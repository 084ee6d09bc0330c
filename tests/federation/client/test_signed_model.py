"""The final model at a bakery that knows the server's key: signed in this very run, or refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glean.errors import FederationError, RefusalError, SettingsError
from glean.federation.client.signed_model import (
    REFUSED,
    WRONG_KEY,
    check_announced_key,
    check_final_model,
)
from glean.federation.wire.messages import FinalTask
from glean.forecasting.model_source import find_model
from glean.node_settings import NodeSettings
from glean.privacy.model_key import ModelSigner, new_model_key
from glean.runs.client_home import NOBODY
from glean.runs.model_card import CARD_FILE, KEY_FILE, ModelCard
from tests.federation.client.test_disclosure import own_nodes
from tests.federations import Federation, federation_of, small_settings

PRIVATE, KEY = new_model_key()
SIGNER = ModelSigner(PRIVATE, "a test's key")
FORGER = ModelSigner(new_model_key()[0], "another's key")
MODEL = b"a model"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """The server's public key, where the owner has put it."""
    (tmp_path / KEY_FILE).write_text(f"{KEY.line}\n")
    return str(tmp_path / KEY_FILE)


def card_of(model: bytes = MODEL, *, run_id: str = "1", signer: ModelSigner | None = SIGNER) -> str:
    card = ModelCard.of(model, file="model.ubj", run_id=run_id, sections={"use": "Bread."})
    return (signer.sign(card) if signer else card).to_bytes().decode()


def final_task(card: str) -> FinalTask:
    return FinalTask(1, "", "", "", 0.1, newcomer=False, model=MODEL, findings="", card=card)


def test_what_is_kept_beside_a_signed_model(key_file: str) -> None:
    """The card as it came, and the key if the owner wants a signature; nothing without a card."""
    task = final_task(card_of())
    kept = check_final_model(NodeSettings(model_key=key_file), task, run_id=1)
    assert (kept.card.decode(), kept.key.decode()) == (task.card, f"{KEY.line}\n")
    unasked = check_final_model(NodeSettings(), task, run_id=1)
    assert (unasked.card.decode(), unasked.key) == (task.card, b"")
    assert check_final_model(NodeSettings(), final_task(""), run_id=1) == NOBODY


WRONG: dict[str, tuple[str, bool]] = {
    "came without a card": ("", True),
    "the final model isn't signed": (card_of(signer=None), True),
    "signed by another key": (card_of(signer=FORGER), True),
    "is of run '2'; wanted one of 1": (card_of(run_id="2"), False),
    "isn't the one that its card names": (card_of(b"another"), False),
    "the card is damaged": (card_of()[:-10], False),
    "a wrong signature": (card_of().replace("Bread", "Dough"), False),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_refused(words: str, key_file: str) -> None:
    """The server hears one kind for all; the bakery's log the reason.

    A card that isn't this model's is refused by everybody: it would stand in the way of each plan.
    """
    card, passes_without_key = WRONG[words]
    with pytest.raises(RefusalError, match=words) as refused:
        check_final_model(NodeSettings(model_key=key_file), final_task(card), run_id=1)
    assert refused.value.kind == REFUSED
    if passes_without_key:
        check_final_model(NodeSettings(), final_task(card), run_id=1)
    else:
        with pytest.raises(RefusalError, match=words):
            check_final_model(NodeSettings(), final_task(card), run_id=1)


@pytest.fixture
def found(tmp_path: Path, three_bakeries: str, key_file: str) -> Federation:
    """Three bakeries, of which two know the server's key and the first has a home."""
    nodes: list[dict[str, Any]] = [dict(node) for node in own_nodes(tmp_path, three_bakeries)]
    nodes = [node if at == 0 else node | {"home": ""} for at, node in enumerate(nodes)]
    nodes = [node | {"model-key": key_file} if at < 2 else node for at, node in enumerate(nodes)]
    settings = small_settings("", num_server_rounds=1)
    return federation_of(tmp_path / "out", settings, nodes=nodes, model_key=KEY.fingerprint)


def test_a_run_s_end_with_a_signature_and_without(
    found: Federation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Signed, the model comes home and a plan can be made; unsigned, the last good one stays.

    Bakeries that don't mind go on.
    """
    result, home = found.run(), tmp_path / "bakery 0"
    model = result.model.to_bytes()
    signed = replace(result, card=card_of(model))
    assert set(found.test(signed)) == {"bakery 0", "bakery 1", "bakery 2"}
    assert (home / CARD_FILE).read_text(encoding="utf-8") == signed.card
    assert find_model(home, KEY).content == find_model(home).content == model
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    assert set(found.test(result)) == {"bakery 2"}
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before
    told = {(name, reason) for _, name, reason in found.failures()}
    words = f"FederationError: the bakery refuses: {REFUSED}; its own log says more"
    assert told == {("bakery 0", words), ("bakery 1", words)}
    warned = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert (
        sum(line.startswith(f"refused ({REFUSED}): the final model came") for line in warned) == 2
    )


@pytest.mark.parametrize("content", ["", "no key"])
def test_a_key_that_can_not_be_read_is_named_before_the_rounds(
    tmp_path: Path, content: str
) -> None:
    """When a bakery says who it is, and not once it has spent on a model that it then refuses."""
    path = tmp_path / KEY_FILE
    if content:
        path.write_text(content)
    node = NodeSettings(model_key=str(path))
    with pytest.raises(SettingsError, match=f"^node config model-key: {path}"):
        check_announced_key(node, KEY.fingerprint)


@pytest.mark.parametrize(
    "announced", ["", FORGER.public.fingerprint], ids=["by none", "by another"]
)
def test_a_server_that_will_not_sign_as_the_owner_wants_is_refused_before_the_rounds(
    tmp_path: Path,
    three_bakeries: str,
    key_file: str,
    announced: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server hears the kind, the bakery's log both keys; nothing of the bakery was used."""
    nodes = [{**node} | {"model-key": key_file} for node in own_nodes(tmp_path, three_bakeries)]
    settings = small_settings("", num_server_rounds=1, round_timeout_s=1)
    with pytest.raises(FederationError, match=f"the bakery refuses: {WRONG_KEY}"):
        federation_of(tmp_path / "out", settings, nodes=nodes, model_key=announced)
    said = f"signs by another key, {announced}" if announced else "doesn't sign"
    assert f"the server {said}; wanted {KEY.fingerprint} (node config model-key)" in caplog.text
