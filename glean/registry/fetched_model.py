"""A registered model as a file here: downloaded once, since a version never changes."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path

from glean.errors import GleanError, SettingsError
from glean.registry.model_uri import RegisteredModel
from glean.registry.registry_address import (
    VARIABLE,
    RegistryDownError,
    registry_address,
    shown_address,
)
from glean.registry.run_content import FETCHED_FOLDER, FILES_FOLDER
from glean.registry.tracking_server import TrackingServer, scratch_folder
from glean.runs.model_card import CARD_FILE, KEY_FILE, model_at


def pin(model: RegisteredModel, server: TrackingServer | None = None) -> RegisteredModel:
    """Say which version an alias means at this moment.

    Raises
    ------
    GleanError
        There is no registry, it doesn't answer, or has no such alias.
    """
    if model.version:
        return model
    found = (server or _server(model)).version_at(model.name, model.alias)
    if found is None:
        raise SettingsError(
            f"start-from: found no alias {model.alias!r} of a model {model.name!r} in the "
            f"registry; wanted one that is there, or a version like models:/{model.name}/1"
        )
    return RegisteredModel(model.name, str(found.number))


def fetch(model: RegisteredModel, results: Path, server: TrackingServer | None = None) -> Path:
    """Give the file of a registered model, below the folder of the results.

    Parameters
    ----------
    model : RegisteredModel
        Which; an alias is looked up.
    results : Path
        Folder of the run folders, absolute.
    server : TrackingServer, optional
        Where from; by default the one that the environment names.

    Raises
    ------
    GleanError
        There is no registry, it doesn't answer, or has no such model; or what it has isn't one that
        a run can go on from.
    """
    pinned = pin(model, server)
    address = server.address if server is not None else _address(pinned)
    folder = results / FETCHED_FOLDER / _name_of(address) / pinned.name / pinned.version
    if not folder.is_dir():
        _download(pinned, folder, server or _server(pinned))
    return model_at(folder)


def _download(model: RegisteredModel, folder: Path, server: TrackingServer) -> None:
    with scratch_folder() as scratch:
        try:
            found = server.fetch_version(model.name, model.version, scratch)
        except RegistryDownError:
            raise
        except GleanError as error:
            raise SettingsError(f"start-from: {model}: {error}") from error
        files = found / "data" / FILES_FOLDER
        try:
            taken = [model_at(files)]
        except GleanError as error:
            raise SettingsError(
                f"start-from: {model} isn't a model that a run of Glean registered; wanted a "
                "version that one made"
            ) from error
        taken += [path for name in (CARD_FILE, KEY_FILE) if (path := files / name).is_file()]
        anew = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
        anew.mkdir(parents=True)
        for path in taken:
            shutil.copyfile(path, anew / path.name)
        try:
            anew.rename(folder)
        except OSError:
            shutil.rmtree(anew)  # somebody else was quicker
            if not folder.is_dir():
                raise


def _name_of(address: str) -> str:
    """Name a registry in a path: another one has other models by the same names."""
    return hashlib.sha256(shown_address(address).rstrip("/").encode()).hexdigest()[:12]


def _server(model: RegisteredModel) -> TrackingServer:
    return TrackingServer(_address(model))


def _address(model: RegisteredModel) -> str:
    address = registry_address()
    if not address:
        raise SettingsError(
            f"start-from: found {model} and no registry; wanted --mlflow URI, or {VARIABLE} in the "
            "environment"
        )
    return address
