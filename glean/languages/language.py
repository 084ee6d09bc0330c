"""A language: how it says a sentence, and how it writes a number and a day."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from glean.languages.catalogues import read_catalogue
from glean.languages.sentences import Sentence
from glean.languages.vocabulary import BAKERIES, Vocabulary, Worded

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

NOTHING = "\N{EN DASH}"
"""Where there is no number."""

LanguageCode = Literal["en", "de", "fr"]

LANGUAGES: dict[LanguageCode, str] = {"en": "English", "de": "Deutsch", "fr": "Français"}

_SHORT_DAYS = {"en": "d MMM", "de": "d. MMM", "fr": "d MMM"}
_LONG_DAYS = {"en": "EEEE d MMMM", "de": "EEEE, d. MMMM", "fr": "EEEE d MMMM"}


class Language:
    """How people are spoken to.

    Parameters
    ----------
    code : str
        One of `LANGUAGES`.
    vocabulary : Vocabulary
        What those are called who learn together.
    """

    def __init__(self, code: LanguageCode, vocabulary: Vocabulary = BAKERIES) -> None:
        self.code = code
        self.vocabulary = vocabulary
        # British, of all English ones: hours to 24 and the day before the month.
        self.locale = Locale.parse("en_GB" if code == "en" else code)

    def in_words_of(self, vocabulary: Vocabulary) -> Language:
        """Give the same language with a vocabulary."""
        return language(self.code, vocabulary)

    def gettext(self, text: str) -> str:
        """Translate a sentence; one that the catalogue lacks stays English."""
        if isinstance(text, Worded):
            text = text.said_with(self.vocabulary)
        message = self._catalogue and self._catalogue.get(text)
        return str(message.string) if message and message.string else text

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Translate a sentence about a number of things, which stands in it as %(num)s."""
        return self._form(one, many, count).replace("%(num)s", self.number(count))

    def translate(self, text: str, **values: Any) -> str:
        """Translate a sentence and put values in the place of their names in braces."""
        return self.gettext(text).format_map(values)

    def translate_sentence(self, text: str) -> str:
        """Translate a sentence with all in it; a plain text stays as it is."""
        if not isinstance(text, Sentence):
            return text
        said = {name: self._translated(value) for name, value in text.values.items()}
        return self.translate(text.template, **said) if said else self.gettext(text.template)

    def _translated(self, value: Any) -> Any:
        if isinstance(value, int):
            return self.number(value)
        return self.translate_sentence(value) if isinstance(value, str) else value

    def translate_count(self, one: str, many: str, count: int, **values: Any) -> str:
        """Translate a sentence about a number of things, which stands in it as {count}."""
        return self._form(one, many, count).format_map({**values, "count": self.number(count)})

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number; a dash where there is none."""
        if value is None or math.isnan(value):
            return NOTHING
        return format_decimal(value, _pattern(digits), locale=self.locale)

    def shortest_number(self, value: float, most: int = 3) -> str:
        """Write a number with those decimals that it needs, three of them unless told otherwise."""
        return format_decimal(value, "#,##0." + "#" * most, locale=self.locale)

    def signed(self, value: float, digits: int = 1) -> str:
        """Write a number with its sign, like "+3.2"."""
        pattern = _pattern(digits)
        return format_decimal(value, f"+{pattern};-{pattern}", locale=self.locale)

    def percent(self, share: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """Write a share as a percentage, maybe with its sign; a dash where there is none."""
        if share is None or math.isnan(share):
            return NOTHING
        usual = self.locale.percent_formats[None].pattern
        pattern = usual.replace("#,##0", _pattern(digits))
        if signed:
            pattern = f"+{pattern};-{pattern}"
        return format_percent(share, pattern, locale=self.locale)

    def change(self, share: float) -> str:
        """Write by how much something is more or less, as a whole percentage with its sign."""
        rounded = round(share, 2) + 0.0  # of -0.0 that is 0.0
        return ("" if rounded < 0 else "+") + self.percent(rounded, 0)

    def listed(self, texts: Sequence[str]) -> str:
        """Write several things one after the other, with "and" before the last."""
        return format_list(list(texts), locale=self.locale)

    def either(self, texts: Sequence[str]) -> str:
        """Write several things of which one is meant, with "or" before the last."""
        return format_list(list(texts), style="or", locale=self.locale)

    def moment(self, text: str | None) -> str:
        """Write a UTC time of day, like that of a `run.json`."""
        moment = _parsed(text)
        if moment is None:
            return NOTHING
        return f"{format_datetime(moment, 'medium', locale=self.locale)} UTC"

    def time_of_day(self, text: str | None) -> str:
        """Write the UTC time of day of such a moment, hours to 24 in all languages."""
        moment = _parsed(text)
        return NOTHING if moment is None else f"{moment:%H:%M:%S} UTC"

    def day(self, text: str) -> str:
        """Write an ISO date."""
        return format_date(dt.date.fromisoformat(text), "medium", locale=self.locale)

    def long_day(self, day: dt.date, *, year: bool = True) -> str:
        """Write a day with its weekday.

        Examples
        --------
        >>> language("de").long_day(dt.date(2026, 12, 24), year=False)
        'Donnerstag, 24. Dezember'
        """
        pattern = _LONG_DAYS[self.code] + (" y" if year else "")
        return format_date(day, pattern, locale=self.locale)

    def date(self, day: dt.date) -> str:
        """Write a day with its month in full, like "24. Dezember 2026"."""
        return format_date(day, "long", locale=self.locale)

    def month(self, day: dt.date) -> str:
        """Write a day's month with its year, like "Dezember 2026"."""
        return format_date(day, "LLLL y", locale=self.locale)

    def short_day(self, day: dt.date) -> str:
        """Write the day and its month, as for an axis: "24. Dez."."""
        return format_date(day, _SHORT_DAYS[self.code], locale=self.locale)

    def weekday(self, day: dt.date, *, short: bool = False) -> str:
        """Write the name of a day's weekday."""
        return format_date(day, "EEE" if short else "EEEE", locale=self.locale)

    @cached_property
    def _catalogue(self) -> Catalog | None:
        return None if self.code == "en" else read_catalogue(self.code)

    def _form(self, one: str, many: str, count: int) -> str:
        message = self._catalogue.get((one, many)) if self._catalogue else None
        forms = message.string if message else ()
        if not isinstance(forms, tuple) or not forms or not all(forms):
            forms = (one, many)
        return forms[_plural_form(self.code, count)]


@cache
def language(code: LanguageCode, vocabulary: Vocabulary = BAKERIES) -> Language:
    """Give a language with a vocabulary; its catalogue is read once."""
    return Language(code, vocabulary)


ENGLISH = language("en")


def best_language(wanted: Sequence[str]) -> Language:
    """Give the first of the languages that somebody understands, else English.

    Parameters
    ----------
    wanted : sequence of str
        Names of locales like "de_AT", the dearest first.
    """
    found = negotiate_locale(wanted, list(LANGUAGES))
    return next((language(code) for code in LANGUAGES if code == found), ENGLISH)


def _pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def _plural_form(code: str, count: int) -> int:
    """Which form of a word goes with a number: French says "0 four", German "0 Läufe"."""
    return int(count > 1) if code == "fr" else int(count != 1)


def _parsed(text: str | None) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
