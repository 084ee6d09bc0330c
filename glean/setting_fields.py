"""How one setting is declared and checked: its type, its range or choices, what it means."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection
from dataclasses import Field, field
from typing import Any, TypeVar

from glean.errors import SettingsError

ConfigValue = bool | int | float | str

Kind = TypeVar("Kind", bound=type)

TYPE_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
"""What a value of each type is called in an error."""

INF = float("inf")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def hashed_once(kind: Kind) -> Kind:
    """Have a frozen dataclass of many fields keep its hash: every message of a run looks it up."""
    changed: Any = kind
    whole = changed.__hash__

    def kept_hash(self: object) -> int:
        found: int | None = vars(self).get(_HASH)
        if found is None:
            found = vars(self)[_HASH] = int(whole(self))
        return found

    def state(self: object) -> dict[str, Any]:
        # Without the hash: that of a text is another one in another process.
        return {name: value for name, value in vars(self).items() if name != _HASH}

    changed.__hash__, changed.__getstate__ = kept_hash, state
    return kind


_HASH = "_kept_hash"


def number(default: float, low: float, high: float, meaning: str) -> Any:
    """Declare a number from `low` to `high`, both included; never infinite."""
    return field(default=default, metadata={"range": (low, high), "meaning": meaning})


def choice(
    default: str, choices: tuple[str, ...] | Callable[[], tuple[str, ...]], meaning: str
) -> Any:
    """Declare one of some words, or of those that a table has when a value is checked."""
    listed = choices if callable(choices) else lambda: choices
    return field(default=default, metadata={"choices": listed, "meaning": meaning})


def plain(default: ConfigValue, meaning: str) -> Any:
    """Declare a value that only its type limits."""
    return field(default=default, metadata={"meaning": meaning})


def key_of(item: Field[Any]) -> str:
    """Give a field's key in the run config."""
    return item.name.replace("_", "-")


def checked(key: str, value: ConfigValue, item: Field[Any]) -> ConfigValue:
    """Check a value by the field that declares it; a whole number may stand for any other.

    Raises
    ------
    SettingsError
        Its type is another, or it is out of range; says what is allowed.
    """
    kind: type = type(item.default)
    if kind is float and type(value) is int:
        value = _widened(key, value)
    if type(value) is not kind:
        raise SettingsError(f"{key}: found {value!r}; wanted {TYPE_WORDS[kind]}")
    if "range" in item.metadata:
        _check_range(key, value, item)
    if "choices" in item.metadata and value not in (choices := item.metadata["choices"]()):
        wanted = ", ".join(repr(name) for name in choices)
        raise SettingsError(f"{key}: found {value!r}; wanted one of {wanted}")
    if key == "test-start" and value:
        _check_date(key, str(value))
    return value


def _check_range(key: str, value: ConfigValue, item: Field[Any]) -> None:
    low, high = item.metadata["range"]
    if not low <= value <= high or value == INF:
        wanted = TYPE_WORDS[type(item.default)]
        limit = "up" if high == INF else f"to {high}"
        raise SettingsError(f"{key}: found {value!r}; wanted {wanted} from {low} {limit}")


def _widened(key: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise SettingsError(f"{key}: found a number beyond 1e308; wanted one below") from None


def _check_date(key: str, text: str) -> None:
    # Python also reads 20190701 and 2019-W27-1, which pandas reads otherwise or not at all.
    if not _DATE.fullmatch(text):
        raise SettingsError(f"{key}: found {text!r}; wanted a date like 2019-07-01")
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{key}: found {text!r}; wanted a date like 2019-07-01") from None


def unknown_key(key: str, known: Collection[str]) -> str:
    """Say that a key isn't known, which may be meant, and which are known."""
    # Here, since most keys are typed rightly.
    import difflib

    holding = [name for name in known if key and key in name]
    near = difflib.get_close_matches(key.lower().replace("_", "-"), known, n=3, cutoff=0.6)
    meant = list(dict.fromkeys([*near, *holding]))[:4]
    perhaps = f"; perhaps {', '.join(meant)}" if meant else ""
    return f"unknown key {key!r}{perhaps}; known are {', '.join(known)}"
