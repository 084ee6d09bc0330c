"""Figure of the plans: overproduction against unmet demand, with a baker's habits as points."""

from __future__ import annotations

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, Canvas, LeftOut, Picture
from glean.evaluation.tables.headline import of_what
from glean.evaluation.tables.plan_backtest import curve
from glean.evaluation.tables.plan_savings import lead_sentences
from glean.evaluation.tables.results import RunResults
from glean.languages.catalogues import translatable
from glean.languages.language import Language

_BASELINES = {
    "last-week": ("s", translatable("as last week, +0, 10, 20%")),
    "weekday-mean": ("^", translatable("mean of four same weekdays, +0, 10, 20%")),
}


def plan_curve(results: RunResults, language: Language) -> Picture | LeftOut:
    """Draw what every policy would have baked too much and too little, all bakeries together."""
    name = "plans"
    title = language.translate("What would have been thrown away, and what missed?")
    if results.plans is None or results.plans.empty:
        return LeftOut(
            name,
            title,
            language.translate(
                "No plans were tried (there is no plan.csv): only a simulation with baselines does."
            ),
        )
    canvas = _canvas(curve(results.plans), title, language)
    share = of_what(results.units_label, language)
    canvas.label(
        x=language.translate("unmet demand (% {share})", share=share),
        y=language.translate("overproduction (% {share})", share=share),
        grid="both",
    )
    caption = language.translate(
        "Further left and lower is better. The line is the plan: from left to right it dares more "
        "to sell out, by the critical ratio, the share of days on which a product shouldn't sell "
        "out. Each mark is a habit with a safety margin. Straight below a mark the plan misses as "
        "much and bakes less too much; straight to its left it throws away as much and misses less."
    )
    alt = " ".join(lead_sentences(results, language))
    return Picture(name, title, caption, alt, canvas.png())


def _canvas(table: pd.DataFrame, title: str, language: Language) -> Canvas:
    canvas = Canvas(title, language)
    plan = table[table["policy"] == "plan"].sort_values("unmet")
    canvas.axes.plot(
        plan["unmet"],
        plan["overproduced"],
        ".-",
        color=COLOURS["chosen"],
        linewidth=2.2,
        label=language.translate("the plan, from careful to daring"),
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
            label=language.translate(label),
        )
    baselines = table[table["policy"] != "plan"]
    canvas.axes.set_xlim(0, 1.6 * float(baselines["unmet"].max() or 0.1))
    canvas.axes.set_ylim(0, 1.2 * float(baselines["overproduced"].max() or 0.1))
    canvas.percent("x")
    canvas.percent("y")
    canvas.legend(columns=2)
    return canvas
