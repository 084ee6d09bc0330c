"""The bake plan as a page to print: A4, large type, one line a product; pinned on the wall.

In comes a `BakePlan`; out comes one HTML file that works offline, nothing fetched, no script.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from html import escape

from glean.forecasting.plan import BakePlan, PlannedProduct
from glean.languages.catalogues import translatable
from glean.languages.language import Language

_ROWS_IN_LARGE_TYPE = 14
"""With more products than this the type gets smaller, so that a plan stays on one sheet."""

_ROWS_IN_MIDDLE_TYPE = 22


def bake_page(
    plan: BakePlan,
    language: Language,
    *,
    units_label: str,
    known_until: dt.date,
    remarks: Sequence[str] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    plan : BakePlan
        What to bake.
    language : Language
        Of the page.
    units_label : str
        What is counted: "units", or money.
    known_until : date
        Last day of which sales were known, for the foot of the page.
    remarks : sequence of str
        What is to be known before the numbers, in that language.
    """
    count = len(plan.products)
    size = (
        "large"
        if count <= _ROWS_IN_LARGE_TYPE
        else "middle"
        if count <= _ROWS_IN_MIDDLE_TYPE
        else "small"
    )
    return _FRAME.format(
        code=language.code,
        style=_STYLE,
        size=size,
        title=escape(f"{plan.bakery}, {language.long_day(plan.date)}"),
        bakery=escape(plan.bakery),
        weekday=escape(language.weekday(plan.date)),
        date=escape(language.date(plan.date)),
        remarks="".join(f"<li>{escape(remark)}</li>" for remark in remarks),
        heads="".join(
            f'<th scope="col">{escape(head)}</th>'
            for head in (*plan_heads(language), language.translate("baked"))
        ),
        rows="".join(_row(product, language) for product in plan.products),
        week=_week(plan, language, units_label),
        costs=_costs(plan, language),
        basis=escape(_basis(language, known_until)),
    )


def plan_heads(language: Language) -> tuple[str, str, str, str]:
    """Name the columns of a plan."""
    return (
        language.translate("product"),
        language.translate("bake"),
        language.translate("likely asked for"),
        language.translate("why"),
    )


def number(value: float, language: Language) -> str:
    """Write units for a baker: whole, or to one digit where there are few.

    Examples
    --------
    >>> from glean.languages.language import ENGLISH
    >>> number(120.0, ENGLISH), number(3.26, ENGLISH)
    ('120', '3.3')
    """
    return language.number(value, 0 if value >= 10 or value == round(value) else 1)


def likely(low: float, high: float, language: Language) -> str:
    """Write a likely range in whole units, none of it cut off."""
    return language.translate(
        "{low} to {high}",
        low=language.number(math.floor(low)),
        high=language.number(math.ceil(high)),
    )


def _row(product: PlannedProduct, language: Language) -> str:
    return (
        f'<tr><th scope="row">{escape(product.product)}</th>'
        f'<td class="bake">{number(product.bake, language)}</td>'
        f'<td class="likely">{likely(product.low, product.high, language)}</td>'
        f'<td class="why">{escape(product.why(language))}</td><td class="tick"></td></tr>'
    )


def _week(plan: BakePlan, language: Language, units_label: str) -> str:
    if len(plan.week) < 2:
        return ""
    most = max(units for _, units in plan.week) or 1.0
    bars = "".join(
        f'<li class="{"today" if day == plan.date else "other"}">'
        f'<span class="units">{number(round(units), language)}</span>'
        f'<span class="bar" style="height:{2 + 18 * units / most:.1f}mm"></span>'
        f'<span class="day">{language.weekday(day, short=True)}<br>'
        f"{language.short_day(day)}</span></li>"
        for day, units in plan.week
    )
    # A label that a federation chose itself, like EUR, stays as it is.
    label = language.translate("units") if units_label == "units" else units_label
    head = language.translate("The days ahead: {units} expected, all products", units=label)
    return f'<section><h2>{escape(head)}</h2><ol class="week">{bars}</ol></section>'


