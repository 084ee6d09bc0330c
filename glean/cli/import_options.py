"""The options of `glean data import`, which together are one request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.typed_columns import decimal_marks, line_kinds, renamings
from glean.cli.typed_days import day_of
from glean.errors import SettingsError

if TYPE_CHECKING:
    from glean.sales.importing.covariate_files import CovariateFile
    from glean.sales.importing.request import ImportRequest
    from glean.sales.importing.selection import Selection


@dataclass(frozen=True)
class ImportOptions:
    """Options as they are typed: a field is an option, its annotation the help."""

    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="The export: a workbook, CSV in any writing, or parquet.",
        ),
    ]
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .csv.gz or .parquet.")]
    date: Annotated[str, typer.Option(help="Column of the day (a time in it is ignored).")] = ""
    units: Annotated[str, typer.Option(help="Column of what was sold, units or money.")] = ""
    bakery: Annotated[str, typer.Option(help="Column of the bakery.")] = ""
    product: Annotated[str, typer.Option(help="Column of the product or item.")] = ""
    bakery_name: Annotated[
        str, typer.Option(help="Name of the one bakery, where no column has it.")
    ] = ""
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Further columns, like price or Preis=price; repeat or use commas."),
    ] = None
    closed: Annotated[str, typer.Option(help="Column that is 1 on closed days.")] = ""
    category: Annotated[
        str, typer.Option(help="Column of the kind of product, for --only; it isn't kept.")
    ] = ""
    only: Annotated[
        Path | None, typer.Option(help="List of the products or categories to keep, one a line.")
    ] = None
    min_units_a_day: Annotated[
        float, typer.Option(help="Keep products that sell so many a day on the mean.")
    ] = 0.0
    void: Annotated[
        str, typer.Option(help="Column that is 1 on voided lines; found by its name, or none.")
    ] = ""
    kind: Annotated[
        str, typer.Option(help="Column of what a line is (Verkauf, Retoure); found, or none.")
    ] = ""
    line_kind: Annotated[
        list[str] | None,
        typer.Option(
            help="What a word there means, like Storno=void: sale, return, void, discount; repeat."
        ),
    ] = None
    till_lines: Annotated[
        bool, typer.Option("--till-lines", help="One line an item sold: sum them to days.")
    ] = False
    overlap: Annotated[
        str, typer.Option(help="Till lines of days that stand twice: drop (count once) or keep.")
    ] = ""
    quantity: Annotated[str, typer.Option(help="Column of pieces a till line.")] = ""
    zeros: Annotated[
        bool, typer.Option(help="Till lines: 0 for open days on which a product wasn't sold.")
    ] = True
    ignore_item: Annotated[
        list[str] | None, typer.Option(help="Item that is no product; may be repeated.")
    ] = None
    wide: Annotated[bool, typer.Option("--wide", help="Each product has a column.")] = False
    products: Annotated[
        str, typer.Option(help="The columns of a wide file, like a,b,c; else all numbers.")
    ] = ""
    align_rows: Annotated[
        Path | None, typer.Option(help="File whose columns stand beside these, line by line.")
    ] = None
    sheet: Annotated[
        list[str] | None,
        typer.Option(help="Sheet of a workbook, or a pattern like 'Day *'; may be repeated."),
    ] = None
    layout: Annotated[
        Path | None,
        typer.Option(
            help="Keep here what was found; where the file is there, the export has to be like it."
        ),
    ] = None
    returns: Annotated[
        str, typer.Option(help="Negative values: net (off the day's sales) or drop.")
    ] = ""
    covariates: Annotated[
        Path | None, typer.Option(help="File of weather and the like, joined by date.")
    ] = None
    covariate_date: Annotated[str, typer.Option(help="Its column of dates.")] = ""
    covariate_columns: Annotated[
        list[str] | None, typer.Option(help="Its columns to join, like ttav=temperature_c.")
    ] = None
    covariate_decimal: Annotated[
        list[str] | None, typer.Option(help="Its decimal mark, as by --decimal.")
    ] = None
    covariate_date_order: Annotated[str, typer.Option(help="Its order of dates.")] = ""
    region: Annotated[str, typer.Option(help="Add public holidays of it, like DE-SH.")] = ""
    since: Annotated[str, typer.Option(help="First day to keep, like 2019-01-31.")] = ""
    until: Annotated[str, typer.Option(help="Last day to keep.")] = ""
    min_days: Annotated[int, typer.Option(help="Keep bakeries with so many trading days.")] = 0
    first: Annotated[int, typer.Option(help="Then keep so many bakeries, in text order.")] = 0
    delimiter: Annotated[str, typer.Option(help="Between values: , ; tab |")] = ""
    decimal: Annotated[
        list[str] | None,
        typer.Option(
            help="Decimal mark, . or , of all columns, or like Menge=. of one; repeat it."
        ),
    ] = None
    encoding: Annotated[str, typer.Option(help="Like utf-8, cp1252, utf-16.")] = ""
    date_order: Annotated[
        str, typer.Option(help="dmy, mdy, ymd, or serial (Excel's count of days).")
    ] = ""
    totals: Annotated[
        str, typer.Option(help="Totals, weeks, discounts among the products: drop or keep.")
    ] = ""
    timezone: Annotated[
        str, typer.Option(help="Where the bakery is, like Europe/Berlin, for stamps in UTC.")
    ] = ""
    day_starts: Annotated[
        str, typer.Option(help="Time like 04:00; sales before it belong to the day before.")
    ] = ""
    swapped_days: Annotated[
        str, typer.Option(help="Day and month that seem exchanged up to the 12th: swap or keep.")
    ] = ""
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False

    def request(self) -> ImportRequest:
        """Make the import that is asked for.

        Raises
        ------
        SettingsError
            The options contradict one another.
        """
        from glean.sales.importing.exports import Notation
        from glean.sales.importing.request import Columns, ImportRequest
        from glean.sales.product_choice import read_only_these

        if self.quantity and (self.units or not self.till_lines):
            raise SettingsError("--quantity goes with --till-lines, in place of --units")
        return ImportRequest(
            path=self.files[0],
            further=tuple(self.files[1:]),
            sheets=tuple(self.sheet or ()),
            columns=Columns(
                date=self.date,
                units=self.units or self.quantity,
                bakery=self.bakery,
                product=self.product,
                closed=self.closed,
                void=self.void,
                kind=self.kind,
                category=self.category,
                kept=renamings("--keep", self.keep or []),
            ),
            notation=Notation(
                encoding=self.encoding,
                delimiter=self.delimiter,
                **decimal_marks("--decimal", self.decimal or []),
                date_order=self.date_order,
            ),
            bakery_name=self.bakery_name,
            till_lines=self.till_lines,
            zeros=self.zeros,
            ignored_items=tuple(self.ignore_item or ()),
            wide=self.wide,
            products=tuple(name for name in self.products.split(",") if name),
            aligned=self.align_rows,
            returns=self.returns or None,
            covariates=self._covariates(),
            region=self.region,
            selection=self._selection(),
            swapped_days=self.swapped_days,
            overlap=self.overlap,
            totals=self.totals,
            line_kinds=line_kinds("--line-kind", self.line_kind or []),
            only=read_only_these(self.only) if self.only else None,
            timezone=self.timezone,
            day_starts=self.day_starts,
        )

    def _covariates(self) -> CovariateFile | None:
        from glean.sales.importing.covariate_files import CovariateFile
        from glean.sales.importing.exports import Notation

        if self.covariates is None:
            return None
        return CovariateFile(
            path=self.covariates,
            date=self.covariate_date,
            columns=renamings("--covariate-columns", self.covariate_columns or []),
            notation=Notation(
                **decimal_marks("--covariate-decimal", self.covariate_decimal or []),
                date_order=self.covariate_date_order,
                options="--covariate-",
            ),
        )

    def _selection(self) -> Selection:
        from glean.sales.importing.selection import Selection

        return Selection(
            since=day_of("--since", self.since),
            until=day_of("--until", self.until),
            min_days=self.min_days,
            first=self.first,
            min_units_a_day=self.min_units_a_day,
        )
