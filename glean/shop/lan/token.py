"""The token that a phone shows once: in a file of the home, and in the code that it scans."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from glean.errors import GleanError
from glean.shop.access import ENTER

TOKEN_BYTES = 16
"""128 bits: nobody guesses it."""


class DeviceToken:
    """A token that stays until it is replaced; who came in with the old one has to come anew.

    Parameters
    ----------
    path : Path
        Its file, for its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._value = self._read() or self.renew()

    def __call__(self) -> str:
        """Give it."""
        return self._value

    def renew(self) -> str:
        """Make another one."""
        value = secrets.token_urlsafe(TOKEN_BYTES)
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            with open(fresh, "x", encoding="utf-8", opener=_for_its_owner) as file:
                file.write(value)
            fresh.replace(self._path)
        except OSError as error:
            raise GleanError(f"{self._path} can't be written: {error.strerror}") from error
        self._value = value
        return value

    def _read(self) -> str:
        try:
            return self._path.read_text("utf-8").strip()
        except OSError:
            return ""


def _for_its_owner(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def entry_link(origin: str, token: str) -> str:
    """Give the link that lets a device in."""
    return f"{origin}{ENTER}{token}"
