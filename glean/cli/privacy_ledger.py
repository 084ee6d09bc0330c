"""`glean privacy-ledger`: what a bakery's days have spent of their privacy, for its owner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from glean.operations.reports.privacy_ledger import SpentDays


@friendly_errors()
def privacy_ledger(
    home: Annotated[Path, typer.Argument(metavar="HOME", help="The bakery's home folder.")],
) -> None:
    """Show a bakery's owner what each of its days has spent in runs with noise, and has left."""
    from rich.console import Console

    from glean.operations.reports.privacy_ledger import report_ledger

    found = report_ledger(absolute_path(home))
    console = Console(highlight=False)
    console.print(_table(found.days))
    for sentence in found.sentences:
        console.print(f"- {sentence}", markup=False, soft_wrap=True)


def _table(days: Sequence[SpentDays]) -> Table:
    from rich.table import Table

    table = Table(title="epsilon by day", title_justify="left")
    table.add_column("days")
    for head in ("number", "training", "left for training", "scores"):
        table.add_column(head, justify="right")
    for each in days:
        span = each.first if each.first == each.last else f"{each.first} to {each.last}"
        amounts = (each.training, each.left, each.scored)
        table.add_row(span, f"{each.count:,}", *(f"{amount:.2f}" for amount in amounts))
    return table
