"""A text file becomes a `Sheet`: gzip, encoding and delimiter are found out, then the rows split.

Nothing is repaired silently: lines that don't fit the header come back as problems.
"""

from __future__ import annotations

import csv
import errno
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.regular_files import MOST_BYTES, TOO_LARGE, read_regular
from glean.sales.reading.encodings import (
    decode,
    detect_encoding,
    first_line_beyond_utf8,
    refused,
    stray_bytes,
)
from glean.sales.reading.sheet import MOST_SHOWN, Sheet, quoted, texts_of

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {
    ",": translatable("comma"),
    ";": translatable("semicolon"),
    "\t": translatable("tab"),
    "|": translatable("bar"),
}

WORKBOOK_MAGICS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of a zip file, as .xlsx and .ods are, and of an .xls file."""

_GZIP_MAGIC = b"\x1f\x8b"
_STATEMENT = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?[ ;,]*(?=\r|\n)", re.IGNORECASE)
_SAMPLE_LINES = 50
_MOST_TITLE_LINES = 3
_NO_TITLE = Sentence(
    translatable(
        "the names of the columns; the first line seems to be a title: "
        "delete what stands above the column names"
    )
)
_EMPTY = Sentence(translatable("an empty file"))
_LINES = Sentence(translatable("a header line and lines below it"))
_TWICE = Sentence(translatable("this column twice")), Sentence(translatable("each column once"))


@dataclass(frozen=True)
class TextSheet:
    """A sheet and how its file is written.

    Parameters
    ----------
    sheet : Sheet
        The rows that fit the header.
    encoding : str
        Python's name of the encoding that the text was decoded with.
    delimiter : str
        One character between two cells.
    problems : tuple of Problem
        Lines that don't fit the header, and bytes that don't fit a text in UTF-8.
    odd_line : int or None
        First line that isn't UTF-8, where the encoding was found out and isn't Unicode.
    """

    sheet: Sheet
    encoding: str
    delimiter: str
    problems: tuple[Problem, ...]
    odd_line: int | None = None


def open_text_sheet(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None
) -> TextSheet:
    """Read a delimited text file, gzipped or not.

    Raises
    ------
    SalesError
        The file is missing, damaged, empty or not in `encoding`.
    """
    source = str(path)
    data = read_bytes(path)
    told, encoding = encoding, encoding or detect_encoding(data)
    strays = stray_bytes(source, data) if not told and encoding == "utf-8" else []
    text = data.decode(errors="replace") if strays else decode(source, data, encoding)
    text, stated = _without_statement(text)
    if not text.strip("\ufeff\0 \t\r\n,;"):
        raise refused(source, _EMPTY, _LINES)
    delimiter = delimiter or stated or detect_delimiter(text)
    sheet, problems = _split(source, text, delimiter)
    odd_line = None if told or encoding != "cp1252" else first_line_beyond_utf8(data)
    return TextSheet(sheet, encoding, delimiter, (*strays, *problems), odd_line)


def read_bytes(path: Path) -> bytes:
    """Bytes of a file that is no workbook, unpacked if it is gzipped.

    Raises
    ------
    SalesError
        There is no such file, it can't be read, its gzip is damaged, or it is a workbook.
    """
    data = read_unpacked(path)
    if data.startswith(WORKBOOK_MAGICS):
        wanted = "a CSV file; `glean data import` reads workbooks, or save the sheet as CSV"
        raise refused(str(path), "a workbook or zip file", wanted)
    return data


def read_unpacked(path: Path) -> bytes:
    """Bytes of a file, unpacked if it is gzipped.

    Raises
    ------
    SalesError
        There is no such file, it can't be read, or its gzip is damaged.
    """
    source = str(path)
    try:
        data = read_regular(path)
        if data.startswith(_GZIP_MAGIC) or path.suffix.lower() == ".gz":
            data = _unpacked(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        wanted = "a whole gzip file; copy or download it again"
        raise refused(source, f"a damaged gzip file ({error})", wanted) from None
    except FileNotFoundError:
        raise refused(source, "no such file", "the path of a table") from None
    except IsADirectoryError:
        raise refused(source, "a folder", "a file: .csv, .csv.gz or .parquet") from None
    except OSError as error:
        raise refused(source, f"a file that can't be read ({error.strerror})", "a file") from None
    return data


def _unpacked(data: bytes) -> bytes:
    """Unpack no more than fits: a small file may hold gigabytes of nothing."""
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        unpacked = file.read(MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{TOO_LARGE} once unpacked")
    return unpacked


def _without_statement(text: str) -> tuple[str, str]:
    """Take off a first line like `sep=;`, which Excel writes, and give its delimiter or ""."""
    stated = _STATEMENT.match(text)
    return (text[stated.end() :], stated[1]) if stated else (text, "")


def detect_delimiter(text: str) -> str:
    """Find the delimiter: the one by which most of the first lines have the header's number.

    If most have another number, the header may stand below a title of a line or two.
    """
    lines = [line for line in text[:100_000].splitlines() if line.strip()][: _SAMPLE_LINES + 1]
    for above in range(_MOST_TITLE_LINES + 1):
        best = max(DELIMITERS, key=lambda delimiter: _share_alike(lines[above:], delimiter))
        if _share_alike(lines[above:], best)[0] > 0.5:
            return best
    best = max(DELIMITERS, key=lambda delimiter: _share_alike(lines, delimiter))
    return best if _share_alike(lines, best)[1] else ","


def _share_alike(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Share of the lines with as many delimiters as the first, and how many that has."""
    counts = [line.count(delimiter) for line in lines]
    if not counts or not counts[0]:
        return 0.0, 0
    return sum(count == counts[0] for count in counts) / len(counts), counts[0]


