"""The languages of the pages: catalogues of Babel's, read as they are written, without a build."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

LOCALES = Path(__file__).parent / "locale"
NOTHING = "\N{EN DASH}"
"""Where there is no number."""

ENGLISH = "en"
LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}


class Language:
    """How a page speaks: sentences, numbers and days.

    Parameters
    ----------
    code : str
        One of `LANGUAGES`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        # British, of all English ones: hours to 24 and the day before the month.
        self.locale = Locale.parse("en_GB" if code == ENGLISH else code)
        self._catalogue = None if code == ENGLISH else _catalogue(code)

    def gettext(self, text: str) -> str:
        """Translate a sentence; one that the catalogue lacks stays English."""
        message = self._catalogue and self._catalogue.get(text)
        return str(message.string) if message and message.string else text

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Translate a sentence about a number of things."""
        message = self._catalogue and self._catalogue.get((one, many))
        forms = message.string if message else ()
        if not isinstance(forms, tuple) or not forms or not all(forms):
            forms = (one, many)
        return forms[_plural_form(self.code, count)].replace("%(num)s", self.number(count))

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number; a dash where there is none."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return NOTHING if value is None else format_decimal(value, pattern, locale=self.locale)

    def percent(self, share: float | None) -> str:
        """Write a share as a percentage with a digit behind the mark."""
        if share is None:
            return NOTHING
        pattern = self.locale.percent_formats[None].pattern.replace("#,##0", "#,##0.0")
        return format_percent(share, pattern, locale=self.locale)

    def moment(self, text: str | None) -> str:
        """Write a UTC time of day, like that of a `run.json`."""
        moment = _parsed(text)
        if moment is None:
            return NOTHING
        return f"{format_datetime(moment, 'medium', locale=self.locale)} UTC"

    def day(self, text: str) -> str:
        """Write an ISO date."""
        return format_date(dt.date.fromisoformat(text), "medium", locale=self.locale)


def language_of(chosen: str | None, accepted: str) -> Language:
    """Choose the language of a page.

    Parameters
    ----------
    chosen : str or None
        What the browser's cookie says.
    accepted : str
        Its header `Accept-Language`.
    """
    if chosen in LANGUAGES:
        return language(chosen)
    found = negotiate_locale(_in_order(accepted), list(LANGUAGES))
    return language(found or ENGLISH)


def _in_order(accepted: str) -> list[str]:
    """Give the languages of an `Accept-Language`, the most wanted first, refused ones left out."""
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        if name and weight > 0:
            wanted.append((weight, name.replace("-", "_")))
    return [name for _, name in sorted(wanted, key=lambda pair: -pair[0])]


@cache
def language(code: str) -> Language:
    """Give a language; its catalogue is read once."""
    return Language(code)


def _catalogue(code: str) -> Catalog:
    with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


def _plural_form(code: str, count: int) -> int:
    """Which form of a word goes with a number: French says "0 four", German "0 Läufe"."""
    return int(count > 1) if code == "fr" else int(count != 1)


def _parsed(text: str | None) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
