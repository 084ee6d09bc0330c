"""Addresses of stores, as a person types them: `s3://bucket/glean`, `webdav+https://host/folder`.

They hold no secret: what a store asks for comes from its own environment variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from glean.storage.store_errors import StorageError

RUNS = "runs"
"""Folder of a store that has the run folders."""

DATASETS = "datasets"
"""Folder of a store that has a service's uploaded tables."""

RUN_NAME = re.compile(r"\d{8}T\d{6}Z-\d{1,20}")
"""What a run's folder is called."""

DATASET_NAME = re.compile(r"d[0-9a-f]{1,40}")
"""What the folder of an uploaded table is called."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_EXAMPLES = "wanted one like s3://bucket/glean, webdav+https://host/folder or file:///folder"


@dataclass(frozen=True)
class StorageAddress:
    """Where a store is.

    Parameters
    ----------
    url : str
        As it is shown: without a slash at its end.
    protocol : str
        What stands before "://", in small letters.
    host : str
        With its port; of S3 the bucket.
    path : str
        What follows, without slashes at its ends.
    """

    url: str
    protocol: str
    host: str
    path: str


def is_address(text: object) -> bool:
    """Whether a text is the URL of something stored, and no path of this machine.

    Examples
    --------
    >>> is_address("s3://bucket/bakeries.csv"), is_address("results/latest")
    (True, False)
    """
    return isinstance(text, str) and _SCHEME.match(text) is not None


def read_address(url: str) -> StorageAddress:
    """Read the URL of a store, or of something in it.

    Raises
    ------
    StorageError
        It isn't one, or has a password in it, which isn't repeated.
    """
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        raise StorageError(f"storage: found a URL that can't be read; {_EXAMPLES}") from None
    if password is not None or parts.query or parts.fragment:
        raise StorageError(
            f"storage: found a password, or what follows a ? or #, in a URL of {parts.scheme}; "
            "wanted the address alone: what the store asks for comes from its own environment "
            "variables, as docs/storage.md lists them"
        )
    if not is_address(url) or "::" in url or not url.isprintable():
        raise StorageError(f"storage: found {url[:80]!r}; {_EXAMPLES}")
    path = parts.path.strip("/")
    if not parts.netloc and not path:
        raise StorageError(f"storage: found {url[:80]!r}, which names no place; {_EXAMPLES}")
    # WebDAV's servers read "%2e" as ".", and "%2f" as "/".
    if ".." in unquote(path).replace("\\", "/").split("/"):
        raise StorageError(f"storage: found {url[:80]!r} with '..' in it; wanted the path itself")
    protocol = parts.scheme.lower()
    return StorageAddress(url.rstrip("/"), protocol, parts.netloc, path)


def split_run(url: str) -> tuple[str, str]:
    """Split the URL of a run's folder into that of the store and the run's name.

    Raises
    ------
    StorageError
        It isn't a run's.

    Examples
    --------
    >>> split_run("s3://bucket/glean/runs/20261130T101500Z-17")
    ('s3://bucket/glean', '20261130T101500Z-17')
    """
    address = read_address(url)
    store, _, name = address.url.rpartition(f"/{RUNS}/")
    if not store or not RUN_NAME.fullmatch(name):
        raise StorageError(
            f"found {address.url}; wanted the folder of a run, like "
            "STORAGE/runs/20261130T101500Z-17: `glean storage list STORAGE` shows them"
        )
    return store, name
