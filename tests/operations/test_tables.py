"""Importing an export and looking a table over, without a command line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.operations.tables.import_sales import read_export, write_import
from glean.operations.tables.table_check import check_table
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.reading.sales_file import read_sales

TILL = "Datum;Filiale;Artikel;Menge\n13.05.2024;Nord;Semmel;5\n14.05.2024;Nord;Brot;2\n"


@pytest.fixture
def request_(tmp_path: Path) -> ImportRequest:
    path = tmp_path / "till.csv"
    path.write_text(TILL, encoding="utf-8")
    return ImportRequest(path, Columns("Datum", "Menge", bakery="Filiale", product="Artikel"))


def test_an_import_writes_a_table_and_reports(request_: ImportRequest, tmp_path: Path) -> None:
    """What was written is what the report holds."""
    out = tmp_path / "table.csv"
    report = read_export(request_, out)
    assert not out.exists()
    write_import(report)
    assert read_sales(out).rows.equals(report.table.rows)
    assert (report.first_day, report.last_day) == (dt.date(2024, 5, 13), dt.date(2024, 5, 14))
    assert report.products == ("Brot", "Semmel")
    assert [history.bakery for history in report.short] == ["Nord"]
    assert dict(report.notes)["dates"].startswith("day, month, year")


def test_an_import_overwrites_only_when_told(request_: ImportRequest, tmp_path: Path) -> None:
    """What is there stays as it is otherwise."""
    out = tmp_path / "table.csv"
    out.write_text("precious")
    with pytest.raises(GleanError, match="--force replaces it"):
        read_export(request_, out)
    report = read_export(request_, out, force=True)
    with pytest.raises(GleanError, match="--force replaces it"):
        write_import(report)
    assert out.read_text() == "precious"
    write_import(report, force=True)
    assert read_sales(out).rows.equals(report.table.rows)


def test_a_check_has_a_report_remarks_and_a_verdict(
    request_: ImportRequest, tmp_path: Path
) -> None:
    """Of a sound table, and of a file that is none."""
    out = tmp_path / "table.csv"
    write_import(read_export(request_, out))
    check = check_table(out)
    assert check.report.usable
    assert check.remarks[0].startswith("Nord: a short history of 2 trading days")
    assert f"{out} can be used as it is" in check.verdict
    wrong = check_table(request_.path)
    assert not wrong.report.usable
    assert "can't be used yet" in wrong.verdict
