"""`glean data`: make example tables, import exports, look a table over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.import_help import GROUPS, epilog
from glean.cli.import_options import ImportOptions
from glean.cli.options import options_of
from glean.cli.typed_language import LanguageOption, language_of

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


@app.command(name="import", epilog=epilog())
@friendly_errors()
@options_of(ImportOptions, GROUPS)
def import_(options: ImportOptions) -> None:
    """Turn an export of a till or spreadsheet into a sales table.

    How the file is written, and what its columns are, is found out and shown before anything is
    written; the options tell it.
    """
    from glean.cli.imported import closing_lines, summary_lines
    from glean.operations.tables.import_sales import read_export, write_import

    report = read_export(options.request(), options.out, force=options.force, layout=options.layout)
    for line in summary_lines(report):
        typer.echo(line)
    write_import(report, force=options.force)
    for line in closing_lines(report):
        typer.echo(line)


@app.command()
@friendly_errors()
def merge(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Sales tables: .csv, .csv.gz or .parquet."),
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .csv.gz or .parquet.")],
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
) -> None:
    """Put the sales tables of several bakeries into one.

    A table without a column of bakeries is one bakery, named like its file.
    """
    from glean.sales.merging import merge_tables
    from glean.sales.writing import check_target, write_sales

    check_target(out, force=force)
    table, told = merge_tables(files)
    write_sales(table, out, force=force)
    for sentence in told:
        typer.echo(sentence)
    bakeries = ", ".join(table.bakeries)
    typer.echo(f"{len(table.rows):,} rows of {len(table.bakeries)} bakeries ({bakeries}): {out}")


@app.command()
@friendly_errors()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A sales table: .csv, .csv.gz or .parquet.")
    ],
    language: LanguageOption = "en",
) -> None:
    """Look a sales table over, in plain words.

    Gaps, odd days, doubtful names, renamed products, a region whose holidays fit; and what Glean
    does about each. Ends with 0 if it can be used as it is, with 1 if it needs mending first.
    """
    from glean.cli.checked import print_check
    from glean.operations.tables.table_check import check_table

    speaks = language_of(language)
    found = check_table(file, language=speaks)
    print_check(found, speaks)
    raise typer.Exit(0 if found.report.usable else 1)
