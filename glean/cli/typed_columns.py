"""What is typed about the columns of an export: decimal marks, names, what a word there means."""

from __future__ import annotations

from typing import TypedDict

from glean.errors import SettingsError


class DecimalMarks(TypedDict):
    """Decimal marks as `Notation` takes them: of all columns, and of single ones."""

    decimal: str
    decimals: dict[str, str]


def decimal_marks(option: str, texts: list[str]) -> DecimalMarks:
    """Read `.` or `,`, and `COLUMN=.` or `COLUMN=,`, each its own option.

    Raises
    ------
    SettingsError
        Two marks for the same.
    """
    found: dict[str, str] = {}
    for text in texts:
        column, _, mark = text.rpartition("=")
        if column in found:
            raise SettingsError(f"{option}: found {text!r}; wanted one mark for each column")
        found[column] = mark
    return DecimalMarks(decimal=found.pop("", ""), decimals=found)


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


def line_kinds(option: str, texts: list[str]) -> dict[str, str]:
    """Read `WORD=KIND`, each its own option, since a till's word may have any sign in it.

    The word may be empty: lines that say nothing.

    Raises
    ------
    SettingsError
        A text without "=", a kind that there isn't, or two for the same word.
    """
    from glean.sales.importing.request import Kind

    *kinds, last = (str(kind) for kind in Kind)
    found: dict[str, str] = {}
    for text in texts:
        word, equals, kind = text.rpartition("=")
        if not equals or kind not in (*kinds, last):
            raise SettingsError(
                f"{option}: found {text!r}; wanted a word of that column and what it means "
                f"({', '.join(kinds)} or {last}), like {option} Storno=void"
            )
        if word in found:
            raise SettingsError(f"{option}: found {text!r}; wanted one kind for each word")
        found[word] = kind
    return found
