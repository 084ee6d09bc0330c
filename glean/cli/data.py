"""`glean data`: make example tables, import exports, look a table over."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.errors import SettingsError

app = typer.Typer(
    name="data", help="Sales tables: make, import and check them.", no_args_is_help=True
)


@app.command()
@friendly_errors()
def generate(
    bakeries: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    scenario: Annotated[
        str, typer.Option(help="related, or unrelated: bakeries with nothing in common.")
    ] = "related",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("data"),
) -> None:
    """Write the synthetic bakeries, one file each; the same ones every time."""
    from glean.sales.synthetic.files import write_synthetic

    write_synthetic(out, bakeries, scenario=scenario)
    typer.echo(f"{bakeries} synthetic bakeries ({scenario}) are in {out}")


@app.command(name="import")
@friendly_errors()
def import_file(
    file: Annotated[Path, typer.Argument(help="Export: CSV in any writing, .gz, or parquet.")],
    date: Annotated[str, typer.Option(help="Column of the day (a time in it is ignored).")],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .csv.gz or .parquet.")],
    units: Annotated[str, typer.Option(help="Column of what was sold, units or money.")] = "",
    bakery: Annotated[str, typer.Option(help="Column of the bakery.")] = "",
    product: Annotated[str, typer.Option(help="Column of the product or item.")] = "",
    bakery_name: Annotated[
        str, typer.Option(help="Name of the one bakery, where no column has it.")
    ] = "",
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Further columns, like price or Preis=price; repeat or use commas."),
    ] = None,
    closed: Annotated[str, typer.Option(help="Column that is 1 on closed days.")] = "",
    till_lines: Annotated[
        bool, typer.Option("--till-lines", help="One line an item sold: sum them to days.")
    ] = False,
    quantity: Annotated[str, typer.Option(help="Column of pieces a till line.")] = "",
    zeros: Annotated[
        bool, typer.Option(help="Till lines: 0 for open days on which a product wasn't sold.")
    ] = True,
    ignore_item: Annotated[
        list[str] | None, typer.Option(help="Item that is no product; may be repeated.")
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="Each product has a column.")] = False,
    products: Annotated[
        str, typer.Option(help="The columns of a wide file, like a,b,c; else all numbers.")
    ] = "",
    align_rows: Annotated[
        Path | None, typer.Option(help="File whose columns stand beside these, line by line.")
    ] = None,
    returns: Annotated[
        str, typer.Option(help="Negative values: net (off the day's sales) or drop.")
    ] = "",
    covariates: Annotated[
        Path | None, typer.Option(help="File of weather and the like, joined by date.")
    ] = None,
    covariate_date: Annotated[str, typer.Option(help="Its column of dates.")] = "",
    covariate_columns: Annotated[
        list[str] | None, typer.Option(help="Its columns to join, like ttav=temperature_c.")
    ] = None,
    covariate_decimal: Annotated[str, typer.Option(help="Its decimal mark.")] = "",
    covariate_date_order: Annotated[str, typer.Option(help="Its order of dates.")] = "",
    region: Annotated[str, typer.Option(help="Add public holidays of it, like DE-SH.")] = "",
    since: Annotated[str, typer.Option(help="First day to keep, like 2019-01-31.")] = "",
    until: Annotated[str, typer.Option(help="Last day to keep.")] = "",
    min_days: Annotated[int, typer.Option(help="Keep bakeries with so many trading days.")] = 0,
    first: Annotated[int, typer.Option(help="Then keep so many bakeries, in text order.")] = 0,
    delimiter: Annotated[str, typer.Option(help="Between values: , ; tab |")] = "",
    decimal: Annotated[str, typer.Option(help="Decimal mark: . or ,")] = "",
    encoding: Annotated[str, typer.Option(help="Like utf-8, cp1252, utf-16.")] = "",
    date_order: Annotated[str, typer.Option(help="dmy, mdy or ymd.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
) -> None:
    """Turn an export of a till or spreadsheet into a sales table.

    How the file is written is found out and shown; --delimiter, --decimal, --encoding and
    --date-order tell it.
    """
    from glean.cli.imported import summary_lines
    from glean.sales.importing.covariate_files import CovariateFile
    from glean.sales.importing.exports import Notation
    from glean.sales.importing.import_sales import import_sales
    from glean.sales.importing.request import Columns, ImportRequest
    from glean.sales.importing.selection import Selection
    from glean.sales.writing import check_target, write_sales

    check_target(out, force=force)
    if quantity and (units or not till_lines):
        raise SettingsError("--quantity goes with --till-lines, in place of --units")
    weather = None
    if covariates is not None:
        weather = CovariateFile(
            path=covariates,
            date=covariate_date,
            columns=renamings("--covariate-columns", covariate_columns or []),
            notation=Notation(
                decimal=covariate_decimal, date_order=covariate_date_order, options="--covariate-"
            ),
        )
    request = ImportRequest(
        path=file,
        columns=Columns(
            date=date,
            units=units or quantity,
            bakery=bakery,
            product=product,
            closed=closed,
            kept=renamings("--keep", keep or []),
        ),
        notation=Notation(
            encoding=encoding, delimiter=delimiter, decimal=decimal, date_order=date_order
        ),
        bakery_name=bakery_name,
        till_lines=till_lines,
        zeros=zeros,
        ignored_items=tuple(ignore_item or ()),
        wide=wide,
        products=tuple(name for name in products.split(",") if name),
        aligned=align_rows,
        returns=returns or None,
        covariates=weather,
        region=region,
        selection=Selection(
            since=day_of("--since", since),
            until=day_of("--until", until),
            min_days=min_days,
            first=first,
        ),
    )
    imported = import_sales(request)
    write_sales(imported.table, out, force=force)
    for line in summary_lines(imported, out):
        typer.echo(line)


@app.command()
@friendly_errors()
def check(
    file: Annotated[Path, typer.Argument(help="A sales table: .csv, .csv.gz or .parquet.")],
) -> None:
    """Look a sales table over, in plain words.

    Ends with 0 if it can be used as it is, with 1 if it needs mending first.
    """
    from glean.cli.checked import print_report
    from glean.sales.quality.data_check import examine

    report = examine(file)
    print_report(report)
    raise typer.Exit(0 if report.usable else 1)


def renamings(option: str, texts: list[str]) -> dict[str, str]:
    """Read `COLUMN` or `COLUMN=NAME`, repeated or joined by commas.

    Raises
    ------
    SettingsError
        A column or name is empty, or named twice.
    """
    found: dict[str, str] = {}
    for text in ",".join(texts).split(",") if texts else []:
        column, _, name = text.strip().partition("=")
        name = name or column
        if not column or column in found or name in found.values():
            raise SettingsError(f"{option}: found {text!r}; wanted COLUMN[=NAME], each once")
        found[column] = name
    return found


def day_of(option: str, text: str) -> dt.date | None:
    """Read a day like 2019-01-31; "" is none.

    Raises
    ------
    SettingsError
        The text is no such day.
    """
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"{option}: found {text!r}; wanted a day like 2019-01-31") from None
