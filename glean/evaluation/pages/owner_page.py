"""The owner's page: one bakery's results in plain words, `bakery-NAME.html` in a run's folder.

What would have been thrown away and missed under a habit and with the plan, in units and money;
where the forecast is weak; what joining gives; and what left the shop to get it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import GleanError
from glean.evaluation.pages import html
from glean.evaluation.tables.choices import reason_of
from glean.evaluation.tables.headline import units_word
from glean.evaluation.tables.plan_backtest import savings
from glean.evaluation.tables.plan_savings import owner_sentences
from glean.evaluation.tables.results import RunResults, read_results
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language
from glean.metrics import wape
from glean.runs.folder import write_whole

SHOWN_METHODS = {
    "weekday-mean": translatable("your habit: the mean of the last four same weekdays"),
    "local": translatable("a forecast of your own sales alone"),
    "federated": translatable("the federation's forecast as it is"),
    "chosen": translatable("the forecast you would bake by in the federation"),
}
_DAYS_A_MONTH = 30.4


def write_owner_page(run_folder: Path, bakery: str, language: Language = ENGLISH) -> Path:
    """Write the page of one bakery.

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
    results = read_results(run_folder)
    path = run_folder / f"bakery-{re.sub(r'[^0-9A-Za-z]+', '-', bakery).strip('-') or 'one'}.html"
    write_whole(path, owner_page(results, bakery, language).encode("utf-8"))
    return path


def owner_page(results: RunResults, bakery: str, language: Language) -> str:
    """Make the page's HTML; raises as `write_owner_page`."""
    days, plans = _own(results.days, bakery), _own(results.plans, bakery)
    if days is None or plans is None:
        raise GleanError(
            f"{results.run.folder}: no single days and plans of {bakery!r}; wanted a simulation "
            f"with baselines that had it. Its bakeries: {', '.join(_names(results)[:20]) or 'none'}"
        )
    units, _ = units_word(results.units_label, language), language.translate
    local = _own(results.alone, bakery)
    first, *further = owner_sentences(results, bakery, language) or [""]
    return html.whole_page(
        _("{bakery}: what joining brings", bakery=bakery),
        [
            html.paragraph(first, kind="headline"),
            *(html.paragraph(text) for text in further),
            html.section(
                _("Thrown away and missed"), [_plans_table(plans, local, units, language)]
            ),
            html.section(
                _("How far off"),
                [html.paragraph(_gain(days, units, language)), _methods_table(days, language)],
            ),
            html.section(_("Where the forecast is weak"), [_weak(days, language)]),
            html.section(
                _("What you would bake by"), [html.paragraph(_reason(results, bakery, language))]
            ),
            html.section(
                _("What left your shop"),
                [html.bullets(_(text) for text in LEFT), html.paragraph(_(STAYED))],
            ),
        ],
        language,
    )


LEFT = (
    translatable("your bakery's name and the version of the program"),
    translatable(
        "trees or weights: at which public limits the forecast turns, relative to your own level"
    ),
    translatable("how much you weigh in the training, rounded to two digits"),
    translatable("sums over whole windows: units sold and errors of the forecasts"),
)
STAYED = translatable(
    "What stayed: every row, day, product, price and level. A simulation, of which this may be a "
    "report, plays all bakeries on one machine, and nothing leaves it."
)


def _own(table: pd.DataFrame | None, bakery: str) -> pd.DataFrame | None:
    own = None if table is None else table[table["bakery"] == bakery]
    return None if own is None or own.empty else own


def _names(results: RunResults) -> list[str]:
    return [] if results.days is None else sorted(results.days["bakery"].unique().tolist())


def _gain(days: pd.DataFrame, units: str, language: Language) -> str:
    errors = {m: float((days[m] - days["units"]).abs().sum()) for m in SHOWN_METHODS}
    span = max(int((days["date"].max() - days["date"].min()).days) + 1, 1)
    months = span / _DAYS_A_MONTH
    parts = []
    for baseline, less, more in _GAINS:
        saved = (errors[baseline] - errors["chosen"]) / months
        parts.append(
            language.translate(
                less if saved >= 0 else more, saved=language.number(abs(saved)), units=units
            )
        )
    return language.translate(
        "In the federation you would be off by {parts}, a month.", parts=language.listed(parts)
    )


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


def _plans_table(
    plans: pd.DataFrame, local: pd.DataFrame | None, label: str, language: Language
) -> str:
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
        _(
            "the plan in the federation throws away, missing as much ({units})", units=label
        ): equal.tolist(),
    }
    # No column of dashes, as that of money where nothing has a price.
    known = {head: values for head, values in columns.items() if not np.isnan(values).all()}
    rows = [
        [
            f"{policy}, {language.change(margin)}",
            *(language.number(value) for value in cells),
        ]
        for policy, margin, cells in zip(
            sums["policy"], sums["margin"], zip(*known.values(), strict=True), strict=True
        )
    ]
    caption = _("Over the test days, all products together.")
    return html.table(caption, [_("habit, margin"), *known], rows)


def _local_overproduced(baselines: pd.DataFrame, local: pd.DataFrame) -> pd.Series[float]:
    """Share that the local plan throws away, missing as much as each baseline."""
    found: pd.Series[float] = savings(pd.concat([baselines, local.assign(policy="plan")]))[
        "plan_overproduced"
    ]
    return found


def _methods_table(days: pd.DataFrame, language: Language) -> str:
    rows = [
        [language.translate(words), language.percent(wape(days["units"], days[method]))]
        for method, words in SHOWN_METHODS.items()
    ]
    caption = language.translate("Errors over the test days, as a share of what was sold.")
    return html.table(caption, ["", language.translate("off by")], rows)


def _weak(days: pd.DataFrame, language: Language) -> str:
    monday = dt.date(2024, 1, 1)
    by_product = [(str(name), rows) for name, rows in days.groupby("product")]
    by_day = [
        (language.weekday(monday + dt.timedelta(days=int(str(day)))), rows)
        for day, rows in days.groupby(days["date"].dt.day_of_week)
    ]
    rows = [
        [
            name,
            language.percent(wape(rows["units"], rows["chosen"])),
            language.percent(_bias(rows), signed=True),
        ]
        for name, rows in (*by_product, *by_day)
    ]
    _ = language.translate
    caption = _("By product and by weekday; above zero is too much.")
    return html.table(caption, ["", _("off by"), _("bias")], rows)


def _bias(rows: pd.DataFrame) -> float | None:
    units = float(rows["units"].sum())
    return float((rows["chosen"] - rows["units"]).sum()) / units if units > 0 else None


def _reason(results: RunResults, bakery: str, language: Language) -> str:
    own = _own(results.choices, bakery)
    if own is None:
        return ""
    row = {str(name): value for name, value in own.iloc[0].items()}
    return reason_of(row, language)
