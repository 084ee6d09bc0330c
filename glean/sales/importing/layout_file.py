"""What was found in an export, kept in a file, so that the next one needs no options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from glean.errors import GleanError, SettingsError
from glean.regular_files import read_regular, words_of
from glean.sales.importing.exports import Notation
from glean.sales.importing.kind_layout import DAY_PLACES, DayPlace, KindLayout
from glean.sales.importing.request import Columns, ImportRequest

VERSION = 1

_OPTIONS = {
    "bakery_name": "--bakery-name",
    "till_lines": "--till-lines",
    "zeros": "--no-zeros",
    "ignored_items": "--ignore-item",
    "wide": "--wide",
    "products": "--products",
    "returns": "--returns",
    "region": "--region",
    "swapped_days": "--swapped-days",
    "overlap": "--overlap",
    "totals": "--totals",
    "line_kinds": "--line-kind",
    "timezone": "--timezone",
    "day_starts": "--day-starts",
    "sheets": "--sheet",
}
"""Fields of a request that a layout keeps, and their options."""

_COLUMNS = {
    "closed": "--closed",
    "void": "--void",
    "kind": "--kind",
    "category": "--category",
    "kept": "--keep",
}
"""The same of its columns; those that have a role stand in the kinds."""

_NOTATION = {
    "encoding": "--encoding",
    "delimiter": "--delimiter",
    "decimal": "--decimal",
    "decimals": "--decimal",
    "date_order": "--date-order",
}
_ROLES = {
    "date": "--date",
    "bakery": "--bakery",
    "product": "--product",
    "units": "--units",
}


@dataclass(frozen=True)
class Layout:
    """What an export is like.

    Parameters
    ----------
    kinds : tuple of KindLayout
        Its files and sheets.
    kept : mapping of str to object
        Fields of a request, its columns and its notation, by name.
    """

    kinds: tuple[KindLayout, ...]
    kept: Mapping[str, Any]

    def to_json(self) -> str:
        """Write it as text, the same for the same layout."""
        kinds = [asdict(kind) for kind in self.kinds]
        content = {"glean layout": VERSION, "kinds": kinds, **self.kept}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def layout_of(request: ImportRequest, kinds: tuple[KindLayout, ...], notation: Notation) -> Layout:
    """Keep what was asked for and found.

    Parameters
    ----------
    request : ImportRequest
        As a person asked.
    kinds : tuple of KindLayout
        What the files and sheets were taken for.
    notation : Notation
        How they are written.
    """
    kept = {name: getattr(request, name) for name in _OPTIONS}
    kept |= {name: getattr(request.columns, name) for name in _COLUMNS}
    kept |= {name: getattr(notation, name) for name in _NOTATION}
    return Layout(kinds, {name: kept[name] for name in _defaults()})


def read_layout(path: Path) -> Layout:
    """Read a layout.

    Raises
    ------
    GleanError
        The file can't be read, or isn't a layout.
    """
    try:
        content = json.loads(read_regular(path))
    except OSError as error:
        raise GleanError(f"--layout: found {words_of(error)}; wanted a layout") from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.pop("glean layout", None) != VERSION:
        raise _no_layout(path, "something else")
    kinds = content.pop("kinds", None)
    if not (isinstance(kinds, list) and kinds and all(isinstance(kind, dict) for kind in kinds)):
        raise _no_layout(path, "one without kinds of sheets")
    fresh = _defaults()
    for name, value in content.items():
        if name not in fresh:
            raise _no_layout(path, f"one with {name!r}")
        if not _is_like(value, fresh[name]):
            raise _no_layout(path, f"one in which {name!r} is {value!r}")
    kept = {name: content.get(name, value) for name, value in fresh.items()}
    kept |= {name: tuple(kept[name]) for name, value in fresh.items() if isinstance(value, tuple)}
    return Layout(tuple(_kind(path, kind) for kind in kinds), kept)


def with_layout(request: ImportRequest, layout: Layout, name: str) -> ImportRequest:
    """Ask for what a layout says, as far as a person doesn't.

    Parameters
    ----------
    request : ImportRequest
        What a person asks.
    layout : Layout
        What is kept.
    name : str
        Its file, for messages.

    Raises
    ------
    SettingsError
        Both say something, and not the same.
    """
    for role, option in _ROLES.items():
        told = getattr(request.columns, role)
        there = [getattr(kind, role) for kind in layout.kinds]
        if told and told not in there:
            raise _two_ways(option, told, ", ".join(map(repr, there)), name)
    kept = layout.kept
    options = _taken(request, kept, _OPTIONS, name)
    columns = _taken(request.columns, kept, _COLUMNS, name)
    notation = _taken(request.notation, kept, _NOTATION, name)
    return replace(
        request,
        columns=Columns(**columns),
        notation=replace(request.notation, **notation),
        kinds=layout.kinds,
        layout=name,
        **options,
    )


def _taken(told: Any, kept: Mapping[str, Any], options: Mapping[str, str], name: str) -> Any:
    fresh = _defaults()
    for key, option in options.items():
        value = getattr(told, key)
        if value not in (fresh[key], kept[key]):
            raise _two_ways(option, value, repr(kept[key]), name)
    return {key: kept[key] for key in options}


def _defaults() -> dict[str, Any]:
    """Give what is kept of a request that asks for nothing."""
    found = {}
    for kind, names in ((ImportRequest, _OPTIONS), (Columns, _COLUMNS), (Notation, _NOTATION)):
        for item in fields(kind):
            if item.name in names:
                made = item.default_factory
                found[item.name] = item.default if made is MISSING else made()
    return found


def _is_like(value: object, fresh: object) -> bool:
    """Whether a value read from JSON is of the kind of a default."""
    match fresh:
        case bool():
            return isinstance(value, bool)
        case tuple():
            return isinstance(value, list) and all(isinstance(text, str) for text in value)
        case Mapping():
            return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
        case None:
            return value is None or isinstance(value, str)
        case _:
            return isinstance(value, str)


def _kind(path: Path, kind: Mapping[str, Any]) -> KindLayout:
    fresh: dict[str, Any] = asdict(KindLayout(header=()))
    for name, value in kind.items():
        if name not in fresh or not _is_like(value, fresh[name]):
            raise _no_layout(path, f"one with a kind in which {name!r} is {value!r}")
    if kind.get("day", "column") not in DAY_PLACES:
        raise _no_layout(path, f"one with a kind in which 'day' is {kind['day']!r}")
    whole = fresh | dict(kind)
    return KindLayout(
        **(whole | {"header": tuple(whole["header"]), "day": cast("DayPlace", whole["day"])})
    )


def _no_layout(path: Path, found: str) -> GleanError:
    wanted = "a layout that `glean data import --layout` wrote; name another file, or delete it"
    return GleanError(f"--layout {path}: found {found}; wanted {wanted}")


def _two_ways(option: str, told: object, kept: str, name: str) -> SettingsError:
    return SettingsError(
        f"{option}: found {told!r}, and {kept} in the layout {name}; wanted one of the two: leave "
        "the option out, or delete the layout to make it anew"
    )
