"""Figures over a count: the error by round, and the error by the size of the federation."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture
from glean.evaluation.tables.headline import of_what, percent
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.run_outline import RunOutline
from glean.metric_sums import metric_label

_SINGLE_LINES_UP_TO = 12
"""Beyond this many bakeries their own lines would hide the federation's."""


def learning_curve(
    outline: RunOutline, *, metric: str, axis: str, share: bool, scored_on: str = "validation days"
) -> Picture | LeftOut:
    """Draw a metric on the validation rows by round, with the round whose model was kept.

    Parameters
    ----------
    outline : RunOutline
        How the run went.
    metric : str
        The metric, a column of `rounds.csv`; lower is better.
    axis : str
        Label of its axis.
    share : bool
        Whether the metric is a share, shown in per cent.
    scored_on : str
        What a bakery scores a model on, while the rounds go on.
    """
    name, title = "learning-curve", "Does the federation learn?"
    if outline.rounds is None or outline.rounds[metric].notna().sum() == 0:
        return LeftOut(name, title, "No round of this run has a validation score.")
    rounds = outline.rounds.dropna(subset=[metric])
    told = outline.run.facts.get("best_round")
    best = _best_round(rounds, told, metric)
    best_value = float(rounds.loc[rounds["round"] == best, metric].iloc[0])
    show = percent if share else "{:.4f}".format
    canvas = Canvas(title)
    caption = (
        f"Error of the shared model on each bakery's {scored_on}, which no model was fitted to "
        f"while the rounds went on. Lower is better; the model of {_kept(told, best)}."
    )
    if isinstance(noise := outline.run.facts.get("score_noise"), float):
        caption = (
            f"Error of the shared model on the {scored_on}, the mean over the bakeries, with noise "
            f"of a standard deviation of {show(noise)}. Lower is better; the last model was kept."
        )
    if (rounds["round"] == 0).any():
        caption += " Round 0 is the model that the run started from."
    if _draw_bakeries(canvas, outline.bakery_rounds, metric):
        caption += " Grey: the bakeries one by one."
    marked = "kept" if told == best else "lowest"
    _draw_federation(canvas, rounds, metric, f"{marked}: round {best}, {show(best_value)}", best)
    canvas.label(x="round", y=axis)
    if share:
        canvas.percent("y")
    canvas.from_zero()
    _whole_numbers(canvas)
    canvas.legend()
    first, last = rounds.iloc[0], rounds.iloc[-1]
    alt = (
        f"Line of the validation {metric_label(metric)} by round: {show(first[metric])} in round "
        f"{int(first['round'])}, {show(last[metric])} in round {int(last['round'])}, best "
        f"{show(best_value)} in round {best}."
    )
    return Picture(name, title, caption, alt, canvas.png())


def federation_size_curve(results: RunResults) -> Picture | LeftOut:
    """WAPE on the same fixed bakeries by the number of bakeries in the federation."""
    name, title = "growth", "Does it get better as more join?"
    if results.growth is None or results.growth["wape_federated"].notna().sum() == 0:
        return LeftOut(
            name,
            title,
            "The error by number of bakeries in the federation wasn't measured in this run "
            "(there is no growth.csv).",
        )
    sizes = results.growth.astype({"bakeries": int}).sort_values("bakeries")
    canvas = _size_canvas(sizes, title)
    canvas.label(
        x="bakeries in the federation (logarithmic scale)",
        y=f"WAPE (% {of_what(results.units_label)})",
    )
    caption = (
        "Test error over the same bakeries each time, in federations of growing size. Where the "
        "blue line falls, a larger federation serves them better, taken together. The vertical "
        "axis doesn't start at zero."
    )
    pairs = zip(sizes["bakeries"].tolist(), sizes["wape_federated"].tolist(), strict=True)
    alt = ", ".join(f"{size}: {percent(wape)}" for size, wape in pairs)
    alt = f"WAPE in the federation by number of bakeries: {alt}."
    return Picture(name, title, caption, alt, canvas.png())


def _size_canvas(sizes: pd.DataFrame, title: str) -> Canvas:
    canvas = Canvas(title)
    for column, method, label, style in (
        ("wape_federated", "federated", "in the federation", "o-"),
        ("wape_local", "local", "each alone (local)", "s--"),
        ("wape_weekday_mean", "weekday-mean", "mean of the last four same weekdays", ":"),
    ):
        canvas.axes.plot(
            sizes["bakeries"],
            sizes[column],
            style,
            color=COLOURS[method],
            label=label,
            linewidth=2.2 if method == "federated" else 1.6,
            markersize=5,
        )
    ticks = sizes["bakeries"].tolist()
    canvas.axes.set_xscale("log", base=2)
    canvas.axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    canvas.axes.minorticks_off()
    canvas.percent("y")
    canvas.legend(columns=3)
    return canvas


def _best_round(rounds: pd.DataFrame, told: Any, metric: str) -> int:
    """Round that run.json names, or the one with the lowest error."""
    if isinstance(told, int) and bool((rounds["round"] == told).any()):
        return told
    return int(rounds["round"].to_numpy()[rounds[metric].to_numpy().argmin()])


def _kept(told: Any, best: int) -> str:
    """Say which round's model was kept, and where it has no score."""
    if not isinstance(told, int) or told == best:
        return f"round {best} was kept"
    if told == 0:
        return "round 0, before any bakery had learned, was kept"
    return f"round {told} was kept, which nobody could score"


def _draw_bakeries(canvas: Canvas, bakery_rounds: pd.DataFrame | None, metric: str) -> bool:
    if bakery_rounds is None or bakery_rounds.empty:
        return False
    if bakery_rounds["bakery"].nunique() > _SINGLE_LINES_UP_TO:
        return False
    label: str | None = "single bakeries"
    for _, rows in bakery_rounds.sort_values("round").groupby("bakery"):
        canvas.axes.plot(
            rows["round"], rows[metric], color=GREY, alpha=0.55, linewidth=1.0, label=label
        )
        label = None
    return True


def _draw_federation(
    canvas: Canvas, rounds: pd.DataFrame, metric: str, kept: str, best: int
) -> None:
    blue = COLOURS["federated"]
    canvas.axes.plot(
        rounds["round"],
        rounds[metric],
        "o-",
        color=blue,
        linewidth=2.4,
        markersize=4,
        label="all bakeries together",
    )
    canvas.axes.plot(
        best,
        float(rounds.loc[rounds["round"] == best, metric].iloc[0]),
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=1.6,
        linestyle="none",
        label=kept,
    )


def _whole_numbers(canvas: Canvas) -> None:
    from matplotlib.ticker import MaxNLocator

    canvas.axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
