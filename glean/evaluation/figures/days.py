"""Figures over days: actual and forecast sales of one bakery, and the error by weekday."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture, plain
from glean.evaluation.tables.headline import of_what, units_word
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import ordered_methods
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.metrics import wape

WEEKS_SHOWN = 8
_KEYS = ("date", "bakery", "product", "units")
_NO_FORECASTS = translatable(
    "The daily forecasts weren't kept (there is no forecasts.csv): only a simulation keeps them, "
    "those of its first 40 bakeries."
)


def forecast_lines(results: RunResults, language: Language) -> Picture | LeftOut:
    """Sold and forecast units a day, for the biggest product of the bakery of middle size."""
    name, title = "forecast", language.translate("What the forecast looks like")
    if results.forecasts is None or results.forecasts.empty:
        return LeftOut(name, title, language.translate(_NO_FORECASTS))
    bakery, product = _typical_series(results.forecasts)
    days = _last_days(results.forecasts, bakery, product)
    canvas = _lines_canvas(
        days,
        language.translate(
            "{title}: {product} at {bakery}", title=title, product=product, bakery=bakery
        ),
        language,
    )
    canvas.label(
        x=language.translate("day (ticks on Mondays)"),
        y=language.translate(
            "{product}, {units} a day",
            product=plain(product),
            units=units_word(results.units_label, language),
        ),
    )
    traded = days.dropna(subset=["units", "federated"])
    caption = language.translate(
        "{bakery}, {product}: sold and forecast on the last days of the test window. It is the "
        "biggest product of the bakery of middle size; gaps are closed days.",
        bakery=bakery,
        product=product,
    )
    alt = language.translate(
        "Lines of daily sales and forecasts of {product} at {bakery} from {first} to {last}; on "
        "these days the federation is off by {error} {share}.",
        product=product,
        bakery=bakery,
        first=language.day(f"{days.index.min():%Y-%m-%d}"),
        last=language.day(f"{days.index.max():%Y-%m-%d}"),
        error=language.percent(wape(traded["units"], traded["federated"])),
        share=of_what(results.units_label, language),
    )
    return Picture(name, title, caption, alt, canvas.png())


def weekday_errors(results: RunResults, language: Language) -> Picture | LeftOut:
    """WAPE by weekday and method, over all bakeries whose daily forecasts were kept."""
    name, title = "weekdays", language.translate("Which weekdays are hard?")
    if results.forecasts is None or results.forecasts.empty:
        return LeftOut(name, title, language.translate(_NO_FORECASTS))
    table = wape_by_weekday(results.forecasts)
    canvas = _bars_canvas(table, title, language)
    canvas.label(
        x=language.translate("weekday"),
        y=f"WAPE (% {of_what(results.units_label, language)})",
    )
    caption = language.translate_count(
        "Test error by weekday of {count} bakery. Lower is better.",
        "Test error by weekday over {count} bakeries. Lower is better.",
        int(results.forecasts["bakery"].nunique()),
    )
    if "best_possible" in table:
        caption += " " + language.translate(
            "Black line: the forecast that knows the true expected demand."
        )
    days = zip(_day_names(table, language), table["federated"].tolist(), strict=True)
    alt = language.translate(
        "WAPE of the federation by weekday: {days}.",
        days=", ".join(f"{day} {language.percent(share)}" for day, share in days),
    )
    return Picture(name, title, caption, alt, canvas.png())


def wape_by_weekday(forecasts: pd.DataFrame) -> pd.DataFrame:
    """WAPE with a row a weekday (0 is Monday) that was traded on and a column a method."""
    names = [str(name) for name in forecasts.columns if name not in _KEYS]
    methods = [name for name in ordered_methods(names) if forecasts[name].notna().all()]
    errors = forecasts[methods].sub(forecasts["units"], axis="index").abs()
    weekday = forecasts["date"].dt.day_of_week
    units = forecasts["units"].groupby(weekday).sum()
    sold = units[units > 0]
    shares: pd.DataFrame = errors.groupby(weekday).sum().loc[sold.index].div(sold, axis="index")
    return shares


def _typical_series(forecasts: pd.DataFrame) -> tuple[str, str]:
    """Bakery of median size and its biggest product; the smaller of two in the middle."""
    sizes = forecasts.groupby("bakery")["units"].sum().sort_values(kind="stable")
    bakery = str(sizes.index[(len(sizes) - 1) // 2])
    own = forecasts[forecasts["bakery"] == bakery]
    return bakery, str(own.groupby("product")["units"].sum().idxmax())


def _last_days(forecasts: pd.DataFrame, bakery: str, product: str) -> pd.DataFrame:
    """Rows of one product by day; closed days are rows of NaN, which break the lines."""
    own = (forecasts["bakery"] == bakery) & (forecasts["product"] == product)
    rows: pd.DataFrame = forecasts[own].set_index("date").sort_index()
    rows = rows[rows.index > rows.index.max() - pd.Timedelta(weeks=WEEKS_SHOWN)]
    return rows.reindex(pd.date_range(rows.index.min(), rows.index.max(), freq="D"))


def _lines_canvas(days: pd.DataFrame, title: str, language: Language) -> Canvas:
    canvas = Canvas(title, language)
    habit = language.translate("weekday-mean (habit)")
    forecast = language.translate("forecast of the federation")
    lines = (
        ("weekday-mean", "--", COLOURS["weekday-mean"], 1.2, habit),
        ("units", "o-", "black", 1.0, language.translate("sold")),
        ("federated", "s-", COLOURS["federated"], 2.0, forecast),
    )
    for column, style, colour, width, label in lines:
        if column in days:
            canvas.axes.plot(
                days.index,
                days[column],
                style,
                color=colour,
                linewidth=width,
                markersize=3.2,
                label=label,
            )
    canvas.from_zero()
    canvas.numbers()
    _date_ticks(canvas, language)
    canvas.legend(columns=3)
    return canvas


def _bars_canvas(table: pd.DataFrame, title: str, language: Language) -> Canvas:
    canvas = Canvas(title, language)
    places = range(len(table))
    bars = [str(method) for method in table if method != "best_possible"]
    width = 0.84 / len(bars)
    for position, method in enumerate(bars):
        shift = (position - (len(bars) - 1) / 2) * width
        canvas.axes.bar(
            [place + shift for place in places],
            table[method],
            width * 0.92,
            color=COLOURS.get(method, GREY),
            label=method,
        )
    if "best_possible" in table:
        left, right = [p - 0.42 for p in places], [p + 0.42 for p in places]
        label = language.translate("best possible")
        canvas.axes.hlines(table["best_possible"], left, right, "black", linewidth=2.2, label=label)
    canvas.axes.set_xticks(places, labels=_day_names(table, language))
    canvas.percent("y")
    canvas.legend(columns=5)
    return canvas


def _day_names(table: pd.DataFrame, language: Language) -> list[str]:
    monday = dt.date(2024, 1, 1)
    days = [monday + dt.timedelta(days=day) for day in table.index.tolist()]
    return [language.weekday(day, short=True) for day in days]


def _date_ticks(canvas: Canvas, language: Language) -> None:
    from matplotlib import dates
    from matplotlib.ticker import FuncFormatter

    def written(place: float, _: int | None) -> str:
        return language.short_day(dates.num2date(place).date())  # type: ignore[no-untyped-call]

    mondays = dates.WeekdayLocator(byweekday=dates.MO)  # type: ignore[no-untyped-call]
    canvas.axes.xaxis.set_major_locator(mondays)
    canvas.axes.xaxis.set_major_formatter(FuncFormatter(written))
