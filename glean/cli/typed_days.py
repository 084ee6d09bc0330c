"""Days and weekdays as typed."""

from __future__ import annotations

import datetime as dt

from glean.errors import SettingsError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def day_of(option: str, text: str) -> dt.date | None:
    """Read a day like 2019-01-31; "" is none.

    Raises
    ------
    SettingsError
        The text is no such day.
    """
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"{option}: found {text!r}; wanted a day like 2019-01-31") from None


def weekdays_of(text: str) -> tuple[int, ...]:
    """Read weekdays like "tue,wed" as numbers, 0 is Monday; "" is all of them.

    Raises
    ------
    SettingsError
        A word is no weekday.
    """
    names = [name.strip().lower()[:3] for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in WEEKDAYS]
    if wrong:
        raise SettingsError(
            f"--open: found {', '.join(wrong)}; wanted some of {', '.join(WEEKDAYS)}"
        )
    return tuple(sorted(WEEKDAYS.index(name) for name in names)) or tuple(range(len(WEEKDAYS)))
