"""A bakery's home: the folder on its machine where it keeps what it forecasts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.regular_files import read_regular, words_of
from glean.runs.folder import utc_now, write_whole
from glean.runs.model_card import CARD_FILE, KEY_FILE, MODEL_NAMES, NEXT_CARD_FILE

_ZIP_MAGIC = b"PK"
ABOUT = "home.json"


@dataclass(frozen=True)
class Vouched:
    """What vouches for a model that is kept.

    Parameters
    ----------
    card : bytes
        The model's card; empty where it came without one.
    key : bytes
        Public key that the card was signed by; empty where nobody had to sign.
    """

    card: bytes = b""
    key: bytes = b""


NOBODY = Vouched()


def keep_model(
    home: Path, model: bytes, *, bakery: str, run_id: int, vouched: Vouched = NOBODY
) -> Path:
    """Keep a run's final model, in the place of an earlier one's.

    A kill at any moment leaves whole files. `home.json` names the model and its SHA-256: where
    these don't fit, the model is newer than what is said of it.

    Parameters
    ----------
    home : Path
        The folder; made where there is none.
    model : bytes
        The model file.
    bakery : str
        Name of the bakery.
    run_id : int
        The run that the model comes from.
    vouched : Vouched
        Its card, and the key that this one is signed by. The card is there before the model is, so
        that a kill leaves no model without one.

    Returns
    -------
    Path
        The model file: `model.ubj`, or `model.npz` of averaged weights.

    Raises
    ------
    FederationError
        The folder can't be written to.
    """
    name = MODEL_NAMES[model.startswith(_ZIP_MAGIC)]
    about = {
        "bakery": bakery,
        "run": str(run_id),
        "time": utc_now(),
        "model": name,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not vouched.key:
            (home / KEY_FILE).unlink(missing_ok=True)
        if vouched.card:
            write_whole(home / NEXT_CARD_FILE, vouched.card)
        path = write_whole(home / name, model)
        _take_card(home, vouched)
        write_whole(home / ABOUT, (json.dumps(about, indent=2) + "\n").encode())
        for other in set(MODEL_NAMES) - {name}:
            (home / other).unlink(missing_ok=True)
    except OSError as error:
        raise FederationError(
            f"the model can't be kept in home {home}: {error}. Let the SuperNode's user write "
            "there, or name another folder in its --node-config (home='/a/folder')"
        ) from error
    return path


def _take_card(home: Path, vouched: Vouched) -> None:
    """Put the card that was to come in the place of the one before."""
    if vouched.card:
        (home / NEXT_CARD_FILE).replace(home / CARD_FILE)
    else:
        (home / CARD_FILE).unlink(missing_ok=True)
    if vouched.key:
        write_whole(home / KEY_FILE, vouched.key)


def is_home(folder: Path) -> bool:
    """Whether a folder is a bakery's home that holds a model, be it damaged."""
    return (folder / ABOUT).is_file()


def bakery_of(home: Path) -> str:
    """Name the bakery whose home this is.

    Raises
    ------
    GleanError
        `home.json` is missing or damaged.
    """
    path = home / ABOUT
    try:
        return str(json.loads(read_regular(path))["bakery"])
    except OSError as error:
        raise GleanError(
            f"{path} can't be read: {words_of(error)}. Wanted a bakery's home after a run"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise GleanError(f"{path} is damaged ({error!r:.100}); take part in a run again") from error


def keep_files(home: Path, files: Mapping[str, bytes]) -> None:
    """Keep what else belongs to a bakery's forecast, one after the other, each whole.

    Raises
    ------
    FederationError
        The folder can't be written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(home / name, content)
    except OSError as error:
        raise FederationError(
            f"{', '.join(files)} can't be kept in home {home}: {error}. Let the SuperNode's user "
            "write there, or name another folder in its --node-config (home='/a/folder')"
        ) from error
