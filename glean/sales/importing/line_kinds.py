"""Kinds of lines: sales, returns, voids and discounts, where a column of the till says which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.exports import Note
from glean.sales.importing.request import Columns, Kind
from glean.sales.reading.checks import Forms
from glean.sales.reading.sheet import Rows, Sheet, Texts, quoted
from glean.sales.reading.values import distinct_of, read_numbers

NO_COLUMN = "none"
"""Told in place of a column: every line is a sale."""

MOST_KINDS = 20
"""A column with more different texts isn't one of kinds."""

_WORDS = {
    Kind.RETURN: "retoure[n]?|retour|rückgabe|rücknahme|rückerstattung|erstattung|gutschrift"
    "|reklamation|returns?|returned|refund(s|ed)?|remboursement|remboursée?|avoir",
    Kind.VOID: r"\w*storno|storn(o|ierung|iert)|void(ed|s)?|cancel(l?ed|lation|ation)?"
    "|annul(é|ée|ation|iert|lation)",
    Kind.DISCOUNT: r"\w*rabatte?|discounts?|discounted|remises?|\w*nachlass|réduction|coupons?",
    Kind.SALE: r"\w*verkauf|verkäufe|verkauft|sales?|sold|ventes?|vendue?|normal|regular|artikel"
    "|items?|order|bestellung|bon|rechnung|bezahlt|paid|completed|abgeschlossen",
}
_PATTERNS = {kind: re.compile(words) for kind, words in _WORDS.items()}

_NO = frozenset({"no", "kein", "keine", "non", "pas"})

_NAMES = re.compile(
    r"typ|type|art|kind|vorgang|(vorgangs|beleg|buchungs|zeilen|positions|bon|transaktions)(art|typ)"
    r"|(line|item|transaction|event|sale|order)type|geschäftsvorfall|event|status|opération"
)

_UNCLEAR = {
    Kind.VOID: translatable(
        "void (the line was voided: left out) or --line-kind {text}=return (it takes another line "
        "back: taken off)"
    ),
    Kind.DISCOUNT: translatable(
        "discount (it only lowers the price: left out) or --line-kind {text}=sale (sold at a "
        "discount)"
    ),
}
"""Kinds that units above 0 leave open, and what is asked then."""


def kind_of(text: str) -> Kind | None:
    """Read what a text says of its line; None where it says nothing, or two things.

    Examples
    --------
    >>> [str(kind_of(text)) for text in ("Retoure", "Sofort-Storno", "Rabatt 10 %", "", "Umtausch")]
    ['return', 'void', 'discount', 'sale', 'None']
    """
    words = re.findall(r"[^\W\d_]+", text.casefold())
    if not text.strip():
        return Kind.SALE
    found = [kind for kind, pattern in _PATTERNS.items() if any(map(pattern.fullmatch, words))]
    return found[0] if len(found) == 1 and _NO.isdisjoint(words) else None


def is_no_product(text: str) -> bool:
    """Whether an item is a return, void or discount by all of its words.

    Examples
    --------
    >>> is_no_product("Rabatt 10 %"), is_no_product("Rabattbrot"), is_no_product("Storno Brot")
    (True, False, False)
    """
    words = re.findall(r"[^\W\d_]+", text.casefold())
    odd = [pattern for kind, pattern in _PATTERNS.items() if kind is not Kind.SALE]
    return bool(words) and all(any(p.fullmatch(word) for p in odd) for word in words)


def with_kind_column(sheet: Sheet, columns: Columns) -> tuple[Columns, list[Note]]:
    """Find the column that says what each line is, where none is told.

    It holds returns, voids or discounts, and is named for kinds or holds nothing but sales besides
    (said by a word, where there are discounts: else it may mark sales at a discount). Another one
    isn't taken, which the note says.
    """
    if columns.kind:
        return replace(columns, kind="" if columns.kind == NO_COLUMN else columns.kind), []
    used = {column for _, column in columns.named()}
    for name, texts in sheet.cells.items():
        distinct = [] if name in used else distinct_of(texts)[1]
        if not 0 < len(distinct) <= MOST_KINDS:
            continue
        kinds = {text: kind_of(text) for text in distinct}
        odd = [text for text, kind in kinds.items() if kind not in (None, Kind.SALE)]
        if not odd:
            continue
        plain = re.sub(r"[\W\d_]+", "", name).casefold()
        if _NAMES.fullmatch(plain) or _says_all(kinds):
            words = f"found in the column {name!r} (--kind {NO_COLUMN}: every line is a sale)"
            return replace(columns, kind=name), [("kinds", words)]
        words = f"the column {name!r} has {quoted(odd[0])} on some lines; --kind would go by it"
        return columns, [("kinds", words)]
    return columns, []


