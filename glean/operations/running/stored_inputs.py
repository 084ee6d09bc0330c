"""What settings name by the URL of a store: fetched before a run begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glean.errors import FederationError, SettingsError
from glean.regular_files import absolute_path
from glean.runs.folder import RunFolder
from glean.runs.index import read_run
from glean.settings import ConfigValue
from glean.storage.address import DATASET_NAME, RUN_NAME, is_address, split_run
from glean.storage.fetched_files import fetch_again, fetch_file, url_of_fetched
from glean.storage.fetching import fetch_dataset, fetch_run
from glean.storage.store import Storage, open_storage
from glean.storage.store_errors import StorageError

_DATASETS = (".service", "datasets")
"""Where in a results folder a service keeps tables."""

FILES = ("sales", "products", "start-from")
"""Settings that name a file, which may lie in a store."""


def fetch_inputs(given: Mapping[str, ConfigValue], results: Path) -> dict[str, ConfigValue]:
    """Fetch what is named by a URL: tables, the model to start from, the run to resume.

    Parameters
    ----------
    given : mapping
        Run config that differs from the app's.
    results : Path
        Folder for run folders.

    Returns
    -------
    dict
        The same with paths of this machine.

    Raises
    ------
    StorageError
        Something can't be fetched.
    FederationError
        The run to resume learned from a table that isn't here.
    """
    if not any(is_address(given.get(key)) for key in (*FILES, "resume")):
        return dict(given)
    results = absolute_path(results)
    found = dict(given)
    for key in FILES:
        if is_address(given.get(key)):
            found[key] = str(_fetched(key, str(given[key]), results))
    if is_address(given.get("resume")):
        url, name = split_run(str(given["resume"]))
        found["resume"] = str(fetch_interrupted(open_storage(url), name, results))
    return found


def refuse_addresses(given: Mapping[str, ConfigValue]) -> None:
    """Refuse URLs of stores where a run is another machine's, which doesn't fetch anything.

    Raises
    ------
    SettingsError
        Names the setting.
    """
    for key in (*FILES, "resume"):
        if is_address(given.get(key)):
            raise SettingsError(
                f"{key}: found the URL {given[key]}; a run of a deployment takes a path on its "
                "server's machine: `glean storage fetch` brings a run there"
            )


def fetch_interrupted(storage: Storage, name: str, results: Path) -> Path:
    """Fetch a run that was cut off, so that it can be resumed here, by paths of this machine.

    Parameters
    ----------
    storage : Storage
        Where it is.
    name : str
        Of its folder.
    results : Path
        Absolute folder for run folders.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    StorageError
        It, or a file that it began with, can't be fetched.
    FederationError
        It learned from a table that isn't here.
    """
    folder = fetch_run(storage, name, results)
    facts = dict(read_run(folder).facts)
    changed = _here(facts, storage, results)
    if changed != facts:
        RunFolder(folder).write_run(changed)
    return folder


def _here(facts: dict[str, Any], storage: Storage, results: Path) -> dict[str, Any]:
    """Give the record of a run with paths of this machine."""
    settings = dict(facts.get("settings") or {})
    for key in FILES:
        path = Path(str(settings.get(key) or ""))
        if not settings.get(key) or path.is_file():
            continue
        if url_of_fetched(path):
            settings[key] = str(fetch_again(path, results))
        elif dataset := _dataset_of(path):
            kept = results.joinpath(*_DATASETS, dataset)
            if not (kept / path.name).is_file():
                fetch_dataset(storage, dataset, kept)
            settings[key] = str(kept / path.name)
        elif key != "start-from":  # whose model, as round 0, is in the run's own folder
            raise FederationError(
                f"{key}: the run began with {path}, which isn't on this machine; put the same file "
                f"there. A run that begins with a URL in its place ({key}=s3://...) finds it "
                "wherever it is resumed"
            )
    found = {**facts, "settings": settings}
    earlier = Path(str(facts.get("resumed_from") or "")).name
    if RUN_NAME.fullmatch(earlier) and "nodes" not in facts:
        # It was killed before it had taken over: what it would have goes on from that one.
        found["resumed_from"] = str(fetch_interrupted(storage, earlier, results))
    return found


def _dataset_of(path: Path) -> str:
    """Name the dataset of a service that a path leads to; "" where it leads to none."""
    inside = path.parts[-4:-2] == _DATASETS and DATASET_NAME.fullmatch(path.parts[-2])
    return path.parts[-2] if inside else ""


def bring_named(settings: Mapping[str, ConfigValue], storage: Storage, results: Path) -> None:
    """Fetch what settings name below a results folder and isn't there: datasets, and other runs.

    Parameters
    ----------
    settings : mapping
        With paths of this machine.
    storage : Storage
        Where a service has sent them.
    results : Path
        Absolute folder for run folders.

    Raises
    ------
    StorageError
        They can't be fetched.
    """
    for key in (*FILES, "resume"):
        path = Path(str(settings.get(key) or ""))
        if not path.is_relative_to(results) or path.exists():
            continue
        run = path.relative_to(results).parts[0]
        if dataset := _dataset_of(path):
            fetch_dataset(storage, dataset, path.parent)
        elif RUN_NAME.fullmatch(run):
            fetch_interrupted(storage, run, results)


def _fetched(key: str, url: str, results: Path) -> Path:
    try:
        return fetch_file(url, results)
    except StorageError as error:
        raise type(error)(f"{key}: {error}") from error
