"""The card of a model: what it was made of and how, what it is worth, and who vouches for it.

After Mitchell et al., Model Cards for Model Reporting (FAT* 2019). A card is a JSON file beside the
model and names its SHA-256, so that one signature over the card covers both. There is one way only
to write a card: any other bytes are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from glean.errors import GleanError, ModelError
from glean.regular_files import read_regular, words_of

CARD_FILE = "model_card.json"

NEXT_CARD_FILE = "model_card.next.json"
"""The card of the model that is about to take the place of another: a kill between the two files
leaves no model without its card."""

CARD_PAGE = "model_card.md"
"""The card to read; only the JSON file is signed."""

KEY_FILE = "model-key.pub"
"""Beside a model: the public key that its card has to be signed by."""

MODEL_NAMES = ("model.ubj", "model.npz")

LARGEST_CARD = 2**22
"""Bytes; with 10,000 members a card has about a megabyte."""

_FORMAT = 1
_DEEPEST = 8
_AS_WRITTEN = "wanted the file as Glean wrote it: put it back"


@dataclass(frozen=True)
class CardSignature:
    """Who vouches for a card.

    Parameters
    ----------
    key : str
        The public key, as one line of OpenSSH.
    value : str
        The signature, hexadecimal.
    """

    key: str
    value: str


@dataclass(frozen=True)
class ModelCard:
    """A card.

    Parameters
    ----------
    content : mapping
        What it says, by section; `model` has the model's `file` and `sha256`, `run` the run's `id`.
    signature : CardSignature or None
        None where nobody signed.
    """

    content: Mapping[str, Any]
    signature: CardSignature | None = None

    @classmethod
    def of(cls, model: bytes, *, file: str, run_id: str, sections: Mapping[str, Any]) -> Self:
        """Make the card of a model, unsigned.

        Parameters
        ----------
        model : bytes
            The model file.
        file : str
            Its name.
        run_id : str
            The run that it comes from; "" where that isn't known.
        sections : mapping
            What else the card says; the section `run` may say more of the run.
        """
        about = {"file": file, "sha256": digest_of(model), "bytes": len(model)}
        run = {"id": run_id, **sections.get("run", {})}
        return cls({"format": _FORMAT, "model": about, **sections, "run": run})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a card file that may come from anyone.

        Raises
        ------
        ModelError
            It isn't one, or not as `to_bytes` writes it.
        """
        if len(content) > LARGEST_CARD:
            size = f"{len(content):,} bytes; wanted at most {LARGEST_CARD:,}"
            raise ModelError(f"the card has {size}")
        try:
            found = json.loads(content)
            _check_form(found)
            signature = found.pop("signature")
            card = cls(found, CardSignature(**signature) if signature else None)
            whole = card.to_bytes() == content
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"the card is damaged ({error!r:.100}); {_AS_WRITTEN}") from error
        if not whole:
            raise ModelError(f"the card isn't written as Glean writes it; {_AS_WRITTEN}")
        return card

    @property
    def file(self) -> str:
        """Name of the model file."""
        return str(self.content["model"]["file"])

    @property
    def digest(self) -> str:
        """SHA-256 of the model file, hex."""
        return str(self.content["model"]["sha256"])

    @property
    def run_id(self) -> str:
        """Id of the run that the model comes from; "" where that isn't known."""
        return str(self.content["run"]["id"])

    def is_of(self, model: bytes) -> bool:
        """Whether a model file is the one that the card names, to the byte."""
        return digest_of(model) == self.digest

    def statement(self, key: str) -> bytes:
        """Give the bytes that a signature by `key`, one line of OpenSSH, is over."""
        return _written({**self.content, "signature": {"key": key}})

    def to_bytes(self) -> bytes:
        """Write the card file."""
        signature = vars(self.signature) if self.signature else None
        return _written({**self.content, "signature": signature})


def digest_of(model: bytes) -> str:
    """SHA-256 of a model file, hex."""
    return hashlib.sha256(model).hexdigest()


def model_at(path: Path) -> Path:
    """Find the model file that a path means: itself, or that of a run's folder or a home.

    Raises
    ------
    GleanError
        There is none.
    """
    if path.is_file():
        return path
    found = next((path / name for name in MODEL_NAMES if (path / name).is_file()), None)
    if found is None:
        raise GleanError(
            f"{path}: found no model ({' or '.join(MODEL_NAMES)}); wanted the folder of a run that "
            "completed, a bakery's home, or a model file"
        )
    return found


def cards_beside(model: Path) -> list[bytes]:
    """Read the card that lies beside a model file, and that of a model that was to come.

    Raises
    ------
    ModelError
        One is there and can't be read.
    """
    paths = [model.with_name(name) for name in (CARD_FILE, NEXT_CARD_FILE)]
    try:
        return [read_regular(path) for path in paths if path.exists()]
    except OSError as error:
        raise ModelError(f"the model's card can't be read: {words_of(error)}") from error


def _written(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _check_form(found: Any) -> None:
    if found["format"] != _FORMAT:
        raise ModelError(f"the card has format {found['format']!r:.40}; wanted {_FORMAT}")
    signature = found["signature"] or {"key": "", "value": ""}
    texts = [*(found["model"][name] for name in ("file", "sha256")), found["run"]["id"]]
    if not all(isinstance(text, str) for text in [*texts, *signature.values()]):
        raise TypeError("found something else in place of a text")
    if _nests_beyond(found, _DEEPEST):
        raise ValueError(f"more than {_DEEPEST} levels")


def _nests_beyond(value: object, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_nests_beyond(part, levels - 1) for part in parts)
