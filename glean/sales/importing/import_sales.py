"""An export of a till or spreadsheet becomes a `SalesTable`: the way from file to table.

The steps stand in modules of their own: `opened_files` makes one sheet of the files, `wide_files`
and `tills` bring it into long form, `covariate_files` and `calendars` add what is known by day,
`selection` says what is kept.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.calendars import public_holidays
from glean.sales.importing.covariate_files import join_covariates, read_covariates
from glean.sales.importing.currencies import refuse_mixed_currencies
from glean.sales.importing.exports import (
    Notation,
    Note,
    forms_of,
    settled_notation,
    together_with,
)
from glean.sales.importing.layout_file import Layout, layout_of
from glean.sales.importing.line_kinds import settle_kinds, with_kind_column
from glean.sales.importing.names import tidied, tidy_name
from glean.sales.importing.opened_files import OpenedFiles, open_files
from glean.sales.importing.overlaps import repeated_lines, settle_overlaps
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.selection import Selection
from glean.sales.importing.shown_results import result_lines
from glean.sales.importing.stamps import settle_clock
from glean.sales.importing.swapped_days import settle_exchanged
from glean.sales.importing.tills import (
    LONGEST_GAP_DAYS,
    ONE,
    sum_to_days,
    with_day_values,
    with_ones,
    with_zero_days,
    without_items,
)
from glean.sales.importing.totals import without_total_columns, without_total_lines
from glean.sales.importing.voids import with_void_column, without_voids
from glean.sales.importing.wide_files import PRODUCT, UNITS, melt, product_columns
from glean.sales.product_choice import OnlyThese
from glean.sales.reading.checks import Forms, typed_rows
from glean.sales.reading.day_rows import repeated_days, table_of
from glean.sales.reading.returns import settle_returns
from glean.sales.reading.sales_file import in_file_order
from glean.sales.reading.sheet import Sheet, texts_of
from glean.sales.reading.values import read_flags
from glean.sales.table import FORMAT, ONE_PRODUCT, SalesTable


@dataclass(frozen=True)
class Imported:
    """A sales table, how it came about, line by line, and what the export is like."""

    table: SalesTable
    notes: tuple[Note, ...]
    layout: Layout


def import_sales(request: ImportRequest) -> Imported:
    """Turn an export into a sales table.

    Raises
    ------
    SalesError
        With everything that is wrong with the export.
    SettingsError
        The region is unknown, or the holidays are there twice.
    """
    asked = request
    texts = open_files(request)
    request = texts.request
    with together_with(texts.problems):
        frame, notation, notes = _frame_of(texts, request)
    if texts.problems:
        raise SalesError(texts.problems)
    frame, found = _surrounded(frame, request)
    notes += found
    frame, found = request.selection.products(frame)
    notes += found
    frame, found = request.selection.bakeries(frame)
    notes += found
    _refuse_none_left(frame, request)
    name = "" if request.columns.bakery else request.one_bakery
    layout = layout_of(replace(asked, bakery_name=name), texts.layouts, notation)
    return Imported(table_of(frame), tuple(notes), layout)


def _frame_of(
    texts: OpenedFiles, request: ImportRequest
) -> tuple[pd.DataFrame, Notation, list[Note]]:
    """Read the lines that are wanted; where columns are missing, only for what is wrong there."""
    if "--date" in texts.missing:  # the days of its stand-in would all be dropped
        request = replace(request, selection=Selection())
    if texts.missing & {"--product", "--products", "--category"}:
        request = replace(request, only=None)
    sheet, columns, notes = _long_form(texts, request)
    numbers = [columns.units] + [old for old, new in columns.kept.items() if new != "sold_out_at"]
    sheet, forms, written = _narrowed(sheet, columns, numbers, request)
    keys_known = not texts.missing & {"--date", "--bakery", "--product"}
    frame, found = _sound_rows(sheet, columns, forms, request=request, keys_known=keys_known)
    notes += [*written, *found, *result_lines(sheet, frame, texts.kinds)]
    frame, found = _named_days(frame, request)
    notation = settled_notation(request.notation, sheet, numbers, forms, made=(UNITS, ONE))
    return frame, notation, [*notes, *found]


def _long_form(texts: OpenedFiles, request: ImportRequest) -> tuple[Sheet, Columns, list[Note]]:
    """Bring the export into long form, and say which columns are what there."""
    sheet, notes = texts.sheet, list(texts.notes)
    sheet, columns, found = with_void_column(sheet, request.columns)
    notes += found
    columns, found = with_kind_column(sheet, columns)
    notes += found
    sheet, found = without_total_lines(
        sheet, columns, request.totals, ignored=request.ignored_items
    )
    notes += found
    used = [column for _, column in columns.named()]
    if request.wide:
        others = {*used, *(sheet.cells.keys() - texts.own)}
        products, odd, found = _products_of(sheet, others, request)
        notes += found
        notes.append(("products", f"{len(products)} columns: {', '.join(products)}"))
        notes += _unused(sheet, [*used, *products, *odd])
        sheet, empty = melt(sheet, products)
        _refuse_none_left(sheet, request)
        notes += [("dropped", f"{empty:,} empty cells")] if empty else []
        return sheet, replace(columns, product=PRODUCT, units=UNITS), notes
    notes += _unused(sheet, [*used, *columns.hours])
    if columns.hours:
        sheet, _ = melt(sheet, columns.hours)
        _refuse_none_left(sheet, request)
        return sheet, replace(columns, units=UNITS), notes
    if request.till_lines and not columns.units:
        return with_ones(sheet), replace(columns, units=ONE), notes
    return sheet, columns, notes


def _products_of(
    sheet: Sheet, others: Collection[str], request: ImportRequest
) -> tuple[Sequence[str], set[str], list[Note]]:
    """Columns of a wide sheet that are products, and those that look so and aren't."""
    if request.products:
        return request.products, set(), []
    numbers = product_columns(sheet, list(others))
    products, notes = without_total_columns(sheet, numbers, request.totals)
    return products, set(numbers).difference(products), notes


