"""A store opened by its URL: whole files read, written, listed and deleted, with limits on time.

The only place that knows fsspec. What may pass is tried again a few times; what a person has to
mend is said at once.
"""

from __future__ import annotations

import os
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from glean.installed_packages import check_installed
from glean.storage.address import StorageAddress, read_address
from glean.storage.store_errors import (
    StorageAwayError,
    StorageError,
    StoredFileMissingError,
    translated,
)

CONNECT_S, ANSWER_S = 5.0, 15.0
"""How long a connection, and each piece of an answer, may take."""

READ_S = 600.0
"""How long a whole file may take to come."""

SLOWEST_BYTES_A_S = 50_000
"""What goes up more slowly counts as hanging."""

PAUSES_S = (0.5, 1.5)
"""Before what failed is tried again."""

LAYOUT = "glean-storage.json"
"""A file that says what a folder of a store is; writing it shows that one may write there."""

_S3 = ("s3", "s3a")
_WEBDAV = {"webdav+http": "http", "webdav+https": "https"}
_LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Storage:
    """A store, or a folder of one.

    Parameters
    ----------
    url : str
        As it is shown.
    filesystem : AbstractFileSystem
        fsspec's.
    root : str
        Its path there; all names are below it.
    pauses_s : tuple of float
        Before what failed is tried again.
    answer_s : float
        How long each piece of an answer may take.
    """

    url: str
    filesystem: Any
    root: str
    pauses_s: tuple[float, ...] = PAUSES_S
    answer_s: float = ANSWER_S

    def check(self) -> None:
        """See whether one may write there.

        Raises
        ------
        StorageAwayError
            It doesn't answer.
        StorageError
            It can't be used so: wrong bucket, wrong credentials.
        """
        self.write(LAYOUT, b'{"format": 1}\n')

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        StoredFileMissingError
            There is none.
        StorageError
            It can't be read.
        """
        found: bytes = self._asked(f"read {name}", "cat_file", self._path(name), limit_s=READ_S)
        return found

    def size(self, name: str) -> int:
        """Say how many bytes a file has, 0 where the store can't say; raises as `read`."""
        try:
            found = self._asked(f"look at {name}", "info", self._path(name))
        except StorageAwayError:
            return 0  # webdav4 gets lost in some names; reading says what else is wrong
        return int(found.get("size") or 0)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, with the folders above it; one that is there is replaced.

        Raises
        ------
        StorageError
            It can't be written.
        """
        limit_s = 2 * self.answer_s + len(content) / SLOWEST_BYTES_A_S
        self._asked(f"write {name}", "pipe_file", self._path(name), content, limit_s=limit_s)

    def delete(self, name: str) -> None:
        """Delete a file; raises as `write`. One that isn't there is no error."""
        with suppress(StoredFileMissingError):
            self._asked(f"delete {name}", "rm_file", self._path(name))

    def names(self, folder: str) -> list[str]:
        """List what lies in a folder, its own names only; none where there is no such folder."""
        try:
            found = self._asked(f"list {folder}", "ls", self._path(folder), False)
        except StoredFileMissingError:
            return []
        return sorted({str(name).rstrip("/").rpartition("/")[2] for name in found} - {""})

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _asked(self, what: str, method: str, *words: Any, limit_s: float = 0.0) -> Any:
        limit_s = limit_s or 2 * self.answer_s
        for pause_s in self.pauses_s:
            try:
                return self._asked_once(what, method, words, limit_s)
            except StorageAwayError:
                time.sleep(pause_s)
        return self._asked_once(what, method, words, limit_s)

    def _asked_once(self, what: str, method: str, words: tuple[Any, ...], limit_s: float) -> Any:
        try:
            if not self.filesystem.async_impl:
                return getattr(self.filesystem, method)(*words)
            from fsspec.asyn import sync

            # The limits of aiobotocore don't hold while it waits for "100 Continue".
            found = getattr(self.filesystem, f"_{method}")
            return sync(self.filesystem.loop, found, *words, timeout=limit_s)
        except Exception as error:
            raise translated(error, self.url, what) from error


def open_storage(
    url: str, *, answer_s: float = ANSWER_S, pauses_s: tuple[float, ...] = PAUSES_S
) -> Storage:
    """Open a store; nothing is asked of it yet.

    Parameters
    ----------
    url : str
        Like `s3://bucket/glean`, `webdav+https://host/folder`, `file:///folder`.
    answer_s : float
        How long each piece of an answer may take.
    pauses_s : tuple of float
        Before what failed is tried again.

    Raises
    ------
    GleanError
        It isn't an address of a store, or this environment lacks what reaches it.
    """
    address = read_address(url)
    packages = ["s3fs"] if address.protocol in _S3 else []
    packages += ["webdav4"] if address.protocol in _WEBDAV else []
    check_installed("fsspec", *packages, extra="storage")
    if address.protocol in _WEBDAV:
        filesystem, root = _webdav(address, answer_s), f"/{address.path}"
    else:
        filesystem, root = _filesystem_of(address, answer_s)
    return Storage(address.url, filesystem, root, pauses_s, answer_s)


def _filesystem_of(address: StorageAddress, answer_s: float) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {}
    if address.protocol in _S3:
        limits = {"connect_timeout": CONNECT_S, "read_timeout": answer_s}
        options["config_kwargs"] = {**limits, "retries": {"total_max_attempts": 1}}
        # Another process writes there too; what this one has listed before says nothing.
        options |= {"use_listings_cache": False, "skip_instance_cache": True}
    if address.protocol == "file":
        options["auto_mkdir"] = True
    try:
        filesystem, root = url_to_fs(address.url, **options)
    except (ImportError, ValueError) as error:
        raise StorageError(
            f"storage: found {address.url}, which fsspec can't open here ({error}); wanted one "
            "whose package is installed: docs/storage.md names some"
        ) from error
    if address.protocol in _S3:
        filesystem.retries = 1  # tried again here, and not by three libraries on top of each other
    return filesystem, str(root)


def _webdav(address: StorageAddress, answer_s: float) -> Any:
    import httpx
    from webdav4.fsspec import WebdavFileSystem

    user, password = (os.environ.get(f"WEBDAV_{name}") for name in ("USERNAME", "PASSWORD"))
    scheme, host = _WEBDAV[address.protocol], address.host
    if password and scheme == "http" and urlsplit(f"//{host}").hostname not in _LOOPBACK:
        raise StorageError(
            f"{address.url}: found a password (WEBDAV_PASSWORD) for a server that is spoken to "
            "without encryption; wanted webdav+https://"
        )
    filesystem = WebdavFileSystem(
        f"{scheme}://{host}",
        auth=(user, password or "") if user else None,
        retry=False,
        timeout=httpx.Timeout(answer_s, connect=CONNECT_S),
        skip_instance_cache=True,
    )
    weakref.finalize(filesystem, filesystem.client.http.close)  # nobody else closes its connections
    return filesystem
