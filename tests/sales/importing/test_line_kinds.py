"""Kinds of lines: what a till calls returns, voids and discounts; two currencies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import SalesError, SettingsError
from glean.sales.importing.import_sales import Imported, import_sales
from glean.sales.importing.line_kinds import kind_of
from glean.sales.importing.request import Columns, ImportRequest
from tests.sales.importing.exports import file_of

TILL = Columns(date="d", product="p", units="Menge")


def request_of(folder: Path, lines: list[tuple[str, str]], head: str = "Vorgang") -> ImportRequest:
    """Lines of one day and product: units, and the text in the column of kinds."""
    text = f"d;p;Menge;{head}\n" + "".join(f"2024-05-01;Brot;{u};{kind}\n" for u, kind in lines)
    return ImportRequest(file_of(folder, text), TILL, till_lines=True, returns="net")


def units_of(imported: Imported) -> list[float]:
    return [float(units) for units in imported.table.rows["units"]]


@pytest.mark.parametrize(
    ("sold", "other", "units"),
    [
        ("Verkauf", "Retoure", 7.0),
        ("sale", "Refund", 7.0),
        ("vente", "remboursement", 7.0),
        ("", "R\u00fcckgabe", 7.0),
    ],
)
def test_kinds_are_found_by_their_words(
    sold: str, other: str, units: float, tmp_path: Path
) -> None:
    """A return is taken off, whatever its sign, and said."""
    for three in ("3", "-3", "3-", "(3)"):
        found = import_sales(request_of(tmp_path, [("10", sold), (three, other)], "Bemerkung"))
        assert units_of(found) == [units]
        assert any(what == "kinds" and f"1 {other!r}" in words for what, words in found.notes)


@pytest.mark.parametrize("word", ["Storno", "VOID", "annulation"])
def test_a_void_is_asked_about_unless_its_sign_says_it(word: str, tmp_path: Path) -> None:
    """Negative units take another line back; positive ones may be the voided line itself."""
    assert units_of(import_sales(request_of(tmp_path, [("5", "Verkauf"), ("-2", word)]))) == [3.0]
    asked = request_of(tmp_path, [("5", "Verkauf"), ("2", word)])
    with pytest.raises(SalesError, match="line 3, column 'Vorgang'") as caught:
        import_sales(asked)
    assert f"{word!r} on 1 line with units above 0" in str(caught.value)
    assert units_of(import_sales(replace(asked, line_kinds={word: "void"}))) == [5.0]
    assert units_of(import_sales(replace(asked, line_kinds={word: "return"}))) == [3.0]
    every = replace(asked, columns=replace(TILL, kind="none"))
    assert units_of(import_sales(every)) == [7.0]


@pytest.mark.parametrize("word", ["Rabatt 10%", "Discount", "remise"])
def test_a_discount_with_units_is_asked_about(word: str, tmp_path: Path) -> None:
    """It may be a sale at a discount; without units it isn't one."""
    for none in ("0", "-1"):
        found = import_sales(request_of(tmp_path, [("5", "Verkauf"), (none, word)]))
        assert units_of(found) == [5.0]
        assert ("kinds", f"lines left out: 1 {word!r}") in found.notes
    asked = request_of(tmp_path, [("5", "Verkauf"), ("2", word)])
    with pytest.raises(SalesError, match=r"or --line-kind .*=sale"):
        import_sales(asked)
    assert units_of(import_sales(replace(asked, line_kinds={word: "discount"}))) == [5.0]
    assert units_of(import_sales(replace(asked, line_kinds={word: "sale"}))) == [7.0]


def test_unknown_kinds_are_asked_about(tmp_path: Path) -> None:
    """In a column named for kinds all of them, with how often each stands there."""
    lines = [("5", "Verkauf"), ("1", "Retoure"), ("2", "Umtausch"), ("2", "Umtausch"), ("1", "X")]
    asked = request_of(tmp_path, lines)
    with pytest.raises(SalesError) as caught:
        import_sales(asked)
    assert "'Umtausch' on 2 lines; wanted what such a line is" in str(caught.value)
    assert "'X' on 1 line" in str(caught.value)
    told = replace(asked, line_kinds={"Umtausch": "sale", "X": "discount"})
    assert units_of(import_sales(told)) == [8.0]
    with pytest.raises(SettingsError, match="--line-kind"):
        replace(asked, line_kinds={"X": "gift"})


@pytest.mark.parametrize("other", ["Rabatt", "zum Mitnehmen"])
def test_remarks_are_no_kinds(other: str, tmp_path: Path) -> None:
    """A column that may mark sales at a discount, or says other things, is only named."""
    lines = [("5", ""), ("2", other), ("1", "Rabatt")]
    found = import_sales(request_of(tmp_path, lines, "Bemerkung"))
    assert units_of(found) == [8.0]
    assert "the column 'Bemerkung' has 'Rabatt' on some lines" in dict(found.notes)["kinds"]
    told = request_of(tmp_path, lines, "Bemerkung")
    found = import_sales(replace(told, line_kinds={"Rabatt": "discount"}))
    assert "so --line-kind isn't used" in dict(found.notes)["kinds"]


def test_words_in_a_column_of_voids_are_flags(tmp_path: Path) -> None:
    """VOID or nothing is what 1 or 0 is."""
    found = import_sales(request_of(tmp_path, [("5", ""), ("2", "VOID")], "Void?"))
    assert units_of(found) == [5.0]
    assert ("dropped", "1 voided line") in found.notes


def test_two_meanings_are_none() -> None:
    """A text that says both, or says no, isn't guessed at."""
    assert [kind_of(text) for text in ("No sale", "Storno Rabatt", "Tisch 4")] == [None] * 3


def test_two_currencies_in_a_column_are_refused(tmp_path: Path) -> None:
    """Where money is read; pieces without a price may be sold in any currency."""
    text = "d;p;Menge;Preis;W\u00e4hrung\n2024-05-01;A;1;2;EUR\n2024-05-02;A;1;2;eur\n"
    text += "2024-05-03;A;1;2;{}\n"
    columns = replace(TILL, kept={"Preis": "price"})
    request = ImportRequest(file_of(tmp_path, text.format("CHF")), columns)
    with pytest.raises(SalesError, match="line 4, column 'W\u00e4hrung': found 'CHF' beside 'EUR'"):
        import_sales(request)
    assert units_of(import_sales(replace(request, columns=TILL))) == [1.0] * 3
    money = replace(TILL, units="Preis")
    with pytest.raises(SalesError, match="one currency"):
        import_sales(replace(request, columns=money))
    one = file_of(tmp_path, text.format("EUR"))
    assert units_of(import_sales(replace(request, path=one, columns=money))) == [2.0] * 3
