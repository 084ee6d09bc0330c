"""The tables of the report: scores of the methods, of every bakery, and what the run was told."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.tables.headline import percent
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import GroupScore, Summary, ordered_methods
from glean.features.definition import MIN_LEVEL_DAYS

_MOST_BAKERIES = 500
"""A longer table makes the page slow; bakeries.csv has them all."""


def summary_table(summary: Summary, *, units_label: str) -> str:
    """Per method WAPE and RMSE over all bakeries, the established ones and the newcomers."""
    heads = ["method"]
    for name in ("all", "established", "newcomers"):
        heads += [f"{name}: WAPE", f"RMSE ({units_label})"]
    rows = [
        [
            score.method,
            *_cells(score.everyone),
            *_cells(score.established),
            *_cells(score.newcomers),
        ]
        for score in summary.methods
    ]
    return html.table("Error on the test days; lower is better.", heads, rows)


def bakeries_table(scores: pd.DataFrame) -> str:
    """WAPE of every bakery by method."""
    methods = ordered_methods(scores["method"].unique().tolist())
    shares = {
        (bakery, method): share
        for bakery, method, share in zip(
            scores["bakery"], scores["method"], scores["wape"], strict=True
        )
    }
    bakeries = scores.drop_duplicates("bakery").sort_values("bakery")
    rows = [
        [
            row["bakery"],
            row["cohort"],
            f"{row['units']:,.0f}" if row["n_rows"] else "no judged day",
            *(percent(shares.get((row["bakery"], method), math.nan)) for method in methods),
        ]
        for row in bakeries.head(_MOST_BAKERIES).to_dict("records")
    ]
    caption = (
        "WAPE on the test days of every bakery, and what it sold on those that could be judged: "
        f"a product's days count once {MIN_LEVEL_DAYS} of its trading days are known."
    )
    if len(bakeries) > _MOST_BAKERIES:
        caption += f" The first {_MOST_BAKERIES} of {len(bakeries)}; bakeries.csv has them all."
    return html.table(caption, ["bakery", "cohort", "sold on judged days", *methods], rows)


def run_facts(results: RunResults) -> str:
    """When and how the run went."""
    facts = results.run.facts
    bakeries = facts.get("bakeries")
    newcomers = facts.get("newcomers")
    pairs = [
        ("started", _moment(facts.get("start"))),
        ("took", _duration(facts.get("start"), facts.get("end"))),
        ("engine", facts.get("engine")),
        ("bakeries", len(bakeries) if isinstance(bakeries, list) else bakeries),
        ("cut to newcomers", ", ".join(map(str, newcomers)) if newcomers else None),
        ("started from", results.run.settings.get("start-from")),
        ("resumed from", _resumed(facts)),
        ("rounds", None if results.rounds is None else int((results.rounds["round"] > 0).sum())),
        ("round that was kept", facts.get("best_round")),
        ("learning rate used", facts.get("learning_rate")),
        ("sent to the bakeries and back", _traffic(results.rounds)),
        ("seed", facts.get("seed")),
        ("versions", _versions(facts.get("versions"))),
    ]
    return html.definitions((name, str(value)) for name, value in pairs if value not in (None, ""))


def settings_table(results: RunResults) -> str:
    """Every setting of the run."""
    settings = results.run.settings
    rows = [[key, '""' if value == "" else str(value)] for key, value in settings.items()]
    return html.folded("All settings", html.table("Run config.", ["key", "value"], rows))


def _cells(score: GroupScore) -> tuple[str, str]:
    return percent(score.wape), "-" if math.isnan(score.rmse) else f"{score.rmse:.1f}"


def _resumed(facts: Mapping[str, Any]) -> str:
    if not facts.get("resumed_from"):
        return ""
    return f"{facts['resumed_from']}, after round {facts.get('resumed_round') or 0}"


def _moment(text: Any) -> str:
    moment = _parsed(text)
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname() or ''}".strip()


def _duration(start: Any, end: Any) -> str:
    first, last = _parsed(start), _parsed(end)
    if first is None or last is None:
        return ""
    return f"{(last - first).total_seconds():.1f} s"


def _parsed(text: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _traffic(rounds: pd.DataFrame | None) -> str:
    if rounds is None or not {"bytes_down", "bytes_up"} <= set(rounds.columns):
        return ""
    down, up = (float(rounds[name].sum()) / 1e6 for name in ("bytes_down", "bytes_up"))
    return f"{down:.2f} MB and {up:.2f} MB"


def _versions(versions: Any) -> str:
    if not isinstance(versions, dict):
        return ""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
