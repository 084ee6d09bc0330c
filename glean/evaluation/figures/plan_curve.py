"""Figure of the plans: overproduction against unmet demand, with a baker's habits as points."""

from __future__ import annotations

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, Canvas, LeftOut, Picture
from glean.evaluation.tables.headline import of_what, percent
from glean.evaluation.tables.plan_backtest import curve, savings
from glean.evaluation.tables.results import RunResults

_BASELINES = {
    "last-week": ("s", "as last week, +0, 10, 20%"),
    "weekday-mean": ("^", "mean of four same weekdays, +0, 10, 20%"),
}


def plan_curve(results: RunResults) -> Picture | LeftOut:
    """Draw what every policy would have baked too much and too little, all bakeries together."""
    name, title = "plans", "What would have been thrown away, and what missed?"
    if results.plans is None or results.plans.empty:
        return LeftOut(
            name,
            title,
            "No plans were tried (there is no plan.csv): only a simulation with baselines does.",
        )
    table = curve(results.plans)
    canvas = _canvas(table, title)
    share = of_what(results.units_label)
    canvas.label(x=f"unmet demand (% {share})", y=f"overproduction (% {share})", grid="both")
    caption = (
        "Further left and lower is better. The line is the plan: from left to right it dares more "
        "to sell out. Each mark is a habit with a safety margin. Straight below a mark the plan "
        "misses as much and bakes less too much; straight to its left it throws away as much and "
        "misses less."
    )
    return Picture(name, title, caption, " ".join(savings_sentences(results.plans)), canvas.png())


def savings_sentences(plans: pd.DataFrame) -> list[str]:
    """Say what the plan saves against each habit without a margin, at equal unmet demand."""
    table = savings(plans)
    sentences = []
    for policy, words in (
        ("weekday-mean", "the mean of the last four same weekdays"),
        ("last-week", "last week's sales"),
    ):
        rows = table[(table["policy"] == policy) & (table["margin"] == 0.0)].dropna()
        for over, unmet, planned in zip(
            rows["overproduced"], rows["unmet"], rows["plan_overproduced"], strict=True
        ):
            sentences.append(
                f"Missing as much as who bakes {words} ({percent(unmet)}), the plan throws away "
                f"{percent(planned)} instead of {percent(over)} ({planned / over - 1:+.0%})."
            )
    return sentences


def _canvas(table: pd.DataFrame, title: str) -> Canvas:
    canvas = Canvas(title)
    plan = table[table["policy"] == "plan"].sort_values("unmet")
    canvas.axes.plot(
        plan["unmet"],
        plan["overproduced"],
        ".-",
        color=COLOURS["chosen"],
        linewidth=2.2,
        label="the plan, by critical ratio",
    )
    for policy, (marker, label) in _BASELINES.items():
        points = table[table["policy"] == policy].sort_values("unmet")
        canvas.axes.plot(
            points["unmet"],
            points["overproduced"],
            f"{marker}--",
            color=COLOURS[policy],
            markersize=8,
            linewidth=1.0,
            label=label,
        )
    baselines = table[table["policy"] != "plan"]
    canvas.axes.set_xlim(0, 1.6 * float(baselines["unmet"].max() or 0.1))
    canvas.axes.set_ylim(0, 1.2 * float(baselines["overproduced"].max() or 0.1))
    canvas.percent("x")
    canvas.percent("y")
    canvas.legend(columns=2)
    return canvas
