"""`--storage URL --upload run|checkpoint`: a run sent to a store while it goes on, and after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glean.cli.log_format import tell

if TYPE_CHECKING:
    from glean.storage.folder_uploads import Sent
    from glean.storage.store import Storage

StorageOption = Annotated[
    str,
    typer.Option(
        "--storage",
        metavar="URL",
        envvar="GLEAN_STORAGE",
        help="Where runs are sent to: s3://BUCKET/FOLDER, webdav+https://HOST/FOLDER, ...",
    ),
]
Upload = Literal["run", "checkpoint"]
UploadOption = Annotated[
    Upload, typer.Option(help="When: after each run, or after each checkpoint of it too.")
]

_CHECK_S = 5.0
"""How long a store is waited for before a run begins, which does without it."""


def open_checked(url: str) -> Storage | None:
    """Open a store and see whether one may write there; one that doesn't answer is said.

    Raises
    ------
    StorageError
        It can't be used so: wrong bucket, wrong credentials.
    """
    from glean.storage.store import open_storage
    from glean.storage.store_errors import StorageAwayError

    if not url:
        return None
    try:
        open_storage(url, answer_s=_CHECK_S, pauses_s=()).check()
    except StorageAwayError as error:
        tell(f"goes on without it, for now: {error}", level=logging.WARNING)
    return open_storage(url)


def storage_url(url: str) -> str:
    """Give the URL of a store as it is kept, seen to be one; raises as `open_checked`."""
    store = open_checked(url)
    return "" if store is None else store.url


@contextmanager
def uploading(
    storage: Storage | None, when: Upload, results: Path
) -> Iterator[Callable[[int], None]]:
    """Send a run while the body runs, and at its end; the body tells its id when it knows it."""
    known: list[int] = []
    if storage is None:
        yield known.append
        return
    from glean.runs.index import find_run, is_run
    from glean.storage.upload_thread import UploadThread

    def find() -> Path | None:
        folder = find_run(results, known[0]) if known else None
        return folder if folder is not None and is_run(folder) else None

    thread = UploadThread(storage, when, find, results=results)
    thread.start()
    try:
        yield known.append
    finally:
        problem, folder = thread.finish(), find()
        if folder is not None:
            tell(_said(storage, folder, thread.sent, problem))


def _said(storage: Storage, folder: Path, sent: Sent, problem: str) -> str:
    from glean.storage.address import RUNS

    if problem:
        return (
            f"not sent: {problem}\nall of the run is in {folder}; `glean storage send` sends it "
            "later, and so does the next run with --storage"
        )
    return f"sent to {storage.url}/{RUNS}/{folder.name}: {counted(sent)}"


def counted(sent: Sent) -> str:
    """Say how much was sent."""
    return f"{sent.files} files, {sent.bytes / 1e6:.1f} MB"
