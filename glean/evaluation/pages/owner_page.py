"""The owner's page: one bakery's results in plain words, out of a run's folder or its home.

What would have been thrown away and missed under a habit and with the plan, in units and money;
where the forecast is weak; of several bakeries what joining gives; what left the shop to get it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from glean.evaluation.pages import html
from glean.evaluation.pages.left_the_shop import left_the_shop, stayed_in_the_shop
from glean.evaluation.tables.choices import reason_of
from glean.evaluation.tables.headline import units_word
from glean.evaluation.tables.own_results import (
    OwnResults,
    own_results_of_home,
    own_results_of_run,
)
from glean.evaluation.tables.plan_backtest import savings
from glean.evaluation.tables.plan_savings import HABITS, owner_sentences
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.weak_spots import WeakSpot, better_habit, weak_products, weekdays
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language
from glean.metrics import wape
from glean.runs.folder import write_whole

HOME_PAGE = "report.html"

_HABITS = {
    "weekday-mean": translatable("your habit: the mean of the last four same weekdays"),
    "last-week": translatable("your habit: the sales of the last same weekday"),
}
_ALONE = {"local": translatable("a forecast of your own sales alone")}
_SHARED = {"federated": translatable("the federation's forecast as it is")}
_CHOSEN = translatable("the forecast you would bake by in the federation")
_CHOSEN_ALONE = translatable("the forecast you would bake by")
_BETTER_HABIT = {
    "weekday-mean": translatable(
        "Your habit is taken to be baking the mean of the last four same weekdays. Of the usual "
        "habits it is the one that was closest on these days."
    ),
    "last-week": translatable(
        "Your habit is taken to be baking the sales of the last same weekday. Of the usual habits "
        "it is the one that was closest on these days."
    ),
}
_NAMED_HABIT = {
    "weekday-mean": translatable(
        "Your habit, as you said: baking the mean of the last four same weekdays."
    ),
    "last-week": translatable(
        "Your habit, as you said: baking the sales of the last same weekday."
    ),
}
_DAYS_A_MONTH = 30.4


def write_owner_page(run_folder: Path, bakery: str, language: Language = ENGLISH) -> Path:
    """Write the page of one bakery of a run.

    Returns
    -------
    Path
        `bakery-NAME.html` in the run's folder.

    Raises
    ------
    GleanError
        The run has no such bakery, or no single days (it was run without baselines, or each bakery
        keeps its own at home).
    """
    own = own_results_of_run(read_results(run_folder), bakery)
    path = run_folder / f"bakery-{re.sub(r'[^0-9A-Za-z]+', '-', bakery).strip('-') or 'one'}.html"
    write_whole(path, owner_page(own, language).encode("utf-8"))
    return path


def write_home_page(
    home: Path, language: Language = ENGLISH, *, habit: str = "", budget: Sequence[str] = ()
) -> Path:
    """Write the page of a deployed bakery: `report.html` in its home.

    Raises
    ------
    GleanError
        It is no home, or nothing of a final test is in it yet.
    """
    own = own_results_of_home(home)
    page = owner_page(own, language, habit=habit, budget=budget)
    write_whole(home / HOME_PAGE, page.encode("utf-8"))
    return home / HOME_PAGE


def owner_page(
    own: OwnResults, language: Language, *, habit: str = "", budget: Sequence[str] = ()
) -> str:
    """Make the page's HTML.

    Parameters
    ----------
    own : OwnResults
        The bakery's tables.
    language : Language
        Of the page.
    habit : str
        What it is compared with, one of `HABITS`; "" takes the one that was closer on these days.
    budget : sequence of str
        What was spent of the bakery's privacy budget, and what is left, a paragraph each.
    """
    usual = habit or better_habit(own.days, HABITS)
    units, _ = units_word(own.units_label, language), language.translate
    first, *further = owner_sentences(own, usual, language) or [""]
    what = translatable("{bakery}: what the plan brings")
    if own.joined:
        what = translatable("{bakery}: what joining brings")
    return html.whole_page(
        _(what, bakery=own.bakery),
        [
            html.paragraph(first, kind="headline"),
            *(html.paragraph(text) for text in further),
            html.paragraph(_((_NAMED_HABIT if habit else _BETTER_HABIT)[usual]), kind="small"),
            html.section(_("Thrown away and missed"), [_plans_table(own, usual, units, language)]),
            html.section(
                _("How far off"),
                [
                    html.paragraph(_gain(own, usual, units, language)),
                    _methods_table(own, usual, language),
                ],
            ),
            html.section(_("Where the forecast is weak"), _weak(own.days, units, language)),
            html.section(
                _("What you would bake by"), [html.paragraph(_reason(own.choices, language))]
            ),
            html.section(
                _("What left your shop"),
                [
                    html.bullets(left_the_shop(own, language)),
                    html.paragraph(stayed_in_the_shop(own, language)),
                    *(html.paragraph(text) for text in budget),
                ],
            ),
        ],
        language,
    )


def _gain(own: OwnResults, habit: str, units: str, language: Language) -> str:
    days = own.days
    span = max(int((days["date"].max() - days["date"].min()).days) + 1, 1)
    parts = []
    for baseline, less, more in _GAINS if own.joined else _GAINS[:1]:
        method = habit if baseline in HABITS else baseline
        saved = (_off(days, method) - _off(days, "chosen")) / (span / _DAYS_A_MONTH)
        parts.append(
            language.translate(
                less if saved >= 0 else more, saved=language.number(abs(saved)), units=units
            )
        )
    what = translatable("You would be off by {parts}, a month.")
    if own.joined:
        what = translatable("In the federation you would be off by {parts}, a month.")
    return language.translate(what, parts=language.listed(parts))


def _off(days: pd.DataFrame, method: str) -> float:
    return float((days[method] - days["units"]).abs().sum())


_GAINS = (
    (
        "weekday-mean",
        translatable("{saved} {units} less than with your habit"),
        translatable("{saved} {units} more than with your habit"),
    ),
    (
        "local",
        translatable("{saved} {units} less than with a forecast of your own alone"),
        translatable("{saved} {units} more than with a forecast of your own alone"),
    ),
)


def _plans_table(own: OwnResults, habit: str, label: str, language: Language) -> str:
    plans = own.plans[own.plans["policy"].isin((habit, "plan"))]
    local = own.alone if own.joined else None
    baselines = plans[plans["policy"] != "plan"]
    sums = baselines.groupby(["policy", "margin"])[["overproduced", "unmet"]].sum().reset_index()
    # NaN where no product has a price: pandas would call that 0.
    costs = baselines.groupby(["policy", "margin"])["cost"].sum(min_count=1).to_numpy()
    units = float(baselines.groupby(["policy", "margin"])["units"].sum().iloc[0])
    equal = savings(plans)["plan_overproduced"] * units
    by_oneself = equal * np.nan if local is None else _local_overproduced(baselines, local) * units
    _ = language.translate
    columns: dict[str, Sequence[float]] = {
        _("thrown away ({units})", units=label): sums["overproduced"].tolist(),
        _("missed ({units})", units=label): sums["unmet"].tolist(),
        _("cost of both (money)"): costs.tolist(),
        _(
            "a plan of your own alone throws away, missing as much ({units})", units=label
        ): by_oneself.tolist(),
        _(_PLANNED if own.joined else _PLANNED_ALONE, units=label): equal.tolist(),
    }
    # No column of dashes, as that of money where nothing has a price.
    known = {head: values for head, values in columns.items() if not np.isnan(values).all()}
    rows = [
        [
            _("your habit") if margin == 0 else _("your habit and {more}", more=more),
            *(language.number(value) for value in cells),
        ]
        for margin, more, cells in zip(
            sums["margin"],
            (language.percent(margin, 0) for margin in sums["margin"]),
            zip(*known.values(), strict=True),
            strict=True,
        )
    ]
    caption = _("Over the test days, all products together.")
    return html.table(caption, ["", *known], rows)


_PLANNED = translatable("the plan in the federation throws away, missing as much ({units})")
_PLANNED_ALONE = translatable("the plan throws away, missing as much ({units})")


def _local_overproduced(baselines: pd.DataFrame, local: pd.DataFrame) -> pd.Series[float]:
    """Share that the local plan throws away, missing as much as each baseline."""
    found: pd.Series[float] = savings(pd.concat([baselines, local.assign(policy="plan")]))[
        "plan_overproduced"
    ]
    return found


def _methods_table(own: OwnResults, habit: str, language: Language) -> str:
    shown = {habit: _HABITS[habit]} | (_ALONE | _SHARED if own.joined else {})
    shown |= {"chosen": _CHOSEN if own.joined else _CHOSEN_ALONE}
    rows = [
        [language.translate(words), language.percent(wape(own.days["units"], own.days[method]))]
        for method, words in shown.items()
    ]
    caption = language.translate("Errors over the test days, as a share of what was sold.")
    return html.table(caption, ["", language.translate("off by")], rows)


def _weak(days: pd.DataFrame, units: str, language: Language) -> list[str]:
    _, weak = language.translate, weak_products(days)
    others = int(days["product"].nunique()) - len(weak)
    by_product = _("The products that the forecast was off by the most.")
    by_day = _("By weekday; above zero is too much.")
    if others > 0:
        by_product = language.translate_count(
            "The products that the forecast was off by the most; {count} other was off by less.",
            "The products that the forecast was off by the most; {count} others were off by less.",
            others,
        )
    heads = [_("off by ({units})", units=units), _("off by"), _("bias")]
    return [
        html.table(by_product, ["", *heads], _spot_rows(weak, language)),
        html.table(by_day, ["", *heads], _spot_rows(weekdays(days), language)),
    ]


def _spot_rows(spots: Sequence[WeakSpot], language: Language) -> list[list[str]]:
    return [
        [
            spot.name if isinstance(spot.name, str) else language.weekday(spot.name),
            language.number(spot.lost),
            language.percent(spot.wape),
            language.percent(spot.bias, signed=True),
        ]
        for spot in spots
    ]


def _reason(choices: pd.DataFrame | None, language: Language) -> str:
    if choices is None:
        return ""
    row = {str(name): value for name, value in choices.iloc[0].items()}
    return reason_of(row, language)
