"""Glean's own lines in a log that Flower's processes share: each is marked, and found again."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

MARK = "glean: "
RESULTS, REPORT, SUMMARY = "results: ", "report: ", "in short: "
FAILED, COMPLETED = "the run failed: ", "the run completed"
"""How the lines begin in which a ServerApp says where its results are and how it ended."""

_LOG = logging.getLogger("glean")


def visible(text: str) -> str:
    r"""Write what a terminal would obey, and not show, as Python writes it.

    Examples
    --------
    >>> print(visible("cold\x1b[2J"))
    cold\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _Marking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Mark every line, those of a traceback too."""
        return "\n".join(MARK + visible(line) for line in super().format(record).split("\n"))


class _Shared(logging.StreamHandler[TextIO]):
    """Writes to whatever is the standard stream now: Flower exchanges it."""

    def __init__(self, stream: Literal["stdout", "stderr"]) -> None:
        super().__init__()
        self._name_of_stream = stream
        self.setFormatter(_Marking())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = getattr(sys, self._name_of_stream)
        super().emit(record)


def log_to(stream: Literal["stdout", "stderr"]) -> None:
    """Have Glean's log lines appear on a standard stream of this process, marked."""
    if not _LOG.handlers:
        _LOG.addHandler(_Shared(stream))
    _LOG.setLevel(logging.INFO)


def unmarked(line: str) -> str | None:
    """Take the mark off one of Glean's lines; None for a line of anything else."""
    line = line.rstrip("\n")
    return line.removeprefix(MARK) if line.startswith(MARK) else None
