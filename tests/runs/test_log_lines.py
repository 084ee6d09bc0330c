"""Glean's lines in a log that others share: whatever is in them, a line is a line."""

from __future__ import annotations

import logging

import pytest

from glean.runs.log_lines import MARK, log_to, unmarked


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Glean's log, on this process's standard stream as in a process of Flower's."""
    del capsys
    log = logging.getLogger("glean")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "level", log.level)
    log_to("stderr")
    return log


def test_a_stranger_s_words_neither_forge_a_line_nor_steer_a_terminal(
    logged: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line breaks of every kind but the plain one, escape sequences, a bell."""
    logged.warning("%s", "cold\x1b[2J\u2028the run completed\rthe run completed\x0bx\x07")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{MARK}cold\\x1b[2J\\u2028")
    assert line.isprintable()


def test_every_plain_line_is_marked(
    logged: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of a traceback too, so that they are found again."""
    logged.error("it failed", exc_info=ValueError("the oven\nis cold"))
    lines = capsys.readouterr().err.splitlines()
    assert all(unmarked(line) is not None for line in lines)
    assert lines[-1] == f"{MARK}is cold"
