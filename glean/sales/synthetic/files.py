"""Synthetic bakeries become the files of `data/`, the same bytes on any machine."""

from __future__ import annotations

from pathlib import Path

from glean.errors import GleanError
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.table import SalesTable


def write_synthetic(folder: Path, bakeries: int = 5, *, scenario: str = "related") -> list[Path]:
    """Write one CSV file a bakery into `folder` (made if missing), the same bytes every time.

    Returns
    -------
    list of Path
        `bakery_1.csv` to `bakery_N.csv`, in the order of the bakeries' numbers.

    Raises
    ------
    GleanError
        A file can't be written, or the folder is a file.
    SettingsError
        The scenario is unknown.
    """
    paths = [folder / f"bakery_{index + 1}.csv" for index in range(bakeries)]
    target = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, path in enumerate(paths):
            text = _csv(synthetic_bakery(index, scenario=scenario).table)
            target = path
            target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        found = "a file is in the way" if isinstance(error, FileExistsError) else error.strerror
        message = f"{target}: can't be written ({found}); choose another folder"
        raise GleanError(message) from None
    return paths


def _csv(table: SalesTable) -> str:
    """Format every column by hand: pandas' own formatting has changed between versions."""
    rows = table.rows
    columns = [str(name) for name in rows]
    whole, cents, tenths = "{:.0f}".format, "{:.2f}".format, "{:.1f}".format
    formats = {
        "units": whole, "price": cents, "promotion": whole, "holiday": whole,
        "school_holiday": whole, "temperature_c": tenths, "rain_mm": tenths,
    }  # fmt: skip
    cells = [[str(day.date()) for day in rows["date"]]]
    for column in columns[1:]:
        values = rows[column].tolist()
        cells.append([formats[column](value) for value in values] if column in formats else values)
    lines = [",".join(columns), *(",".join(row) for row in zip(*cells, strict=True))]
    return "\n".join(lines) + "\n"
