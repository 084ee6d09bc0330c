"""Errors that a user can mend; anything else that is raised is a programmer's slip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glean.languages.sentences import Sentence


class GleanError(Exception):
    """Something went wrong that the person at the keyboard can mend."""


class SettingsError(GleanError):
    """A setting is unknown, of the wrong type or out of range."""


def said_by(error: GleanError) -> str:
    """Give what an error says; a sentence that can be said in another language stays one."""
    first = error.args[0] if len(error.args) == 1 else None
    return first if isinstance(first, Sentence) else str(error)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a sales file.

    Parameters
    ----------
    source : str
        File (or other origin) as the user named it.
    line : int or None
        Line in the file, counted from 1 with the header; None when the whole file is meant.
    column : str
        Column name, "" when no single column is meant.
    found : str
        The value as it stands in the file.
    wanted : str
        What should stand there, and what to do.
    """

    source: str
    line: int | None
    column: str
    found: str
    wanted: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}, line {self.line}"
        if self.column:
            place += f", column {self.column!r}"
        return f"{place}: found {self.found}; wanted {self.wanted}"


class SalesError(GleanError):
    """A sales table can't be used; carries every problem found, not just the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ModelError(GleanError):
    """Bytes that claim to be a model or an update can't be trusted or don't fit."""


class FederationError(GleanError):
    """A run can't start or can't go on."""


class ImpossibleSumError(FederationError):
    """An opened sum that no rows can have: somebody sent what isn't of its own rows.

    Whose part it was, the sum doesn't tell where it was masked.
    """


class CertificateError(GleanError):
    """Certificates or keys can't be made or read as asked."""


class SecureSumError(GleanError):
    """A masked sum can't be taken, or a message about one isn't what it should be."""


class RefusalError(GleanError):
    """A bakery doesn't do what the server asks.

    Parameters
    ----------
    kind : str
        What was refused, in a few words without any figure: all that the server is told.
    text : str
        The whole story, for the bakery's own log.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)
