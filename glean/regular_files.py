"""Files that a person names: read only where they are regular ones, and their paths made absolute.

A pipe would be waited for without end, and a device like /dev/zero never ends.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from glean.errors import GleanError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


MOST_BYTES = 2**30
"""More than any table or model has; as cells it would take many times the memory."""

TOO_LARGE = f"larger than {MOST_BYTES // 2**20:,} MB"


def read_regular(path: Path) -> bytes:
    """Read a file that a person named.

    Raises
    ------
    OSError
        It can't be read, has more than `MOST_BYTES`, or is a pipe, a device or a socket;
        `strerror` says so.
    """
    found = path.stat()
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind is not None:
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    if found.st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, TOO_LARGE, str(path))
    return path.read_bytes()


def absolute_path(path: Path) -> Path:
    """Make a path absolute and follow its links.

    Raises
    ------
    GleanError
        Its links go in a circle, or the folder that commands are typed in is gone.

    Examples
    --------
    >>> absolute_path(Path("/tmp/../etc/./hosts")).name
    'hosts'
    """
    try:
        return path.resolve()
    except RuntimeError:  # as Python says it before 3.13
        raise GleanError(
            f"{path}: found links that point at each other in a circle; wanted a path that leads "
            "somewhere: look at it by `ls -l` and make the link anew"
        ) from None
    except FileNotFoundError:
        raise GleanError(no_working_directory()) from None


def no_working_directory() -> str:
    """Say that the folder that a command was typed in is gone."""
    return (
        "found no working directory: the folder in which this was typed has been deleted or "
        "replaced; change to one that is there (cd) and try again"
    )


def words_of(error: OSError) -> str:
    """Say in a line what the operating system wouldn't do, and with which file.

    Examples
    --------
    >>> words_of(OSError(errno.ENOSPC, "No space left on device", "plan.html"))
    'plan.html: No space left on device'
    """
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said
