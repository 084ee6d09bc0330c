"""The bake plan as a page to print: A4, large type, one line a product; pinned on the wall.

In comes a `BakePlan`; out comes one HTML file that works offline, nothing fetched, no script.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from html import escape

from glean.evaluation.pages.plan_sheet import READABLE_PT, SheetLayout, SheetRow, sheet_layout
from glean.forecasting.drivers import MOST_NAMED
from glean.forecasting.plan import BakePlan, PlannedProduct
from glean.languages.catalogues import translatable
from glean.languages.language import Language


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
    heads = (*plan_heads(language), language.translate("baked"))
    foot = (_costs(plan, language), _basis(language, known_until))
    title = (plan.bakery, language.weekday(plan.date), language.date(plan.date))
    week = _week(plan, language, units_label)
    for most in range(MOST_NAMED, 0, -1):
        rows = [_sheet_row(product, language, most) for product in plan.products]
        layout = sheet_layout(
            rows, heads, title=title, remarks=remarks, foot=foot, with_week=bool(week)
        )
        if layout.bake >= READABLE_PT:
            break
    return _FRAME.format(
        code=language.code,
        style=_STYLE,
        sizes=_sizes(layout),
        title=escape(f"{plan.bakery}, {language.long_day(plan.date)}"),
        header="<p>{}</p><h1>{}</h1><p>{}</p>".format(*map(escape, title)),
        remarks="".join(f"<li>{escape(remark)}</li>" for remark in remarks),
        columns="".join(f'<col style="width:{width:.1f}mm">' for width in layout.columns_mm),
        heads="".join(f'<th scope="col">{escape(head)}</th>' for head in heads),
        rows="".join(_row(row) for row in rows),
        week=week,
        foot="".join(f"<p>{escape(text)}</p>" for text in foot),
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


def _sheet_row(product: PlannedProduct, language: Language, most: int) -> SheetRow:
    return SheetRow(
        product.product,
        number(product.bake, language),
        likely(product.low, product.high, language),
        product.why(language, most=most),
    )


def _row(row: SheetRow) -> str:
    return (
        f'<tr><th scope="row">{escape(row.name)}</th>'
        f'<td class="bake">{escape(row.bake)}</td>'
        f'<td class="likely">{escape(row.likely)}</td>'
        f'<td class="why">{escape(row.why)}</td><td class="tick"></td></tr>'
    )


def _sizes(layout: SheetLayout) -> str:
    """Write the sizes of type as variables of the style sheet."""
    sizes = {
        "bake": f"{layout.bake:.1f}pt",
        "name": f"{layout.name:.1f}pt",
        "likely": f"{layout.likely:.1f}pt",
        "why": f"{layout.why:.1f}pt",
        "padding": f"{layout.padding_mm:.2f}mm",
    }
    return ";".join(f"--{name}:{size}" for name, size in sizes.items())


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
    return " ".join(parts)


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
<body style="{sizes}">
<header>{header}</header>
<ul class="remarks">{remarks}</ul>
<table>
<colgroup>{columns}</colgroup>
<thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody>
</table>
{week}
<footer>{foot}</footer>
</body>
</html>
"""

_STYLE = """
@media screen { body { padding: 8mm 0; } }
@media screen and (max-width: 180mm) {
  table { table-layout: auto !important; } col { width: auto !important; } }
@page { size: A4 portrait; margin: 12mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 186mm; color: #000; background: #fff;
  font-family: "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
header { display: flex; align-items: baseline; justify-content: space-between; gap: 6mm;
  border-bottom: 1.2mm solid #000; padding-bottom: 2mm; margin-bottom: 3mm; }
header p { margin: 0; font-size: 15pt; line-height: 1.2; }
header p:last-child { white-space: nowrap; }
h1 { margin: 0; font-size: 34pt; line-height: 1; }
h1::first-letter { text-transform: uppercase; }
.remarks { margin: 0 0 3mm; padding-left: 5mm; font-size: 11pt; }
.remarks:empty { display: none; }
h2 { font-size: 12pt; margin: 6mm 0 3mm; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; line-height: 1.2; }
section { break-inside: avoid; }
thead th { font-size: 10pt; font-weight: 400; text-align: right; color: #333; padding: 0 2mm 1mm; }
thead th:first-child, thead th:nth-child(4) { text-align: left; }
tbody tr { border-bottom: 0.3mm solid #888; break-inside: avoid; }
tbody tr:nth-child(even) { background: #f1efea; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
tbody th { text-align: left; font-weight: 600; overflow-wrap: break-word; hyphens: auto;
  font-size: var(--name); }
td, tbody th { padding: var(--padding) 2mm; vertical-align: middle; }
.bake { text-align: right; font-size: var(--bake); font-weight: 800;
  font-variant-numeric: tabular-nums; }
.likely { text-align: right; font-size: var(--likely); font-variant-numeric: tabular-nums; }
.why { font-size: var(--why); color: #333; }
.tick { font-size: var(--bake); }
.tick::before { content: ""; display: block; width: 0.63em; height: 0.63em; margin-left: auto;
  border: 0.5mm solid #000; }
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
