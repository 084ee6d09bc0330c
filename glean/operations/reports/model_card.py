"""A model's card, checked: whether the model is what the card names, and who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.errors import ModelError
from glean.privacy.model_key import (
    ModelKey,
    ModelSigner,
    check_model_file,
    known_key,
)
from glean.regular_files import read_regular
from glean.runs.folder import write_whole
from glean.runs.model_card import CARD_FILE, ModelCard, cards_beside, model_at
from glean.runs.model_card_page import card_page


@dataclass(frozen=True)
class CheckedCard:
    """A card of a model that is what the card names.

    Parameters
    ----------
    model : Path
        The model file.
    verdict : str
        Who signed it, and what that is worth, in sentences.
    page : str
        The card, as Markdown.
    """

    model: Path
    verdict: str
    page: str


def check_card(path: Path, *, key: Path | None = None) -> CheckedCard:
    """Check a model and its card.

    Parameters
    ----------
    path : Path
        Run folder, a bakery's home, or a model file.
    key : Path, optional
        Public key that it must be signed by; by default one that lies beside it, if any.

    Raises
    ------
    GleanError
        There is no model or no card, they don't belong together, or the signature isn't as wanted.
    """
    model = model_at(path)
    given = None if key is None else ModelKey.read(key)
    card = check_model_file(model, read_regular(model), given)
    if card is None:
        raise ModelError(
            f"{model}: found no {CARD_FILE} of it beside it; runs of earlier versions, and the "
            "checkpoints in models/, have none"
        )
    return CheckedCard(model, _verdict(card, known_key(model, given), given=key), card_page(card))


def sign_card(path: Path, private_key: Path) -> Path:
    """Vouch for a model: sign its card, or a short one where it has none; the card's path.

    Parameters
    ----------
    path : Path
        As in `check_card`.
    private_key : Path
        The key to sign with.

    Raises
    ------
    GleanError
        There is no model, its card is another's or damaged, or the key is none.
    """
    model = model_at(path)
    content = read_regular(model)
    signer = ModelSigner.read(private_key)
    cards = [ModelCard.from_bytes(found) for found in cards_beside(model)]
    card = next((found for found in cards if found.is_of(content)), None)
    if card is None and cards:
        raise ModelError(
            f"{model} isn't the model that the card beside it names; wanted both from one run, or "
            "the model in a folder of its own"
        )
    if card is None:
        note = "Signed by hand: how it was made isn't on record."
        card = ModelCard.of(content, file=model.name, run_id="", sections={"use": note})
    return write_whole(model.with_name(CARD_FILE), signer.sign(card).to_bytes())


def _verdict(card: ModelCard, key: ModelKey | None, *, given: Path | None) -> str:
    whole = "The model is the one that its card names, to the byte."
    if card.signature is None:
        return (
            f"{whole} Nobody signed the card: that finds damage, and doesn't tell who made either."
        )
    signer = ModelKey(card.signature.key).fingerprint
    if given is not None:
        return f"{whole} The card is signed by {given}, {signer}, and as it was then."
    beside = " That key lies beside the model, where it protects from damage alone." if key else ""
    return (
        f"{whole} The card is signed by the key {signer}.{beside} Whether that is your operator's, "
        "--model-key FILE tells, with the model-key.pub that the operator gave you."
    )
