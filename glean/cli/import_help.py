"""The help of `glean data import`: its options in groups, with an example of each."""

from __future__ import annotations

GROUPS = {
    "What is what": (
        "date", "units", "bakery", "product", "bakery_name", "keep", "category", "sheet", "layout",
    ),
    "How it is written": ("delimiter", "decimal", "encoding", "date_order", "swapped_days"),
    "Till lines": (
        "till_lines", "quantity", "zeros", "void", "kind", "line_kind", "overlap", "returns",
    ),
    "A column a product": ("wide", "products", "align_rows"),
    "Days": ("timezone", "day_starts", "closed", "since", "until"),
    "What is kept": (
        "only", "min_units_a_day", "ignore_item", "totals", "min_days", "first",
    ),
    "What is known besides": (
        "region", "covariates", "covariate_date", "covariate_columns", "covariate_decimal",
        "covariate_date_order",
    ),
}  # fmt: skip
"""Heading -> fields of `ImportOptions`."""

EXAMPLES = {
    "What is what": "till.xlsx --out my.csv --bakery-name North --keep Preis=price",
    "How it is written": "till.csv --out my.csv --date-order dmy --decimal Menge=.",
    "Till lines": "tickets.csv --out my.csv --till-lines --quantity Menge --returns net",
    "A column a product": "sheet.csv --out my.csv --wide --products Rolls,Loaf",
    "Days": "tickets.csv --out my.csv --till-lines --timezone Europe/Berlin --day-starts 04:00",
    "What is kept": "till.csv --out my.csv --only baked.csv --min-units-a-day 2",
    "What is known besides": "till.csv --out my.csv --region DE-NI --covariates weather.csv",
}
"""What follows `glean data import`."""


def epilog() -> str:
    """Write an example of each group, for the end of the help."""
    return "\n\n".join(
        f"{heading}:\n\n    glean data import {words}" for heading, words in EXAMPLES.items()
    )
