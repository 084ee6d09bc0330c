"""Figures over days: actual and forecast sales of one bakery, and the error by weekday."""

from __future__ import annotations

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture, plain
from glean.evaluation.tables.headline import of_what, percent
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import ordered_methods
from glean.metrics import wape

WEEKS_SHOWN = 8
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_KEYS = ("date", "bakery", "product", "units")
_NO_FORECASTS = (
    "The daily forecasts weren't kept (there is no forecasts.csv): only a simulation keeps them, "
    "those of its first 40 bakeries."
)


def forecast_lines(results: RunResults) -> Picture | LeftOut:
    """Sold and forecast units a day, for the biggest product of the bakery of middle size."""
    name, title = "forecast", "What the forecast looks like"
    if results.forecasts is None or results.forecasts.empty:
        return LeftOut(name, title, _NO_FORECASTS)
    bakery, product = _typical_series(results.forecasts)
    days = _last_days(results.forecasts, bakery, product)
    canvas = _lines_canvas(days, f"{title}: {product} at {bakery}")
    canvas.label(x="day (ticks on Mondays)", y=f"{plain(product)}, {results.units_label} a day")
    traded = days.dropna(subset=["units", "federated"])
    error = percent(wape(traded["units"], traded["federated"]))
    caption = (
        f"{bakery}, {product}: sold and forecast on the last days of the test window. It is the "
        "biggest product of the bakery of middle size; gaps are closed days."
    )
    alt = (
        f"Lines of daily sales and forecasts of {product} at {bakery} from "
        f"{days.index.min():%Y-%m-%d} to {days.index.max():%Y-%m-%d}; on these days the federation "
        f"is off by {error} {of_what(results.units_label)}."
    )
    return Picture(name, title, caption, alt, canvas.png())


def weekday_errors(results: RunResults) -> Picture | LeftOut:
    """WAPE by weekday and method, over all bakeries whose daily forecasts were kept."""
    name, title = "weekdays", "Which weekdays are hard?"
    if results.forecasts is None or results.forecasts.empty:
        return LeftOut(name, title, _NO_FORECASTS)
    table = wape_by_weekday(results.forecasts)
    canvas = _bars_canvas(table, title)
    canvas.label(x="weekday", y=f"WAPE (% {of_what(results.units_label)})")
    caption = (
        f"Test error by weekday over {results.forecasts['bakery'].nunique()} bakeries. "
        "Lower is better."
    )
    if "best_possible" in table:
        caption += " Black line: the forecast that knows the true expected demand."
    days = zip(_day_names(table), table["federated"].tolist(), strict=True)
    alt = ", ".join(f"{day} {percent(share)}" for day, share in days)
    return Picture(name, title, caption, f"WAPE of the federation by weekday: {alt}.", canvas.png())


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


def _lines_canvas(days: pd.DataFrame, title: str) -> Canvas:
    canvas = Canvas(title)
    lines = (
        ("weekday-mean", "--", COLOURS["weekday-mean"], 1.2, "weekday-mean (habit)"),
        ("units", "o-", "black", 1.0, "sold"),
        ("federated", "s-", COLOURS["federated"], 2.0, "forecast of the federation"),
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
    _date_ticks(canvas)
    canvas.legend(columns=3)
    return canvas


def _bars_canvas(table: pd.DataFrame, title: str) -> Canvas:
    canvas = Canvas(title)
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
        canvas.axes.hlines(
            table["best_possible"], left, right, "black", linewidth=2.2, label="best possible"
        )
    canvas.axes.set_xticks(places, labels=_day_names(table))
    canvas.percent("y")
    canvas.legend(columns=5)
    return canvas


def _day_names(table: pd.DataFrame) -> list[str]:
    return [_WEEKDAYS[day] for day in table.index.tolist()]


def _date_ticks(canvas: Canvas) -> None:
    from matplotlib import dates

    mondays = dates.WeekdayLocator(byweekday=dates.MO)  # type: ignore[no-untyped-call]
    canvas.axes.xaxis.set_major_locator(mondays)
    canvas.axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
