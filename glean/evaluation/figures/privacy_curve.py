"""Figure of what noise costs: WAPE by epsilon, beside sums as they are and the baselines."""

from __future__ import annotations

import math

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, Picture
from glean.evaluation.tables.headline import of_what
from glean.evaluation.tables.privacy_curve import SUMS
from glean.evaluation.tables.privacy_summary import means_and_worst
from glean.languages.language import ENGLISH

_LINES = (("federated", "shared model", "o-"), ("chosen", "chosen: what bakeries bake by", "s-"))
_BASELINES = (("weekday-mean", "weekday-mean"), ("local", "local: each alone"))


def privacy_picture(curve: pd.DataFrame, bakeries: int, *, units_label: str) -> Picture:
    """Draw the curve of one number of bakeries.

    Parameters
    ----------
    curve : DataFrame
        Rows with the columns of `privacy_curve`.
    bakeries : int
        One of its numbers of bakeries.
    units_label : str
        What errors are shares of.
    """
    means = means_and_worst(curve)
    means = means[means["bakeries"] == bakeries]
    title = f"What does noise cost {bakeries} bakeries?"
    noised = means[means["privacy"] != SUMS].iloc[::-1].reset_index(drop=True)
    canvas = Canvas(title)
    for method, label, style in _LINES:
        _draw(canvas, noised, means[means["privacy"] == SUMS], method, label, style)
    for method, label in _BASELINES:
        level = float(means[f"wape_{method.replace('-', '_')}"].iloc[0])
        canvas.axes.axhline(level, linestyle=":", color=COLOURS[method], label=label)
    canvas.axes.plot([], [], "--", color=GREY, linewidth=1.2, label="the same, in mode sums")
    canvas.axes.set_xticks(noised.index, labels=[_tick(found) for _, found in noised.iterrows()])
    canvas.label(
        x="epsilon for a day of records (for a day's sales)",
        y=f"WAPE (% {of_what(units_label, ENGLISH)})",
    )
    canvas.percent("y")
    canvas.legend(columns=3)
    caption = (
        "Error on the test days, mean over seeds, and above it the worst seed as a thin line. "
        "Dashed: the same without noise, in mode sums. Further left what is opened tells less of a "
        "day. The vertical axis doesn't start at zero."
    )
    pairs = zip(noised["epsilon"], noised["wape_federated"], noised["wape_chosen"], strict=True)
    alt = "; ".join(
        f"{'no noise' if math.isnan(epsilon) else f'epsilon {epsilon:g}'}: {shared:.2%}, "
        f"{chosen:.2%}"
        for epsilon, shared, chosen in pairs
    )
    alt = f"WAPE of the shared model and of chosen: {alt}."
    return Picture("privacy-curve", title, caption, alt, canvas.png())


def _draw(
    canvas: Canvas,
    noised: pd.DataFrame,
    sums: pd.DataFrame,
    method: str,
    label: str,
    style: str,
) -> None:
    colour, column = COLOURS[method], f"wape_{method}"
    canvas.axes.plot(
        noised.index, noised[column], style, color=colour, label=label, linewidth=2.2, markersize=5
    )
    canvas.axes.plot(noised.index, noised[f"{column}_worst"], color=colour, linewidth=0.8)
    for level in sums[column]:
        canvas.axes.axhline(level, linestyle="--", color=colour, linewidth=1.2)


def _tick(found: pd.Series) -> str:
    if math.isnan(found["epsilon"]):
        return "no noise"
    return f"{found['epsilon']:g}\n({found['epsilon_of_a_days_sales']:,.0f})"
