"""Requests that contradict themselves are refused before a file is read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from glean.errors import GleanError, SettingsError
from glean.sales.importing.exports import Notation
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"returns": "keep"}, "--returns: found 'keep'"),
        ({"wide": True, "till_lines": True}, "--wide"),
        ({"products": ("a",)}, "--products"),
        ({"till_lines": True, "ignored_items": ("a",)}, "--ignore-item"),
        ({"columns": Columns(date="d", units="u", kept={"x": "date"})}, "--keep"),
        (
            {"columns": Columns(date="d", units="u", product="u")},
            "'u' twice, --units and --product",
        ),
        (
            {"columns": Columns(date="d", units="u", kept={"d": "x"})},
            "'d' twice, --date and --keep",
        ),
        ({"wide": True, "products": ("a", "d")}, "'d' twice, --date and --products"),
        (
            {"columns": Columns(date="d", units="u", bakery="b"), "bakery_name": "North"},
            "--bakery-name: found --bakery as well",
        ),
    ],
)
def test_contradicting_options_are_refused(options: dict[str, object], words: str) -> None:
    """Options that exclude or need one another are told apart before the file is read."""
    given_options = {"path": Path("none.csv"), "columns": Columns(date="d")} | options
    with pytest.raises(SettingsError, match=words):
        ImportRequest(**given_options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["(all)", "No\nrth", "North\x00", "  "])
def test_names_that_no_table_may_have_are_refused(name: str) -> None:
    """A bakery can't be given, by option or by the file's name, a name that reading refuses."""
    columns = Columns(date="d", units="u")
    for request in ({"path": Path("f.csv"), "bakery_name": name}, {"path": Path(f"{name}.csv")}):
        with pytest.raises(SettingsError, match="--bakery-name: found"):
            ImportRequest(columns=columns, **request)
    named = ImportRequest(Path("(all).csv"), Columns(date="d", units="u", bakery="b"))
    assert named.columns.bakery == "b"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Notation(delimiter="#"),
        lambda: Notation(decimal="'"),
        lambda: Notation(date_order="ydm"),
        lambda: Selection(dt.date(2024, 2, 1), dt.date(2024, 1, 1)),
        lambda: Selection(first=-1),
    ],
)
def test_impossible_values_are_refused(make: object) -> None:
    """A choice that there isn't is refused by name."""
    assert callable(make)
    with pytest.raises(GleanError, match="--"):
        make()
