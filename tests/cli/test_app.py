"""`glean` itself: its version, and its help in groups."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from glean import __version__
from glean.cli.app import DAILY, FEDERATION, LOOKING, app


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_is_said(words: list[str]) -> None:
    """As an option, as people type it, and as a command."""
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.output) == (0, f"{__version__}\n")


def test_the_help_is_in_groups_with_an_example_of_each() -> None:
    """No command stands outside, and each example is a command of its group."""
    help_text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "160"}).output
    assert "─ Commands ─" not in help_text
    for heading, command in ((DAILY, "plan"), (FEDERATION, "simulate"), (LOOKING, "report")):
        assert f"─ {heading} ─" in help_text
        panel, _, examples = help_text.partition(f"{heading}:")
        assert f"│ {command} " in panel.partition(f"─ {heading} ─")[2].partition("╰")[0]
        assert f"glean {command} " in examples
