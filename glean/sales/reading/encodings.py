"""Bytes of a text file become text: the encoding is found out, or checked if it is told."""

from __future__ import annotations

import re

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence

_STRAY = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def detect_encoding(data: bytes) -> str:
    """Find the encoding: a byte order mark, UTF-16 by its zeros, UTF-8 if valid, else cp1252.

    A text in which stray bytes are fewer than the letters that are UTF-8 counts as UTF-8.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    start = data[:2000]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = start[offset::2]
        if len(half) > 3 and half.count(0) > 0.7 * len(half):
            return encoding
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "utf-8" if _is_mostly_utf8(data) else "cp1252"
    return "utf-8"


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether letters in UTF-8 outnumber stray bytes; in cp1252 hardly two letters look so."""
    text = data.decode("utf-8", errors="surrogateescape")
    strays = len(_STRAY.findall(text))
    return len(_BEYOND_ASCII.findall(text)) - strays > strays


def stray_bytes(source: str, data: bytes) -> list[Problem]:
    """Problem of the bytes that aren't UTF-8 in a text that is otherwise; none if all are."""
    line = first_line_beyond_utf8(data)
    if line is None:
        return []
    wanted = Sentence(
        translatable(
            "UTF-8 throughout, as in the rest of the file; mend that line, or read every line as "
            "another encoding, like `glean data import --encoding cp1252`"
        )
    )
    return [Problem(source, line, "", Sentence(translatable("a byte that isn't UTF-8")), wanted)]


def decode(source: str, data: bytes, encoding: str) -> str:
    """Decode bytes; what cp1252 leaves undefined is read as Latin-1.

    Raises
    ------
    SalesError
        The encoding is unknown, or the bytes aren't in it.
    """
    try:
        return data.decode(encoding)
    except LookupError:
        wanted = "an encoding that Python knows, like utf-8, cp1252 or utf-16"
        raise refused(source, f"the encoding {encoding!r}", wanted) from None
    except UnicodeDecodeError as error:
        if encoding == "cp1252":  # five bytes mean nothing there
            return data.decode("latin-1")
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x}"
        wanted = f"text in {encoding}; give another --encoding"
        raise SalesError([Problem(source, line, "", found, wanted)]) from None
    except UnicodeError as error:
        raise refused(source, f"a broken text ({error})", f"text in {encoding}") from None


def first_line_beyond_utf8(data: bytes) -> int | None:
    """Line, from 1, of the first byte that isn't UTF-8; None if all are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return None


def refused(source: str, found: str, wanted: str) -> SalesError:
    """Build the error about a file as a whole."""
    return SalesError([Problem(source, None, "", found, wanted)])
