"""Figures of baselines: the federation against each bakery alone, and against the best possible."""

from __future__ import annotations

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture, plain
from glean.evaluation.tables.headline import (
    best_possible_sentence,
    comparison_sentence,
    of_what,
    percent,
    points,
)
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import ALL_BAKERIES, BestPossible, Summary, wape_by_bakery

_GAIN = "Who gains by joining?"
_ROWS_UP_TO = 40
"""Beyond this many bakeries a row each is unreadable: a scatter takes over."""


def federated_or_local(results: RunResults, summary: Summary) -> Picture | LeftOut:
    """WAPE of every bakery in the federation and alone."""
    name, title = "federated-or-alone", _GAIN
    scores = results.scores
    if scores is not None:
        scores = scores[scores["bakery"] != ALL_BAKERIES]
    wide = None if scores is None else wape_by_bakery(scores, ["federated", "local"])
    if scores is None or wide is None or wide.empty:
        return LeftOut(name, title, _why_no_bakeries(results.scores))
    newcomers = set(scores.loc[scores["cohort"] == "newcomer", "bakery"])
    draw = _rows if len(wide) <= _ROWS_UP_TO else _scatter
    canvas, caption = draw(wide, newcomers, of_what(results.units_label))
    sentence = comparison_sentence(summary.federated_or_local)
    return Picture(name, title, f"{caption} {sentence}", sentence, canvas.png())


def best_possible_distance(results: RunResults, summary: Summary) -> Picture | LeftOut:
    """WAPE of every method, split at the WAPE of the best possible forecast."""
    name, title = "best-possible", "How far from the best possible forecast?"
    best = summary.best_possible
    if best is None or not best.distance:
        return LeftOut(
            name,
            title,
            "The best possible forecast is known for synthetic bakeries only "
            "(there is no truth.csv).",
        )
    canvas = _distance_canvas(best, title)
    canvas.label(x=f"WAPE (% {of_what(results.units_label)})", y="", grid="x")
    caption = (
        "Test error of every method. Left of the black line: the true expected demand's own error, "
        "since customers come and go by chance; next to nothing can be below it. Right of it, in "
        "brackets in percentage points: what a better forecast could still gain."
    )
    return Picture(name, title, caption, best_possible_sentence(summary), canvas.png())


def _distance_canvas(best: BestPossible, title: str) -> Canvas:
    methods = list(best.distance)
    canvas = Canvas(title, height=1.9 + 0.45 * len(methods))
    axes, rows = canvas.axes, range(len(methods))
    axes.barh(rows, [best.wape] * len(methods), 0.62, color="#D5D5D5")
    for row, method in enumerate(methods):
        distance = best.distance[method]
        axes.barh(row, distance, 0.62, left=best.wape, color=COLOURS.get(method, GREY))
        axes.annotate(
            f"{percent(best.wape + distance)} ({points(distance)})",
            (max(best.wape, best.wape + distance), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
        )
    axes.axvline(best.wape, color="black", label=f"best possible: {percent(best.wape)}")
    axes.set_yticks(rows, labels=methods)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.22 * (best.wape + max(0.0, *best.distance.values())))
    canvas.percent("x")
    canvas.legend()
    return canvas


def _why_no_bakeries(scores: pd.DataFrame | None) -> str:
    if scores is not None and (scores["bakery"] == ALL_BAKERIES).any():
        return "The bakeries keep their own scores at home, so there is no figure by bakery."
    return "No bakery was also scored alone (the setting baselines was off)."


def _rows(wide: pd.DataFrame, newcomers: set[str], share: str) -> tuple[Canvas, str]:
    """One row a bakery, those who gain most on top."""
    gain = wide["local"] - wide["federated"]
    wide = wide.loc[gain.sort_values(ascending=True, kind="stable").index]
    canvas = Canvas(_GAIN, height=2.1 + 0.27 * len(wide))
    rows = list(range(len(wide)))
    wins = (wide["federated"] < wide["local"]).tolist()
    canvas.axes.hlines(
        rows,
        wide["federated"],
        wide["local"],
        colors=[COLOURS["federated"] if won else COLOURS["local"] for won in wins],
        linewidth=3,
        alpha=0.45,
    )
    for method, marker, label in (("local", "s", "alone"), ("federated", "o", "in the federation")):
        canvas.axes.plot(
            wide[method], rows, marker, color=COLOURS[method], markersize=7, label=label
        )
    names = [plain(name) + (" (newcomer)" if name in newcomers else "") for name in wide.index]
    canvas.axes.set_yticks(rows, labels=names)
    canvas.axes.set_ylim(-0.7, len(wide) - 0.3)
    canvas.label(x=f"WAPE on the test days (% {share})", y="", grid="x")
    canvas.percent("x")
    canvas.legend()
    caption = (
        "One row a bakery: its test error in the federation (circle) and alone (square); further "
        "left is better. On top are those who gain most by joining."
    )
    return canvas, caption


def _scatter(wide: pd.DataFrame, newcomers: set[str], share: str) -> tuple[Canvas, str]:
    """One point a bakery: alone to the right, in the federation upwards."""
    limit = min(float(wide.to_numpy().max()) * 1.05, 3 * float(wide["local"].median()))
    beyond = int((wide > limit).any(axis="columns").sum())
    drawn = wide.clip(upper=limit)
    is_new = drawn.index.isin(list(newcomers))
    canvas = Canvas(_GAIN, height=6.3)
    canvas.axes.plot([0, limit], [0, limit], color="black", linewidth=1.2, label="no difference")
    for mask, marker, label in ((~is_new, "o", "established"), (is_new, "^", "newcomer")):
        if mask.any():
            canvas.axes.plot(
                drawn.loc[mask, "local"],
                drawn.loc[mask, "federated"],
                marker,
                color=COLOURS["federated" if marker == "o" else "local"],
                alpha=0.7,
                markersize=6,
                label=label,
            )
    low = 0.9 * float(drawn.to_numpy().min())
    canvas.axes.set_xlim(low, limit)
    canvas.axes.set_ylim(low, limit)
    canvas.axes.set_aspect("equal")
    canvas.label(
        x=f"alone: WAPE (% {share})", y=f"in the federation: WAPE (% {share})", grid="both"
    )
    canvas.percent("x")
    canvas.percent("y")
    canvas.legend()
    caption = "One point a bakery; below the line are those who gain by joining."
    if beyond:
        caption += f" {beyond} with a larger error stand at the edge."
    return canvas, caption
