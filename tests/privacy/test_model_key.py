"""Signatures of models: whatever is changed afterwards, wherever, is refused."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from glean.errors import CertificateError, GleanError, ModelError
from glean.privacy.model_key import (
    VARIABLE,
    ModelKey,
    ModelSigner,
    check_model_file,
    check_signature,
    new_model_key,
)
from glean.runs.model_card import CARD_FILE, KEY_FILE, NEXT_CARD_FILE, ModelCard

MODEL = secrets.token_bytes(40)
SECTIONS = {"run": {"seed": 1}, "members": [{"name": "Süd"}], "weak_points": ["few members"]}


def signer_and_key() -> tuple[ModelSigner, ModelKey]:
    private, public = new_model_key()
    return ModelSigner(private, "a test's key"), public


SIGNER, KEY = signer_and_key()
OTHER_SIGNER, OTHER_KEY = signer_and_key()
CARD = SIGNER.sign(ModelCard.of(MODEL, file="model.ubj", run_id="7", sections=SECTIONS))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file with its signed card."""
    path = tmp_path / "model.ubj"
    path.write_bytes(MODEL)
    path.with_name(CARD_FILE).write_bytes(CARD.to_bytes())
    return path


def check(model: Path, key: ModelKey | None = KEY) -> ModelCard | None:
    return check_model_file(model, model.read_bytes(), key)


def test_a_model_that_is_as_it_was_signed_is_taken(model: Path) -> None:
    """By the key that is given, by one that lies beside it, and by none."""
    assert check(model) == check(model, None) == CARD
    model.with_name(KEY_FILE).write_text(f"{KEY.line} with a comment\n")
    assert check(model, None) == CARD


def taken(model: bytes, card: bytes, key: ModelKey | None) -> bool:
    """Whether a model passes with a card, as `check_model_file` does it without files."""
    try:
        read = ModelCard.from_bytes(card)
        check_signature(read, key, what="it")
    except GleanError:
        return False
    return read.is_of(model)


def test_any_bit_that_is_changed_is_found() -> None:
    """One of each byte of the card and of the model, with the key.

    Without one the card's own signature has to be right at least.
    """
    card = CARD.to_bytes()
    assert taken(MODEL, card, KEY)
    assert taken(MODEL, card, None)
    for at in range(len(card)):
        changed = bytearray(card)
        changed[at] ^= 1 << at % 8
        assert not taken(MODEL, bytes(changed), KEY), at
        assert not taken(MODEL, bytes(changed), None), at
    for at in range(8 * len(MODEL)):
        changed = bytearray(MODEL)
        changed[at // 8] ^= 1 << at % 8
        assert not taken(bytes(changed), card, KEY), at


def test_a_card_that_was_cut_short_is_found() -> None:
    """Wherever it ends."""
    card = CARD.to_bytes()
    assert not any(taken(MODEL, card[:length], None) for length in range(len(card)))


def test_a_changed_file_ends_in_a_line(model: Path) -> None:
    """Be it the model or the card, with the key and without."""
    for path, words in (
        (model, "isn't the model that its card names"),
        (model.with_name(CARD_FILE), "a wrong signature: it was changed afterwards"),
    ):
        whole = path.read_bytes()
        changed = whole[:-1] if path == model else whole.replace(b"few members", b"two members")
        path.write_bytes(changed)
        for key in (KEY, None):
            with pytest.raises(ModelError, match=words):
                check(model, key)
        path.write_bytes(whole)


OF_ANOTHER_RUN = ModelCard.of(MODEL, file="model.ubj", run_id="8", sections=SECTIONS)
OF_ANOTHER_MODEL = ModelCard.of(b"other", file="model.ubj", run_id="7", sections=SECTIONS)
UNSIGNED = ModelCard(CARD.content)


def resigned(card: ModelCard, signed: ModelCard) -> ModelCard:
    """A card with another card's signature."""
    return ModelCard(card.content, signed.signature)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (UNSIGNED, "isn't signed; wanted a signature by the key"),
        (OTHER_SIGNER.sign(UNSIGNED), "is signed by another key"),
        (resigned(OF_ANOTHER_RUN, CARD), "a wrong signature: it was changed afterwards"),
        (SIGNER.sign(OF_ANOTHER_MODEL), "isn't the model that its card names"),
        (None, "has no card beside it that says who made it"),
    ],
)
def test_what_takes_a_signed_model_s_place_is_found(
    model: Path, card: ModelCard | None, words: str
) -> None:
    """A card of nobody, of another, of another run or model, or none at all."""
    model.with_name(CARD_FILE).unlink()
    if card is not None:
        model.with_name(CARD_FILE).write_bytes(card.to_bytes())
    with pytest.raises(ModelError, match=words):
        check(model)


