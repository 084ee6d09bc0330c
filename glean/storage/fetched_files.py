"""Single files fetched from a store: a table to learn from, a model to start from.

They are kept beside the results, by what is in them: a run that began with one goes on with the
same bytes, whatever is at the URL by then. Where one is from, its path says.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote, unquote

from glean.regular_files import MOST_BYTES, TOO_LARGE, words_of
from glean.runs.folder import write_whole
from glean.storage.address import DATASETS, RUNS, is_address, read_address
from glean.storage.fetching import fetch_stored
from glean.storage.manifest import read_manifest
from glean.storage.store import Storage, open_storage
from glean.storage.store_errors import StorageError

_KEPT = (".storage", "files")
_HASH_DIGITS = 16
_LONGEST_NAME = 240


def fetch_file(url: str, results: Path) -> Path:
    """Fetch a file, unless one with its content is kept here already.

    Parameters
    ----------
    url : str
        Of the file. Of one in the folder of a run or a dataset its SHA-256 is checked.
    results : Path
        Folder for run folders.

    Returns
    -------
    Path
        Where it lies now; the name has the same ending.

    Raises
    ------
    StorageError
        There is no such file, or it can't be kept here.
    """
    address = read_address(url)
    name = quote(address.url, safe="")
    if len(name) > _LONGEST_NAME or not address.path:
        raise StorageError(f"found {address.url[:80]}; wanted the URL of a file, of less letters")
    parent, _, file = address.url.rpartition("/")
    content = _content(open_storage(parent), parent, file)
    _check_size(len(content), address.url)  # not every store knows it before
    sha256 = hashlib.sha256(content).hexdigest()
    path = results.joinpath(*_KEPT, sha256[:_HASH_DIGITS], name)
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
    except OSError as error:
        raise StorageError(f"can't keep what was fetched: {words_of(error)}") from error
    return path


def url_of_fetched(path: Path) -> str:
    """Say where a file was fetched from; "" where it wasn't.

    Examples
    --------
    >>> url_of_fetched(Path("/results/.storage/files/00ff/s3%3A%2F%2Fbucket%2Fa.csv"))
    's3://bucket/a.csv'
    >>> url_of_fetched(Path("/home/anna/bakeries.csv"))
    ''
    """
    url = unquote(path.name)
    return url if path.parts[-4:-2] == _KEPT and is_address(url) else ""


def fetch_again(path: Path, results: Path) -> Path:
    """Fetch a file that another machine had fetched; its content must be the same.

    Raises
    ------
    StorageError
        It can't be fetched, or has changed since.
    """
    url = url_of_fetched(path)
    found = fetch_file(url, results)
    if found.parent.name != path.parent.name:
        raise StorageError(
            f"{url} has changed since the run began, which goes on with the same file only; wanted "
            "it as it was: put it back, or begin a new run"
        )
    return found


def _content(storage: Storage, parent: str, file: str) -> bytes:
    """Read a file; of one in the folder of a run or a dataset by its manifest."""
    for kind in (RUNS, DATASETS):
        store, _, below = f"{parent}/{file}".rpartition(f"/{kind}/")
        name, _, path = below.partition("/")
        if not store or not path:
            continue
        manifest = read_manifest(open_storage(store), f"{kind}/{name}")
        found = [
            each
            for each in (manifest.files if manifest else ())
            if path in (each.path, each.object)
        ]
        if found:
            _check_size(found[0].bytes, f"{parent}/{file}")
            return fetch_stored(open_storage(store), f"{kind}/{name}", found[0])
    _check_size(storage.size(file), f"{parent}/{file}")
    return storage.read(file)


def _check_size(size: int, url: str) -> None:
    """Refuse what has no room in memory, before it is there."""
    if size > MOST_BYTES:
        raise StorageError(f"{url} is {TOO_LARGE}")
