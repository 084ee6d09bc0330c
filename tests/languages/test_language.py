"""Sentences, numbers and days as one says and writes them in each language."""

from __future__ import annotations

import datetime as dt

import pytest

from glean.languages.language import LANGUAGES, LanguageCode, best_language, language

CHRISTMAS_EVE = dt.date(2026, 12, 24)


# The oracles follow CLDR.
@pytest.mark.parametrize(
    ("code", "date", "weekday", "listed"),
    [
        ("en", "Thursday 24 December", "Thu", "a, b and c"),
        ("de", "Donnerstag, 24. Dezember", "Do.", "a, b und c"),
        ("fr", "jeudi 24 décembre", "jeu.", "a, b et c"),
    ],
)
def test_days_and_lists_are_as_in_the_language(
    code: LanguageCode, date: str, weekday: str, listed: str
) -> None:
    """By the parts that are asked for."""
    speaks = language(code)
    assert speaks.long_day(CHRISTMAS_EVE, year=False) == date
    assert speaks.long_day(CHRISTMAS_EVE) == f"{date} 2026"
    assert speaks.date(CHRISTMAS_EVE) == date.partition(" ")[2] + " 2026"
    assert speaks.weekday(CHRISTMAS_EVE, short=True) == weekday
    assert speaks.listed(["a", "b", "c"]) == listed


@pytest.mark.parametrize(
    ("code", "day", "changes", "number"),
    [
        ("en", "24 Dec", ["+12%", "-12%", "+0%", "+0%"], "1,234.5"),
        ("de", "24. Dez.", ["+12\u00a0%", "-12\u00a0%", "+0\u00a0%", "+0\u00a0%"], "1.234,5"),
        (
            "fr",
            "24 déc.",
            ["+12\u00a0%", "-12\u00a0%", "+0\u00a0%", "+0\u00a0%"],
            "1\u202f234,5",
        ),
    ],
)
def test_short_days_changes_and_short_numbers(
    code: LanguageCode, day: str, changes: list[str], number: str
) -> None:
    """A change has its sign, and one that rounds to nothing isn't less than nothing."""
    speaks = language(code)
    assert speaks.short_day(CHRISTMAS_EVE) == day
    assert [speaks.change(share) for share in (0.123, -0.123, 0.0, -0.001)] == changes
    assert speaks.shortest_number(1234.5) == number
    assert speaks.shortest_number(30.0) == "30"
    assert speaks.either(["a", "b"]) == {"en": "a or b", "de": "a oder b", "fr": "a ou b"}[code]


def test_values_stand_where_their_names_did() -> None:
    """Also in a sentence that no catalogue has; numbers as in the language."""
    speaks = language("de")
    assert speaks.translate("{bakery} has pears", bakery="A {b}") == "A {b} has pears"
    assert speaks.translate_count("{count} pear", "{count} pears", 1234) == "1.234 pears"


@pytest.mark.parametrize(
    ("wanted", "code"), [(["fr_CH", "de"], "fr"), (["it", "de_AT"], "de"), ([], "en")]
)
def test_the_dearest_language_that_there_is_is_spoken(wanted: list[str], code: str) -> None:
    """English where there is none."""
    assert best_language(wanted).code == code
    assert code in LANGUAGES


def test_a_time_of_day_is_the_same_everywhere() -> None:
    """A dash where there is none."""
    assert language("fr").time_of_day("2026-03-01T14:05:09.250+00:00") == "14:05:09 UTC"
    assert language("de").time_of_day("?") == "\N{EN DASH}"
