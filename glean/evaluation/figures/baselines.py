"""Figures of baselines: the federation against each bakery alone, and against the best possible."""

from __future__ import annotations

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture, plain
from glean.evaluation.tables.comparison_sentences import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
)
from glean.evaluation.tables.headline import of_what, points
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import ALL_BAKERIES, BestPossible, Summary, wape_by_bakery
from glean.languages.catalogues import translatable
from glean.languages.language import Language

_GAIN = translatable("Who gains by joining?")
_ROWS_UP_TO = 40
"""Beyond this many bakeries a row each is unreadable: a scatter takes over."""


def federated_or_local(
    results: RunResults, summary: Summary, language: Language
) -> Picture | LeftOut:
    """WAPE of every bakery in the federation, by what it bakes by if that is known, and alone."""
    name, title = "federated-or-alone", language.translate(_GAIN)
    scores = results.scores
    if scores is not None:
        scores = scores[scores["bakery"] != ALL_BAKERIES]
    ours = "federated" if summary.chosen_or_local is None else "chosen"
    wide = None if scores is None else wape_by_bakery(scores, [ours, "local"])
    if scores is None or wide is None or wide.empty:
        return LeftOut(name, title, _why_no_bakeries(results.scores, language))
    newcomers = set(scores.loc[scores["cohort"] == "newcomer", "bakery"])
    draw = _rows if len(wide) <= _ROWS_UP_TO else _scatter
    canvas, caption = draw(wide, newcomers, of_what(results.units_label, language), language)
    sentence = (
        comparison_sentence(summary.federated_or_local, language)
        if ours == "federated"
        else chosen_sentence(summary.chosen_or_local, language)
    )
    return Picture(name, title, f"{caption} {sentence}", sentence, canvas.png())


def best_possible_distance(
    results: RunResults, summary: Summary, language: Language
) -> Picture | LeftOut:
    """WAPE of every method, split at the WAPE of the best possible forecast."""
    name = "best-possible"
    title = language.translate("How far from the best possible forecast?")
    best = summary.best_possible
    if best is None or not best.distance:
        return LeftOut(
            name,
            title,
            language.translate(
                "The best possible forecast is known for synthetic bakeries only (there is no "
                "truth.csv)."
            ),
        )
    canvas = _distance_canvas(best, title, language)
    canvas.label(x=f"WAPE (% {of_what(results.units_label, language)})", y="", grid="x")
    caption = language.translate(
        "Test error of every method. Left of the black line: the true expected demand's own error, "
        "since customers come and go by chance; next to nothing can be below it. Right of it, in "
        "brackets in percentage points: what a better forecast could still gain."
    )
    return Picture(name, title, caption, best_possible_sentence(summary, language), canvas.png())


def _distance_canvas(best: BestPossible, title: str, language: Language) -> Canvas:
    methods = list(best.distance)
    canvas = Canvas(title, language, height=1.9 + 0.45 * len(methods))
    axes, rows = canvas.axes, range(len(methods))
    axes.barh(rows, [best.wape] * len(methods), 0.62, color="#D5D5D5")
    for row, method in enumerate(methods):
        distance = best.distance[method]
        axes.barh(row, distance, 0.62, left=best.wape, color=COLOURS.get(method, GREY))
        axes.annotate(
            f"{language.percent(best.wape + distance)} ({points(distance, language)})",
            (max(best.wape, best.wape + distance), row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
        )
    error = language.percent(best.wape)
    label = language.translate("best possible: {error}", error=error)
    axes.axvline(best.wape, color="black", label=label)
    axes.set_yticks(rows, labels=methods)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.22 * (best.wape + max(0.0, *best.distance.values())))
    canvas.percent("x")
    canvas.legend()
    return canvas


