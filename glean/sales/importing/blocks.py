"""Parts of an export that call the same thing differently get one name for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.column_words import hour_of
from glean.sales.importing.exports import Note
from glean.sales.importing.kind_layout import DayPlace, KindLayout
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.sheet_days import DAY
from glean.sales.reading.sheet import Sheet, texts_of

_ROLES = {"date": "day", "bakery": "bakery", "product": "product", "units": "units"}
"""A field of `Columns`, and how it is called for people."""

_WANTED = {
    "date": translatable("a column of days named by --date"),
    "units": translatable(
        "what was sold named by --units, or columns of hours; --wide if each product has a column"
    ),
}


@dataclass(frozen=True)
class Block:
    """The lines of one file, or of one sheet of a workbook.

    Parameters
    ----------
    sheet : Sheet
        The lines.
    kind : str
        What it is like: blocks of one kind were taken for the same.
    columns : Columns
        What its columns are.
    header : tuple of str
        Their names.
    day : DayPlace
        Where the day stands.
    """

    sheet: Sheet
    kind: str
    columns: Columns
    header: tuple[str, ...]
    day: DayPlace = "column"

    @property
    def layout(self) -> KindLayout:
        """What a later export has to be like, to be read in the same way."""
        columns = self.columns
        return KindLayout(
            header=self.header,
            day=self.day,
            date=columns.date if self.day == "column" else "",
            bakery=columns.bakery,
            product=columns.product,
            units=columns.units,
            hours=bool(columns.hours),
        )


def with_roles(
    request: ImportRequest, blocks: Sequence[Block]
) -> tuple[ImportRequest, list[Sheet], list[Note]]:
    """Name in the request what was found, as the first block calls it, and rename the others.

    Parameters
    ----------
    request : ImportRequest
        What is told; if that is enough, nothing changes.
    blocks : sequence of Block
        At least one.

    Raises
    ------
    SalesError
        Something that is needed wasn't found, or only in some of the blocks.
    SettingsError
        What was found goes against what is told.
    """
    sheets = [block.sheet for block in blocks]
    if request.is_complete:
        return request, sheets, []
    first = blocks[0]
    for role, wanted in _WANTED.items():
        if not getattr(first.columns, role) and (role == "date" or _lacks_units(request, first)):
            names = ", ".join(list(first.sheet.cells)[:20])
            found = Sentence(translatable("the columns {columns}"), columns=names)
            raise SalesError([Problem(first.sheet.source, None, "", found, Sentence(wanted))])
    for block in blocks:
        _refuse_unlike(block, first)
    hours = sorted({h for block in blocks for h in block.columns.hours}, key=hour_of)
    columns = replace(first.columns, hours=tuple(hours))
    till_lines = request.till_lines or bool(hours)
    request = replace(request, columns=columns, till_lines=till_lines, kinds=())
    renamed = [_renamed(block, columns) for block in blocks]
    how = f"layout {request.layout}" if request.layout else "told or found"
    notes = [("columns", f"{_in_words(columns)} ({how})")]
    others = {block.kind: _in_words(block.columns) for block in blocks if _renames(block, columns)}
    return request, renamed, notes + [("", f"{name}: {words}") for name, words in others.items()]


def _lacks_units(request: ImportRequest, block: Block) -> bool:
    return not (request.wide or request.till_lines or block.columns.hours or block.columns.units)


def _refuse_unlike(block: Block, first: Block) -> None:
    for role, words in _ROLES.items():
        mine, theirs = getattr(block.columns, role), getattr(first.columns, role)
        if bool(mine) != bool(theirs):
            found = f"a column of the {words}, {mine!r}" if mine else f"no column of the {words}"
            there = repr(theirs) if theirs else "none"
            wanted = f"the same as in {first.sheet.source} ({there}); name it by --{role}"
            raise SalesError([Problem(block.sheet.source, None, mine, found, wanted)])


def _renames(block: Block, columns: Columns) -> bool:
    return any(getattr(block.columns, role) != getattr(columns, role) for role in _ROLES)


def _renamed(block: Block, columns: Columns) -> Sheet:
    """Call its columns as `columns` does; another column of such a name gives way."""
    sheet = block.sheet
    pairs = [(getattr(block.columns, role), getattr(columns, role)) for role in _ROLES]
    names = {old: new for old, new in pairs if old != new}
    if not names:
        return sheet
    cells = {name: texts for name, texts in sheet.cells.items() if name not in names.values()}
    cells |= {new: sheet.cells[old] for old, new in names.items()}
    cells = {
        name: texts for name, texts in cells.items() if name not in names.keys() - names.values()
    }
    homes = {new: texts_of([old] * len(sheet)) for old, new in names.items()}
    return replace(sheet, cells=cells, homes=sheet.homes | homes)


def _in_words(columns: Columns) -> str:
    words = [
        f"{words} {getattr(columns, role)!r}"
        for role, words in _ROLES.items()
        if getattr(columns, role) not in ("", DAY)
    ]
    if columns.hours:
        words.append(
            f"{len(columns.hours)} hours, {columns.hours[0]!r} to {columns.hours[-1]!r}, "
            "summed over the day"
        )
    return ", ".join(words)
