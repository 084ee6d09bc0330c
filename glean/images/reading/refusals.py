"""Why a source of pictures can't be used as a whole, or a single file of it not."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import psutil

from glean.errors import SettingsError


class UnreadableError(Exception):
    """One file gives no picture; the text says why, without the file's name."""


def refused(source: Path | str, found: str, wanted: str) -> SettingsError:
    """Build the error about a source of pictures as a whole."""
    return SettingsError(f"{printable(str(source))}: found {found}; wanted {wanted}")


def printable(text: str) -> str:
    r"""Write a name so that it stays in its line: what can't be printed becomes an escape.

    Letters with marks come out composed (NFC), whichever way the file system keeps them.

    Examples
    --------
    >>> printable("cat\n")
    'cat\\n'
    """
    composed = unicodedata.normalize("NFC", text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in composed)


def check_memory(source: Path, pictures: int, size: int) -> None:
    """Refuse pictures that this machine can't hold, before any is read.

    Parameters
    ----------
    source : Path
        Where they come from.
    pictures : int
        How many.
    size : int
        Their size once unpacked, bytes.

    Raises
    ------
    SettingsError
        Less than that is free.
    """
    free = psutil.virtual_memory().available
    if size > free:
        raise refused(
            source,
            f"{pictures:,} pictures that take {size / 2**30:,.1f} GB once unpacked, where "
            f"{free / 2**30:,.1f} GB of memory are free",
            "fewer pictures, or smaller ones: of files in folders, set image-size",
        )
