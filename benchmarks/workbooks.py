"""How long importing a thousand day sheets takes: a dozen workbooks, hours as columns, 40 products.

Each is written as a till does: the header on the first sheet only, the day on the first line, a
total line below. Run `python -m benchmarks.workbooks`; ends with 1 above a minute.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl

from glean.operations.tables.import_sales import read_export, write_import
from glean.sales.importing.request import ImportRequest

BOOKS = 12
SHEETS_A_BOOK = 84
PRODUCTS = 40
HOURS = range(6, 18)
LIMIT_S = 60.0


def write_books(folder: Path) -> Iterator[Path]:
    """Write the workbooks, with a random number of pieces in each hour, sometimes none."""
    rng = np.random.default_rng(0)
    for number in range(BOOKS):
        book = openpyxl.Workbook(write_only=True)
        for sheet_number in range(SHEETS_A_BOOK):
            day = dt.date(2022, 1, 3) + dt.timedelta(number * SHEETS_A_BOOK + sheet_number)
            sheet = book.create_sheet(f"Report {sheet_number + 1}")
            if sheet_number == 0:
                sheet.append(["", "No.", "Name", *(dt.time(hour) for hour in HOURS)])
            pieces = rng.integers(0, 5, (PRODUCTS, len(HOURS)))
            for product, sold in enumerate(pieces):
                first = f"{day:%d.%m.%Y}" if product == 0 else None
                counts = [int(count) or None for count in sold]
                sheet.append([first, product, f"Product {product}", *counts])
            sheet.append([None, None, "Summe"])
        path = folder / f"till_{number + 1:02}.xlsx"
        book.save(path)
        yield path


def import_seconds(folder: Path) -> tuple[float, int]:
    """Seconds from files to table, and how many rows that has."""
    first, *further = write_books(folder)
    request = ImportRequest(first, bakery_name="North", further=tuple(further))
    start = time.perf_counter()
    report = read_export(request, folder / "table.csv")
    write_import(report)
    return time.perf_counter() - start, len(report.table.rows)


def main() -> int:
    """Print the seconds; 1 if they are above the limit."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, rows = import_seconds(Path(folder))
    sheets = BOOKS * SHEETS_A_BOOK
    print(f"{sheets:,} sheets in {BOOKS} workbooks: {seconds:.1f} s, {rows:,} rows")
    print(f"at most {LIMIT_S:.0f} s: {'kept' if seconds <= LIMIT_S else 'missed'}")
    return int(seconds > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