def test_the_key_beside_a_model_counts_only_where_no_other_is_given(model: Path) -> None:
    """Whoever exchanges all three files is found by the key from elsewhere."""
    model.with_name(CARD_FILE).write_bytes(OTHER_SIGNER.sign(UNSIGNED).to_bytes())
    model.with_name(KEY_FILE).write_text(OTHER_KEY.line)
    assert check(model, None) is not None
    with pytest.raises(ModelError, match=f"another key, {OTHER_KEY.fingerprint}"):
        check(model)


def test_models_of_earlier_versions_need_no_card(tmp_path: Path) -> None:
    """Where nobody says who has to sign; nor does one beside another model's card."""
    (tmp_path / "model.ubj").write_bytes(MODEL)
    assert check(tmp_path / "model.ubj", None) is None
    (tmp_path / CARD_FILE).write_bytes(CARD.to_bytes())
    (tmp_path / "another.ubj").write_bytes(b"another")
    assert check(tmp_path / "another.ubj", None) is None


def test_between_two_models_either_has_its_card(model: Path) -> None:
    """A kill may leave the new model with the old card, and the card that was to come."""
    new = b"a newer model"
    card = SIGNER.sign(ModelCard.of(new, file="model.ubj", run_id="8", sections={}))
    model.with_name(NEXT_CARD_FILE).write_bytes(card.to_bytes())
    assert check(model) == CARD
    model.write_bytes(new)
    assert check(model) == card


def test_a_signature_is_for_models_and_nothing_else() -> None:
    """The same key over the same bytes without the claim isn't one: nothing else passes for it."""
    bare = SIGNER.private().sign(CARD.statement(KEY.line)).hex()
    assert CARD.signature is not None
    forged = ModelCard(CARD.content, type(CARD.signature)(KEY.line, bare))
    with pytest.raises(ModelError, match="a wrong signature"):
        check_signature(forged, KEY, what="it")


def test_a_signature_is_written_in_one_way(model: Path) -> None:
    """In lower case, without spaces: else two files would carry one signature."""
    content = json.loads(CARD.to_bytes())
    for change in (str.upper, lambda text: " ".join((text[:2], text[2:]))):
        value = change(content["signature"]["value"])
        other = content | {"signature": {**content["signature"], "value": value}}
        written = json.dumps(other, indent=2, ensure_ascii=False) + "\n"
        model.with_name(CARD_FILE).write_text(written, encoding="utf-8")
        with pytest.raises(ModelError, match="a wrong signature"):
            check(model)


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


CURVE = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "can't be read"),
        (b"ssh-ed25519 AAAA", "can't be read"),
        (SIGNER.pem, "found a private key; wanted model-key.pub"),
        (CURVE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH), "another kind"),
        (None, "No such file"),
    ],
)
def test_a_public_key_that_is_none_is_named(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """With the file and what was wanted."""
    path = tmp_path / KEY_FILE
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificateError, match=words) as refused:
        ModelKey.read(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: b"", "is no private key; wanted model-key,"),
        (KEY.line.encode, "is no private key"),
        (lambda: pem(CURVE), "another kind"),
        (None, "No such file"),
    ],
)
def test_a_private_key_that_is_none_is_named(
    tmp_path: Path, content: Callable[[], bytes] | None, words: str
) -> None:
    """When it is read, which is before a run begins; with the variable that names it."""
    path = tmp_path / "model-key"
    if content is not None:
        path.write_bytes(content())
    with pytest.raises(CertificateError, match=words) as refused:
        ModelSigner.of({VARIABLE: str(path)})
    assert VARIABLE in str(refused.value)
    assert ModelSigner.of({}) is None
