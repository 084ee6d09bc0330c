"""Names of bakeries and products as people type them: one spelling for each."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import replace

from glean.sales.importing.exports import Note
from glean.sales.reading.sheet import Sheet, texts_of
from glean.sales.reading.values import distinct_of

MOST_NAMED = 3
"""Names that a note lists."""

_BLANKS = re.compile(r"(?<!\d)\s+|\s+(?!\d)")


def tidy_name(text: str) -> str:
    """Compose letters (NFC), drop invisible characters, and stray and double blanks.

    Examples
    --------
    >>> tidy_name(" Rye  bread ")
    'Rye bread'
    """
    composed = unicodedata.normalize("NFC", text)
    seen = (letter for letter in composed if unicodedata.category(letter) != "Cf")
    return " ".join("".join(seen).split())


def tidied(sheet: Sheet, column: str) -> tuple[Sheet, list[Note]]:
    """Give each name of a column one spelling; of those that differ in blanks the commonest.

    A blank between two digits sets names apart: "Box 1 2" isn't "Box 12".
    """
    codes, written = distinct_of(sheet.cells[column])
    tidy = [tidy_name(name) for name in written]
    lines = Counter[str]()
    for code, count in Counter(codes.tolist()).items():
        lines[tidy[code]] += count
    usual: dict[str, str] = {}
    for name in sorted(lines, key=lambda name: (-lines[name], name)):
        usual.setdefault(_BLANKS.sub("", name), name)
    merged = {name: usual[key] for name in lines if usual[key := _BLANKS.sub("", name)] != name}
    notes: list[Note] = []
    if changed := sum(old != new for old, new in zip(written, tidy, strict=True)):
        notes.append(("tidied", f"{changed} names in {column!r}: stray spaces, invisible signs"))
    if merged:
        shown = ", ".join(f"{old!r} is {new!r}" for old, new in list(merged.items())[:MOST_NAMED])
        more = f" and {len(merged) - MOST_NAMED} more" if len(merged) > MOST_NAMED else ""
        notes.append(("tidied", f"names in {column!r} that differ in blanks: {shown}{more}"))
    texts = texts_of([merged.get(name, name) for name in tidy])[codes]
    return replace(sheet, cells=sheet.cells | {column: texts}), notes