def _costs(plan: BakePlan, language: Language) -> str:
    """Say what a day like this leaves over and misses on average, in the units that are known."""
    parts = [
        language.translate(
            "On an average day like this {left_over} left over and {missed} missed.",
            left_over=number(_sum(plan, "left_over"), language),
            missed=number(_sum(plan, "missed"), language),
        )
    ]
    for name, words, digits in (
        ("cost", translatable("{value} lost with both."), 2),
        ("left_over_kg", translatable("{value} kg left over."), 1),
        ("left_over_co2e_kg", translatable("{value} kg CO2e behind it."), 1),
    ):
        known = [getattr(product, name) for product in plan.products]
        known = [value for value in known if not math.isnan(value)]
        if known:
            parts.append(language.translate(words, value=language.number(sum(known), digits)))
    return escape(" ".join(parts))


def _basis(language: Language, known_until: dt.date) -> str:
    """Say what "likely" means, and what the plan goes by."""
    return " ".join(
        (
            language.translate("“Likely” holds on four days of five."),
            language.translate("Sales known up to {day}.", day=language.date(known_until)),
        )
    )


def _sum(plan: BakePlan, name: str) -> float:
    return float(sum(getattr(product, name) for product in plan.products))


_FRAME = """<!DOCTYPE html>
<html lang="{code}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="{size}">
<header><p>{bakery}</p><h1>{weekday}</h1><p>{date}</p></header>
<ul class="remarks">{remarks}</ul>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody>
</table>
{week}
<footer><p>{costs}</p><p>{basis}</p></footer>
</body>
</html>
"""

_STYLE = """
@media screen { body { padding: 8mm 0; } }
@page { size: A4 portrait; margin: 12mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 186mm; color: #000; background: #fff;
  font-family: "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 6mm;
  border-bottom: 1.2mm solid #000; padding-bottom: 2mm; margin-bottom: 3mm; }
header p { margin: 0; font-size: 15pt; }
h1 { margin: 0; font-size: 34pt; line-height: 1; }
h1::first-letter { text-transform: uppercase; }
.remarks { margin: 0 0 3mm; padding-left: 5mm; font-size: 11pt; }
.remarks:empty { display: none; }
h2 { font-size: 12pt; margin: 6mm 0 3mm; }
table { width: 100%; border-collapse: collapse; }
thead th { font-size: 10pt; font-weight: 400; text-align: right; color: #333; padding: 0 2mm 1mm; }
thead th:first-child, thead th:nth-child(4) { text-align: left; }
tbody tr { border-bottom: 0.3mm solid #888; break-inside: avoid; }
tbody tr:nth-child(even) { background: #f1efea; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
tbody th { text-align: left; font-weight: 600; overflow-wrap: break-word; hyphens: auto; }
td, tbody th { padding: 1.6mm 2mm; vertical-align: middle; }
.bake { text-align: right; font-weight: 800; font-variant-numeric: tabular-nums; }
.likely { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.why { color: #333; }
.tick { width: 9mm; }
.tick::before { content: ""; display: block; width: 6mm; height: 6mm; margin-left: auto;
  border: 0.5mm solid #000; }
.large tbody th { font-size: 17pt; } .large .bake { font-size: 27pt; }
.large .likely { font-size: 13pt; } .large .why { font-size: 11pt; }
.middle tbody th { font-size: 14pt; } .middle .bake { font-size: 20pt; }
.middle .likely { font-size: 11.5pt; } .middle .why { font-size: 10pt; }
.middle td, .middle tbody th { padding: 0.8mm 2mm; }
.small tbody th { font-size: 11pt; } .small .bake { font-size: 14pt; }
.small .likely { font-size: 10pt; } .small .why { font-size: 8.5pt; }
.small td, .small tbody th { padding: 0.3mm 2mm; }
.small .tick::before { width: 3.5mm; height: 3.5mm; }
.week { display: flex; align-items: flex-end; gap: 3mm; list-style: none; margin: 0; padding: 0;
  break-inside: avoid; }
.week li { flex: 1; display: flex; flex-direction: column; align-items: center; font-size: 11pt; }
.week .units { font-variant-numeric: tabular-nums; }
.week .bar { display: block; width: 100%; background: #bbb; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.week .today .bar { background: #000; }
.week .today { font-weight: 800; }
.week .day { text-align: center; line-height: 1.1; margin-top: 1mm; }
footer { margin-top: 5mm; font-size: 9.5pt; color: #333; }
footer p { margin: 0 0 1mm; }
"""
