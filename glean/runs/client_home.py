"""A bakery's home: the folder on its machine where it keeps what it forecasts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from glean.errors import FederationError
from glean.runs.folder import utc_now, write_whole

_ZIP_MAGIC = b"PK"
_NAMES = ("model.ubj", "model.npz")
ABOUT = "home.json"


def keep_model(home: Path, model: bytes, *, bakery: str, run_id: int) -> Path:
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

    Returns
    -------
    Path
        The model file: `model.ubj`, or `model.npz` of averaged weights.

    Raises
    ------
    FederationError
        The folder can't be written to.
    """
    name = _NAMES[model.startswith(_ZIP_MAGIC)]
    about = {
        "bakery": bakery,
        "run": str(run_id),
        "time": utc_now(),
        "model": name,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        path = write_whole(home / name, model)
        write_whole(home / ABOUT, (json.dumps(about, indent=2) + "\n").encode())
        for other in set(_NAMES) - {name}:
            (home / other).unlink(missing_ok=True)
    except OSError as error:
        raise FederationError(
            f"the model can't be kept in home {home}: {error}. Let the SuperNode's user write "
            "there, or name another folder in its --node-config (home='/a/folder')"
        ) from error
    return path


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
