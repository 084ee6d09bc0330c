"""What may be a client's name, and how a text of a stranger is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.federation.wire.client_names import (
    LONGEST_NAME,
    LONGEST_TEXT,
    name_objection,
    shown,
)


@pytest.mark.parametrize(
    "name", ["", "Bäckerei Müller & Söhne", "007", "=1+1", "パン屋", "y" * 100]
)
@pytest.mark.parametrize("own_table", [True, False])
def test_a_name_that_people_write_will_do(name: str, own_table: bool) -> None:
    """Whatever a spreadsheet would make of it; "" is a node that plays nobody."""
    assert name_objection(name, own_table=own_table) == ""


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("y" * 101, "at most 100 characters"),
        ("y" * 10_000_000, "at most 100 characters"),
        ("\x1b[2J\x1b[31mowned\x1b]0;x\x07", "printable characters"),
        ("a\nround 99: fake log line", "printable characters"),
        ("a\0b", "printable characters"),
        ("\udc80x", "printable characters"),
        ("left\u202eright", "printable characters"),
        (" Anna", "without a space at its ends"),
        ("(all)", "stands for all"),
        ("..", "parts of a path"),
        ("../../etc/cron.d/x", "parts of a path"),
        ("/etc/passwd", "parts of a path"),
        ("a\\..\\b", "parts of a path"),
    ],
)
def test_what_is_no_name_is_refused_without_its_own_characters(name: str, wanted: str) -> None:
    """The reason is one short line, and printable."""
    said = name_objection(name, own_table=False)
    assert wanted in said
    assert said.isprintable()
    assert len(said) < 200


def test_a_slash_is_a_path_between_machines_only() -> None:
    """A table of one's own may hold "Nord/Süd"; a stranger's node gives no such name."""
    assert name_objection("Nord/Süd", own_table=False) == ""
    assert "parts of a path" in name_objection("Nord/Süd", own_table=True)


@given(st.text())
def test_any_text_is_shown_on_one_printable_line(text: str) -> None:
    """And one that was shown already stays as it is."""
    found = shown(text)
    assert found.isprintable()
    assert shown(found) == found


def test_a_long_text_is_cut() -> None:
    """With its length."""
    assert shown("z" * 10_000_000).endswith("... (10,000,000 characters)")
    assert len(shown("z" * 10_000_000)) < LONGEST_TEXT + 50


@given(st.text(max_size=2 * LONGEST_NAME))
def test_a_name_that_will_do_can_be_printed(name: str) -> None:
    """On one line, as it is."""
    if not name_objection(name, own_table=True):
        assert shown(name) == name
        assert len(name) <= LONGEST_NAME
