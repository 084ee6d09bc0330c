"""A plan on one sheet for the wall: A4, large type, a line a product, in groups.

In come words and numbers as texts; out comes one HTML file that works offline, without a script.
Where products are too many for lines with reasons, they stand in two or three columns of names and
numbers. No name is ever broken inside a word: its type is made smaller instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from glean.evaluation.pages.plan_sheet import (
    READABLE_PT,
    ColumnLayout,
    SheetLayout,
    SheetRow,
    column_layout,
    free_height_mm,
    name_size,
    sheet_layout,
)
from glean.languages.language import Language


@dataclass(frozen=True)
class WallLine:
    """A product on the wall.

    Parameters
    ----------
    group : str
        Category under which it stands, "" for none.
    name, bake, likely : str
        The product, what to bake, and between which numbers it is likely to be asked for.
    whys : tuple of str
        What is special, in full and shorter: a crowded sheet has the last.
    """

    group: str
    name: str
    bake: str
    likely: str
    whys: tuple[str, ...] = ()


@dataclass(frozen=True)
class WallSheet:
    """A day's plan.

    Parameters
    ----------
    title : tuple of str
        The bakery, the weekday and the day.
    heads : tuple of str
        Of the columns: product, bake, likely, why, done.
    lines : tuple of WallLine
        The largest first; they are put into groups here.
    remarks, foot : tuple of str
        Paragraphs above and below.
    week : str
        HTML of the days ahead, "" for none.
    """

    title: tuple[str, str, str]
    heads: tuple[str, str, str, str, str]
    lines: tuple[WallLine, ...]
    remarks: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    week: str = ""


def wall_page(sheet: WallSheet, language: Language) -> str:
    """Write the page, in the largest type in which it stays on one sheet."""
    groups = in_groups(sheet.lines)
    listed = [line for _, lines in groups for line in lines]
    headings = sum(bool(name) for name, _ in groups) if len(groups) > 1 else 0
    for brevity in range(max((len(line.whys) for line in listed), default=1) or 1):
        rows = [_sheet_row(line, brevity) for line in listed]
        layout = sheet_layout(
            rows,
            sheet.heads,
            title=sheet.title,
            remarks=sheet.remarks,
            foot=sheet.foot,
            with_week=bool(sheet.week),
            headings=headings,
        )
        if layout.bake >= READABLE_PT:
            break
    body, sizes, week = _table(sheet, groups, layout, brevity, headings), _sizes(layout), sheet.week
    if not layout.fits:
        columns, week = _column_layout(sheet, rows, headings)
        body, sizes = _columns(groups, columns, headings), _column_sizes(columns)
    return _FRAME.format(
        code=language.code,
        style=_STYLE,
        sizes=sizes,
        title=escape(", ".join(sheet.title)),
        header="<p>{}</p><h1>{}</h1><p>{}</p>".format(*map(escape, sheet.title)),
        remarks="".join(f"<li>{escape(remark)}</li>" for remark in sheet.remarks),
        body=body,
        week=week,
        foot="".join(f"<p>{escape(text)}</p>" for text in sheet.foot if text),
    )


def in_groups(lines: Iterable[WallLine]) -> list[tuple[str, list[WallLine]]]:
    """Put lines of a group together, groups in the order of their first line, "" the last.

    Examples
    --------
    >>> lines = [WallLine(group, name, "1", "") for group, name in ("ab", "-c", "ad")]
    >>> [(group, [line.name for line in found]) for group, found in in_groups(lines)]
    [('a', ['b', 'd']), ('-', ['c'])]
    """
    groups: dict[str, list[WallLine]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    return sorted(groups.items(), key=lambda item: item[0] == "")


def _column_layout(
    sheet: WallSheet, rows: Sequence[SheetRow], headings: int
) -> tuple[ColumnLayout, str]:
    """Lay out columns; with the days ahead below them where that leaves the type readable."""
    for week in (sheet.week, ""):
        free = free_height_mm(sheet.title, sheet.remarks, sheet.foot, with_week=bool(week))
        layout = column_layout(rows, free_mm=free, headings=headings)
        if layout.bake >= _READABLE_IN_COLUMNS_PT:
            break
    return layout, week


_READABLE_IN_COLUMNS_PT = 12.0


def _sheet_row(line: WallLine, brevity: int) -> SheetRow:
    why = line.whys[min(brevity, len(line.whys) - 1)] if line.whys else ""
    return SheetRow(line.name, line.bake, line.likely, why)


def _table(
    sheet: WallSheet,
    groups: Sequence[tuple[str, Sequence[WallLine]]],
    layout: SheetLayout,
    brevity: int,
    headings: int,
) -> str:
    columns = "".join(f'<col style="width:{width:.1f}mm">' for width in layout.columns_mm)
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in sheet.heads)
    bodies = []
    for name, lines in groups:
        rows = "".join(_row(_sheet_row(line, brevity), layout) for line in lines)
        if headings and name:
            head = f'<th colspan="5" scope="rowgroup">{escape(name)}</th>'
            rows = f'<tr class="group">{head}</tr>{rows}'
        bodies.append(f"<tbody>{rows}</tbody>")
    return (
        f'<table class="lines"><colgroup>{columns}</colgroup><thead><tr>{heads}</tr></thead>'
        f"{''.join(bodies)}</table>"
    )


def _row(row: SheetRow, layout: SheetLayout) -> str:
    size = name_size(row.name, layout.name, layout.columns_mm[0])
    return (
        f'<tr><th scope="row"{_smaller(size, layout.name)}>{escape(row.name)}</th>'
        f'<td class="bake">{escape(row.bake)}</td>'
        f'<td class="likely">{escape(row.likely)}</td>'
        f'<td class="why">{escape(row.why)}</td><td class="tick"></td></tr>'
    )


def _columns(
    groups: Sequence[tuple[str, Sequence[WallLine]]], layout: ColumnLayout, headings: int
) -> str:
    found = []
    for name, lines in groups:
        if headings and name:
            found.append(f"<h2>{escape(name)}</h2>")
        for line in lines:
            size = name_size(line.name, layout.name, layout.name_mm)
            found.append(
                f'<p><span class="name"{_smaller(size, layout.name)}>{escape(line.name)}</span>'
                f'<b>{escape(line.bake)}</b><i class="tick"></i></p>'
            )
    return f'<div class="columns">{"".join(found)}</div>'


def _smaller(size: float, usual: float) -> str:
    return f' style="font-size:{size:.1f}pt"' if size < usual else ""


def _sizes(layout: SheetLayout) -> str:
    """Write the sizes of type as variables of the style sheet."""
    return _variables(
        bake=f"{layout.bake:.1f}pt",
        name=f"{layout.name:.1f}pt",
        likely=f"{layout.likely:.1f}pt",
        why=f"{layout.why:.1f}pt",
        padding=f"{layout.padding_mm:.2f}mm",
    )


def _column_sizes(layout: ColumnLayout) -> str:
    return _variables(
        bake=f"{layout.bake:.1f}pt",
        name=f"{layout.name:.1f}pt",
        padding=f"{layout.padding_mm:.2f}mm",
        columns=f"{layout.columns}",
    )


def _variables(**sizes: str) -> str:
    return ";".join(f"--{name}:{size}" for name, size in sizes.items())


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
{body}
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
tbody th, .name { text-align: left; font-weight: 600; hyphens: none; font-size: var(--name); }
.why, .remarks, footer { hyphens: auto; }
.group th { padding: 1.5mm 2mm 0.5mm; font-size: 10.5pt; font-weight: 800; background: #fff;
  border-bottom: 0.5mm solid #000; }
.columns { columns: var(--columns); column-gap: 6mm; line-height: 1.2; }
.columns p { display: flex; align-items: center; gap: 2mm; margin: 0; padding: var(--padding) 0;
  border-bottom: 0.2mm solid #888; break-inside: avoid; }
.columns .name { flex: 1; }
.columns b { font-size: var(--bake); font-weight: 800; font-variant-numeric: tabular-nums; }
.columns .tick { font-size: var(--name); }
.columns h2 { margin: 0; padding: 2mm 0 0.5mm; font-size: 10.5pt; line-height: 1.2;
  border-bottom: 0.5mm solid #000; break-after: avoid; }
.columns h2:first-child { padding-top: 0; }
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