def _unused(sheet: Sheet, used: Sequence[str]) -> list[Note]:
    """Name the columns that don't come along, and the option by which one would."""
    unused = [name for name in sheet.cells if name not in used]
    if not unused:
        return []
    kept = next((name for name in unused if name in FORMAT), unused[0])
    words = f"--keep {shlex.quote(kept)} would keep it, if it has numbers, flags or times"
    return [("not used", f"the column{'s' * (len(unused) != 1)} {', '.join(unused)}"), ("", words)]


def _narrowed(
    sheet: Sheet, columns: Columns, numbers: Sequence[str], request: ImportRequest
) -> tuple[Sheet, Forms, list[Note]]:
    """Leave out lines that aren't wanted before anything in them can be a problem."""
    forms, notes = forms_of(sheet, columns.date, numbers, request.notation)
    forms, found = settle_exchanged(sheet, columns.date, forms, request.swapped_days)
    notes += found
    forms, found = settle_clock(sheet, columns.date, forms, request.clock)
    notes += found
    for name in filter(None, (columns.bakery, columns.product)):
        sheet, found = tidied(sheet, name)
        notes += found
    if request.ignored_items:
        sheet, count = without_items(sheet, columns.product, request.ignored_items)
        notes.append(("dropped", f"{count:,} lines of {', '.join(request.ignored_items)}"))
    if request.only is not None:
        sheet, found = _only_these(sheet, columns, request.only)
        notes += found
    if columns.closed:
        sheet, count = _without_closed(sheet, columns.closed, forms)
        notes.append(("dropped", f"{count:,} row{'s' * (count != 1)} of closed days"))
    sheet, found = without_voids(sheet, columns, forms)
    notes += found
    kept = request.selection.days(forms.days(sheet.cells[columns.date]))
    if not kept.all():
        notes.append(("dropped", f"{int((~kept).sum()):,} lines outside the days asked for"))
    sheet = sheet.rows(kept)
    _refuse_none_left(sheet, request)
    refuse_mixed_currencies(sheet, columns)
    sheet, found = settle_kinds(sheet, columns, forms, request.line_kinds)
    notes += found
    _refuse_none_left(sheet, request)
    if request.till_lines or request.overlap:
        sheet, found = settle_overlaps(sheet, columns.date, forms, request.overlap)
        notes += found
    return sheet, forms, notes


def _only_these(sheet: Sheet, columns: Columns, only: OnlyThese) -> tuple[Sheet, list[Note]]:
    names = (columns.product, columns.category)
    cells = [sheet.cells[name] if name else texts_of([""] * len(sheet)) for name in names]
    pairs = pd.MultiIndex.from_arrays(cells)
    codes, distinct = pd.factorize(pairs)
    products, categories = (list(distinct.get_level_values(level)) for level in (0, 1))
    kept = only.kept(products, [tidy_name(name) for name in categories])
    words = f"{int((~kept).sum()):,} of {len(kept):,} products, which {only.source} doesn't list"
    return sheet.rows(kept[codes]), [("dropped", words)] if not kept.all() else []


