"""The final result in the terminal: a table and the sentences beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from glean.federation.server.conclusion import ResultTable


def final_result(result: ResultTable) -> RenderableType:
    """Everything that `glean simulate` and `glean report` end with."""
    # Text, not str: rich would read square brackets in a label as markup.
    lead, beneath = (
        (Text(line) for line in lines if line) for lines in (result.lead, result.sentences)
    )
    return Group(*lead, final_table(result), *beneath)


def final_table(result: ResultTable) -> Table:
    """Draw the table; rows that are set off are bold."""
    table = Table(title=Text(result.title), title_justify="left")
    first, *others = result.heads
    table.add_column(Text(first), no_wrap=True)
    for head in others:
        table.add_column(Text(head), justify="right")
    for place, row in enumerate(result.rows):
        style = "bold" if place in result.best else ""
        table.add_row(*(Text(cell) for cell in row), style=style)
    return table
