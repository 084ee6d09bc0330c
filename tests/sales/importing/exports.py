"""Small exports of a till, and the tables that are made of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from glean.sales.importing.import_sales import Imported
from glean.sales.importing.request import Columns
from glean.sales.reading.sheet import Sheet, texts_of

LONG = Columns(date="Datum", bakery="Filiale", product="Artikel", units="Menge")


EXPORT = (
    "Filiale;Datum;Artikel;Menge;Preis\n"
    "1;13.05.2024;Brötchen;1.412,5;0,45\n"
    "1;14.05.2024;Brötchen;388;0,45\n"
    "2;14.05.2024;Brötchen;12,25;0,5\n"
)


def file_of(folder: Path, content: str, name: str = "export.csv", code: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content.encode(code))
    return path


def units_of(imported: Imported) -> dict[tuple[str, str, str], float]:
    rows = imported.table.rows
    days = rows["date"].dt.strftime("%Y-%m-%d")
    keys = zip(days, rows["bakery"], rows["product"], strict=True)
    return dict(zip(keys, rows["units"], strict=True))


def sheet_of(column: str, texts: list[str]) -> Sheet:
    return Sheet("f.csv", {column: texts_of(texts)}, pd.RangeIndex(2, len(texts) + 2).to_numpy())