def _split(source: str, text: str, delimiter: str) -> tuple[Sheet, list[Problem]]:
    rows, lines, problems = _records(source, text, delimiter)
    filled = np.array([any(map(str.strip, row)) for row in rows], dtype=bool)
    if not filled.any():
        raise SalesError(problems or [Problem(source, None, "", "no lines", "a header and lines")])
    header = int(filled.argmax())
    if _is_title(rows, np.flatnonzero(filled)[: _MOST_TITLE_LINES + 2]):
        found = quoted(" ".join(rows[header]).strip())
        raise SalesError([Problem(source, int(lines[header]), "", found, _NO_TITLE)])
    filled[header] = False
    names = [unicodedata.normalize("NFC", name.strip().lstrip("\ufeff")) for name in rows[header]]
    problems += _header_problems(source, int(lines[header]), names)
    fits = np.fromiter((len(row) == len(names) for row in rows), dtype=bool, count=len(rows))
    ragged = np.flatnonzero(filled & ~fits)
    for row in ragged[:MOST_SHOWN]:
        words = _ragged(rows[row], len(names), delimiter)
        problems.append(Problem(source, int(lines[row]), "", *words))
    problems += Sheet(source, {}, lines).rest_of(
        ragged, "", Sentence(translatable("{values} in each"), values=_count(len(names)))
    )
    kept = np.flatnonzero(filled & fits)
    columns = list(zip(*(rows[row] for row in kept), strict=True)) or [()] * len(names)
    cells = {name: texts_of(cell) for name, cell in zip(names, columns, strict=True) if name}
    return Sheet(source, cells, lines[kept]), problems


def _records(
    source: str, text: str, delimiter: str
) -> tuple[list[list[str]], NDArray[np.int64], list[Problem]]:
    """Rows of the file, the line that each starts on, and a problem where reading stopped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    ends = [0]
    problems = []
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error as error:
        wanted = Sentence(
            translatable("a cell without stray quotes; the lines after it weren't read")
        )
        problems.append(
            Problem(
                source,
                ends[-1] + 1,
                "",
                Sentence(translatable("a broken line ({why})"), why=f"{error}"),
                wanted,
            )
        )
    return rows, np.array(ends[: len(rows)], dtype=np.int64) + 1, problems


def _header_problems(source: str, line: int, names: list[str]) -> list[Problem]:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    return [Problem(source, line, name, *_TWICE) for name in twice]


def _is_title(rows: Sequence[Sequence[str]], first: NDArray[np.intp]) -> bool:
    """Whether, of the first rows, one of names (several, no number) stands below single cells."""
    cells = [[text.strip() for text in rows[row] if text.strip()] for row in first]
    below = next((row for row in cells if len(row) > 1), [])
    return len(cells[0]) == 1 < len(below) and not any(text[0].isdigit() for text in below)


def _ragged(row: Sequence[str], wanted: int, delimiter: str) -> tuple[str, str]:
    """Say what was found, and what wanted, where a line has not as many values as the header."""
    found = Sentence("{values} ({row})", values=_count(len(row)), row=quoted(" | ".join(row), 60))
    as_wanted = translatable("{values}, as in the header; none missing")
    if len(row) > wanted:
        as_wanted = translatable(
            "{values}, as in the header; a {mark} inside a name or number goes in quotes"
        )
    mark = Sentence(DELIMITER_NAMES[delimiter])
    return found, Sentence(as_wanted, values=_count(wanted), mark=mark)


def _count(values: int) -> str:
    several = translatable("{count} values")
    return Sentence(translatable("1 value") if values == 1 else several, count=values)