def _says_all(kinds: Mapping[str, Kind | None]) -> bool:
    """Whether the texts of a column can't be read as anything but kinds."""
    has_sales = any(text.strip() and kind is Kind.SALE for text, kind in kinds.items())
    found = set(kinds.values())
    return None not in found and (has_sales or Kind.DISCOUNT not in found)


def settle_kinds(
    sheet: Sheet, columns: Columns, forms: Forms, told: Mapping[str, str]
) -> tuple[Sheet, list[Note]]:
    """Leave out voids and discounts, and make the units of returns negative.

    Returns count as such whatever their sign. A void with negative units takes another line back,
    as a return does; a discount with units of 0 or less is one.

    Parameters
    ----------
    sheet : Sheet
        n lines.
    columns : Columns
        What is what there; without a `kind` nothing happens.
    forms : Forms
        How numbers are written.
    told : mapping of str to str
        Text in the column of kinds -> a `Kind`, as a person says.

    Raises
    ------
    SalesError
        A text isn't known; or it is that of a void or discount on lines with units above 0, which
        may be the voided line or the one that takes it back, a discount or a sale at one.
    """
    if not columns.kind:
        unused = "no column of them is found, so --line-kind isn't used; --kind names one"
        return sheet, [("kinds", unused)] if told else []
    codes, distinct = distinct_of(sheet.cells[columns.kind])
    units = read_numbers(sheet.cells[columns.units], forms.numbers_of(columns.units))[0]
    kinds: list[Kind] = []
    problems: list[Problem] = []
    for code, text in enumerate(distinct):
        kind = Kind(told[text]) if text in told else kind_of(text)
        here = codes == code
        if kind in _UNCLEAR and text not in told:
            clear = Kind.RETURN if kind is Kind.VOID else kind
            kind = None if (units[here] > 0).any() else clear
        if kind is None:
            problems.append(_unclear(sheet, columns.kind, text, np.flatnonzero(here)))
        kinds.append(kind or Kind.SALE)
    if problems:
        raise SalesError(problems)
    of_line = np.array(kinds, dtype=object)[codes]
    back = (of_line == Kind.RETURN) & (units > 0)
    cells = sheet.cells[columns.units].copy()
    cells[back] = ["-" + text.strip().lstrip("+") for text in cells[back]]
    kept = np.isin(of_line, [Kind.SALE, Kind.RETURN])
    notes = _notes(sheet.cells[columns.kind], of_line)
    return replace(sheet, cells=sheet.cells | {columns.units: cells}).rows(kept), notes


def _notes(texts: Texts, of_line: Texts) -> list[Note]:
    done = {Kind.RETURN: "taken for returns", Kind.VOID: "left out", Kind.DISCOUNT: "left out"}
    notes = []
    for kind, words in done.items():
        counts = Counter(texts[of_line == kind].tolist())
        named = ", ".join(f"{count:,} {quoted(text)}" for text, count in counts.items())
        notes += [("kinds", f"lines {words}: {named}")] if counts else []
    return notes


def _unclear(sheet: Sheet, column: str, text: str, rows: Rows) -> Problem:
    count = len(rows)
    lines = translatable("1 line") if count == 1 else translatable("{count} lines")
    on = translatable("{text} on {lines}")
    meant = translatable("sale, return (taken off), void or discount (both left out)")
    if unclear := _UNCLEAR.get(kind_of(text) or Kind.SALE, ""):
        on, meant = translatable("{text} on {lines} with units above 0"), unclear
    found = Sentence(on, text=quoted(text), lines=Sentence(lines, count=count))
    first = rows[0]
    wanted = Sentence(
        translatable("what such a line is, told by --line-kind {text}={meant}"),
        text=repr(text),
        meant=Sentence(meant, text=repr(text)),
    )
    return Problem(sheet.source_of(first), int(sheet.lines[first]), column, found, wanted)