def _why_no_bakeries(scores: pd.DataFrame | None, language: Language) -> str:
    if scores is not None and (scores["bakery"] == ALL_BAKERIES).any():
        return language.translate(
            "The bakeries keep their own scores at home, so there is no figure by bakery."
        )
    return language.translate("No bakery was also scored alone (the setting baselines was off).")


def _rows(
    wide: pd.DataFrame, newcomers: set[str], share: str, language: Language
) -> tuple[Canvas, str]:
    """One row a bakery, those who gain most on top."""
    ours = str(wide.columns[0])
    gain = wide["local"] - wide[ours]
    wide = wide.loc[gain.sort_values(ascending=True, kind="stable").index]
    canvas = Canvas(language.translate(_GAIN), language, height=2.1 + 0.27 * len(wide))
    rows = list(range(len(wide)))
    wins = (wide[ours] < wide["local"]).tolist()
    canvas.axes.hlines(
        rows,
        wide[ours],
        wide["local"],
        colors=[COLOURS[ours] if won else COLOURS["local"] for won in wins],
        linewidth=3,
        alpha=0.45,
    )
    for method, marker, label in (
        ("local", "s", language.translate("alone")),
        (ours, "o", language.translate("in the federation ({method})", method=ours)),
    ):
        canvas.axes.plot(
            wide[method], rows, marker, color=COLOURS[method], markersize=7, label=label
        )
    names = [_tick(name, newcomers, language) for name in wide.index]
    canvas.axes.set_yticks(rows, labels=names)
    canvas.axes.set_ylim(-0.7, len(wide) - 0.3)
    canvas.label(
        x=language.translate("WAPE on the test days (% {share})", share=share), y="", grid="x"
    )
    canvas.percent("x")
    canvas.from_zero("x")
    canvas.legend()
    caption = language.translate(
        "One row a bakery: its test error in the federation (circle) and alone (square); further "
        "left is better. On top are those who gain most by joining."
    )
    return canvas, caption


def _tick(name: str, newcomers: set[str], language: Language) -> str:
    shown = plain(name)
    if name not in newcomers:
        return shown
    return language.translate("{bakery} (newcomer)", bakery=shown)


def _scatter(
    wide: pd.DataFrame, newcomers: set[str], share: str, language: Language
) -> tuple[Canvas, str]:
    """One point a bakery: alone to the right, in the federation upwards."""
    limit = min(float(wide.to_numpy().max()) * 1.05, 3 * float(wide["local"].median()))
    beyond = int((wide > limit).any(axis="columns").sum())
    drawn = wide.clip(upper=limit)
    is_new = drawn.index.isin(list(newcomers))
    ours = str(wide.columns[0])
    canvas = Canvas(language.translate(_GAIN), language, height=6.3)
    no_difference = language.translate("no difference")
    canvas.axes.plot([0, limit], [0, limit], color="black", linewidth=1.2, label=no_difference)
    for mask, marker, label in (
        (~is_new, "o", language.translate("established")),
        (is_new, "^", language.translate("newcomer")),
    ):
        if mask.any():
            canvas.axes.plot(
                drawn.loc[mask, "local"],
                drawn.loc[mask, ours],
                marker,
                color=COLOURS[ours if marker == "o" else "local"],
                alpha=0.7,
                markersize=6,
                label=label,
            )
    canvas.axes.set_xlim(0, limit)
    canvas.axes.set_ylim(0, limit)
    canvas.axes.set_aspect("equal")
    canvas.label(
        x=language.translate("alone: WAPE (% {share})", share=share),
        y=language.translate(
            "in the federation ({method}): WAPE (% {share})", method=ours, share=share
        ),
        grid="both",
    )
    canvas.percent("x")
    canvas.percent("y")
    canvas.legend()
    caption = language.translate(
        "One point a bakery; below the line are those who gain by joining."
    )
    if beyond:
        caption += " " + language.translate_count(
            "{count} with a larger error stands at the edge.",
            "{count} with a larger error stand at the edge.",
            beyond,
        )
    return canvas, caption