def _refuse_none_left(rows: Sheet | pd.DataFrame, request: ImportRequest) -> None:
    if not len(rows):
        found = Sentence(translatable("no rows that are kept"))
        wanted = Sentence(translatable("options that leave something over"))
        raise SalesError([Problem(request.source, None, "", found, wanted)])


def _without_closed(sheet: Sheet, column: str, forms: Forms) -> tuple[Sheet, int]:
    closed = read_flags(sheet.cells[column], forms.numbers) == 1
    return sheet.rows(~closed), int(closed.sum())


def _flag_problems(sheet: Sheet, column: str, forms: Forms) -> list[Problem]:
    flags = read_flags(sheet.cells[column], forms.numbers)
    rows = np.flatnonzero(np.isnan(flags))
    return sheet.problems_at(rows, column, Sentence(translatable("0 or 1, or yes or no")))


def _sound_rows(
    sheet: Sheet, columns: Columns, forms: Forms, *, request: ImportRequest, keys_known: bool
) -> tuple[pd.DataFrame, list[Note]]:
    roles = {name: getattr(columns, name) for name in ("date", "bakery", "product", "units")}
    roles |= {name: column for column, name in columns.kept.items()}
    roles = {name: column for name, column in roles.items() if column}
    frame, problems = typed_rows(sheet, roles, forms)
    for flags in filter(None, (columns.closed, columns.void)):
        problems += _flag_problems(sheet, flags, forms)
    negative = int((frame["units"] < 0).sum())
    several = request.till_lines or request.returns == "net"
    frame, differing = with_day_values(frame) if several else (frame, ())
    frame, found = settle_returns(sheet, frame, columns.units, request.returns)
    problems += found
    _refuse_none_left(frame, request)
    notes: list[Note] = []
    if differing:
        words = "where lines of a day differ: price as the mean, flags as most, by units"
        notes.append((", ".join(differing), words))
    if negative:
        done = {"net": "taken off the day's sales, never below 0", "drop": "left out"}
        count = f"{negative:,} negative value{'s' * (negative > 1)}"
        notes.append(("returns", f"{count}, {done[request.returns or 'net']}"))
    if request.till_lines:
        same = repeated_lines(sheet)
        words = f"{len(frame):,} lines summed to days"
        notes.append(
            ("till lines", words + (f"; {same:,} repeat a line and count too" if same else ""))
        )
        frame = sum_to_days(frame)
    if keys_known:  # a return beside its sale is told as a return alone
        problems += repeated_days(sheet, frame[~(frame["units"] < 0)], columns.date)
    if problems:
        raise SalesError(in_file_order(problems))
    return frame, notes


def _named_days(frame: pd.DataFrame, request: ImportRequest) -> tuple[pd.DataFrame, list[Note]]:
    """Name the one bakery and the one product, and fill in what a till doesn't write."""
    missing = {"bakery": request.one_bakery, "product": ONE_PRODUCT}
    frame = frame.assign(**{k: v for k, v in missing.items() if k not in frame})
    if not (request.till_lines and request.zeros):
        return frame, []
    frame, zeros = with_zero_days(frame)
    words = f"{zeros:,} of products on open days within {LONGEST_GAP_DAYS} days of a sale"
    return frame, [("zeros", f"{words} before and after (--no-zeros: none)")]


def _surrounded(frame: pd.DataFrame, request: ImportRequest) -> tuple[pd.DataFrame, list[Note]]:
    notes: list[Note] = []
    if request.covariates is not None:
        covariates, notes = read_covariates(request.covariates)
        frame, found = join_covariates(frame, covariates, str(request.covariates.path))
        notes += found
    if request.region:
        if "holiday" in frame:
            raise SettingsError("--region: the table has a column 'holiday' already; leave one out")
        days = public_holidays(request.region, frame["date"].min(), frame["date"].max())
        holidays = np.array(days, dtype="datetime64[us]")
        frame = frame.assign(holiday=frame["date"].isin(holidays).astype(float))
        notes.append(("holidays", f"{len(days)} public holidays of {request.region}"))
    return frame, notes
