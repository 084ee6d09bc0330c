"""Plans that were made, a JSON file a day in the home; read again only where a file has changed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from glean.runs.folder import write_whole

VERSION = 1
"""As `glean.operations.shop.shop_plans` writes it; a kept plan of another one is passed over."""


@dataclass(frozen=True)
class PlanLine:
    """A product of a plan.

    Parameters
    ----------
    product, category : str
        Its name, and "" where it has no category.
    bake, expected, low, high : float
        Units to bake, expected, and between which demand lies on 8 days of 10.
    ratio, enough : float
        Share of such days on which it shouldn't sell out, and on which it won't.
    quantiles : tuple of float
        Units of demand at the levels 0.05, 0.1, ... 0.95.
    margin, loss : float or None
        Money lost with a unit that is missing, and with one that is left over.
    shelf_life_days : float
        Days on which it can be sold.
    batch, minimum : float or None
        Units on a tray, and the fewest worth baking.
    why : mapping of str to str
        What moves it most, by language.
    """

    product: str
    category: str
    bake: float
    expected: float
    low: float
    high: float
    ratio: float
    enough: float
    quantiles: tuple[float, ...]
    margin: float | None
    loss: float | None
    shelf_life_days: float
    batch: float | None
    minimum: float | None
    why: Mapping[str, str]


@dataclass(frozen=True)
class KeptPlan:
    """A day's plan.

    Parameters
    ----------
    date, known_until : date
        The day, and the last day of the sales behind it.
    bakery, units_label : str
        Whose it is, and what is counted.
    federation : bool
        Whether a federation's model is behind it.
    headline : mapping of str to str
        What is special about the day, by language.
    remarks, unknown : mapping of str to sequence of str
        What is to be known of the sales behind it, and what wasn't told, by language.
    days : sequence of (str, float)
        ISO dates from then on, and units expected of all products.
    products : tuple of PlanLine
        The largest first.
    made_at : str
        When it was made, ISO.
    """

    date: dt.date
    known_until: dt.date
    bakery: str
    units_label: str
    federation: bool
    headline: Mapping[str, str]
    remarks: Mapping[str, Sequence[str]]
    unknown: Mapping[str, Sequence[str]]
    days: Sequence[tuple[str, float]]
    products: tuple[PlanLine, ...]
    made_at: str


class KeptPlans:
    """The plans of a home.

    Parameters
    ----------
    folder : Path
        Where they lie; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._read: dict[Path, tuple[int, KeptPlan | None]] = {}

    def of(self, day: dt.date) -> KeptPlan | None:
        """Read a day's plan; None where there is none that can be read."""
        path = self._folder / f"{day}.json"
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        known = self._read.get(path)
        if known is None or known[0] != changed:
            known = self._read[path] = changed, _read(path)
        return known[1]

    def keep(self, plans: Sequence[Mapping[str, Any]], made_at: dt.datetime) -> None:
        """Write plans, as `glean.operations.shop.shop_plans` makes them, each whole."""
        for plan in plans:
            content = {**plan, "made_at": made_at.isoformat(timespec="seconds")}
            text = json.dumps(content, ensure_ascii=False)
            write_whole(self._folder / f"{plan['date']}.json", text.encode())

    def days(self) -> list[dt.date]:
        """Days that have a plan, in order."""
        found = []
        for path in self._folder.glob("????-??-??.json"):
            try:
                found.append(dt.date.fromisoformat(path.stem))
            except ValueError:
                continue
        return sorted(found)


def _read(path: Path) -> KeptPlan | None:
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            return None
        lines = tuple(
            PlanLine(
                **{item.name: line[item.name] for item in fields(PlanLine)}
                | {"quantiles": tuple(line["quantiles"])}
            )
            for line in content["products"]
        )
        dates = {name: dt.date.fromisoformat(content[name]) for name in ("date", "known_until")}
        known = {item.name: content[item.name] for item in fields(KeptPlan)}
        return KeptPlan(**known | dates | {"products": lines})
    except (OSError, ValueError, KeyError, TypeError):
        return None
