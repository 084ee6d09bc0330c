"""Run folders made up of random numbers, and the pages that come of them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from glean.evaluation.figures.plot_style import Canvas
from glean.evaluation.pages.report import run_summary, write_report
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.summary import Summary
from glean.metrics import ErrorSums

FIGURES = {
    "best-possible",
    "federated-or-alone",
    "forecast",
    "growth",
    "learning-curve",
    "weekdays",
}


NAMES = ("Bäckerei Müller", "007", "NA", "Corner $hop & <b>Sons</b>", "young\nbakery with a name")


METHODS = ("federated", "local", "pooled", "weekday-mean", "last-week")


NOISE = dict(zip(METHODS, (0.10, 0.12, 0.09, 0.16, 0.22), strict=True))


ROUNDS = 12


def made_run(folder: Path, bakeries: int = 5, *, days: int = 56, best: bool = True) -> Path:
    """Write the files of a made-up run: a truth, chance around it, and noisier forecasts of it."""
    rng = np.random.default_rng(11)
    names = [NAMES[k] if k < len(NAMES) else f"bakery {k:03d}" for k in range(bakeries)]
    forecasts = pd.concat(
        [made_forecasts(name, rng, days=days) for name in names], ignore_index=True
    )
    folder.mkdir(parents=True)
    facts = {
        "status": "completed",
        "engine": "inprocess",
        "start": "2025-03-01T10:00:00+00:00",
        "end": "2025-03-01T10:00:07.500000+00:00",
        "seed": 42,
        "versions": {"glean": "0.1.0", "xgboost": "3.2.0"},
        "learning_rate": 0.3,
        "best_round": 11,
        "bakeries": names,
        "newcomers": names[-1:],
        "synthetic": True,
        "settings": {"aggregation": "bagging", "units-label": "units", "sales": "", "seed": 42},
    }
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    write_rounds(folder, names, rng)
    score_rows(forecasts).to_csv(folder / "bakeries.csv", index=False)
    truth = score_rows(forecasts.rename(columns={"best_possible": "truth"}), ("truth",))
    kept = [name for name in forecasts if name != "local" and (best or name != "best_possible")]
    forecasts[kept].to_csv(folder / "forecasts.csv", index=False, date_format="%Y-%m-%d")
    if best:
        columns = ["bakery", "units", "abs_error", "wape"]
        truth[columns].to_csv(folder / "truth.csv", index=False)
    growth = pd.DataFrame({"bakeries": [1, 2, 5, 10, 20, 40]})
    growth["wape_federated"] = 0.18 + 0.06 / growth["bakeries"]
    growth["wape_local"] = 0.235
    growth["wape_weekday_mean"] = 0.26
    growth.to_csv(folder / "growth.csv", index=False)
    event = {"event": "bakery_failed", "round": 3, "bakery": "007", "reason": "no <reply> in time"}
    (folder / "events.jsonl").write_text(
        json.dumps({"event": "run_started"}) + "\n" + json.dumps(event) + '\n{"event": "bak'
    )
    return folder


def made_forecasts(name: str, rng: np.random.Generator, *, days: int) -> pd.DataFrame:
    dates = pd.date_range("2024-11-04", periods=days, freq="D")
    dates = dates[dates.day_of_week != 6]
    size = float(np.exp(rng.normal(3.5, 0.8)))
    parts = []
    for product, share in (("rolls", 3.0), ("rye bread", 1.0)):
        expected = share * size * (1.0 + 0.12 * dates.day_of_week.to_numpy())
        table = pd.DataFrame({"date": dates, "bakery": name, "product": product})
        table["units"] = rng.poisson(expected).astype(float)
        for method in METHODS:
            table[method] = expected * np.exp(rng.normal(0.0, NOISE[method], len(dates)))
        parts.append(table.assign(best_possible=expected))
    return pd.concat(parts, ignore_index=True)


def score_rows(forecasts: pd.DataFrame, methods: tuple[str, ...] = METHODS) -> pd.DataFrame:
    names = list(dict.fromkeys(forecasts["bakery"]))
    rows = []
    for name, own in forecasts.groupby("bakery"):
        for method in methods:
            sums = ErrorSums.of(own["units"], own[method])
            rows.append(
                {
                    "bakery": name,
                    "cohort": "newcomer" if name == names[-1] else "established",
                    "method": method,
                    "n_days": own["date"].nunique(),
                    "units": sums.units,
                    "abs_error": sums.abs_error,
                    "wape": sums.wape,
                    "mae": sums.mae,
                    "rmse": sums.rmse,
                    "mape": sums.mape,
                    "mase": 0.8,
                    "bias": sums.bias,
                    "n_rows": int(sums.rows),
                }
            )
    return pd.DataFrame(rows)


def write_rounds(folder: Path, names: list[str], rng: np.random.Generator) -> None:
    numbers = np.arange(1, ROUNDS + 1)
    wape = 0.19 + 0.15 * np.exp(-numbers / 3) + 0.002 * np.maximum(numbers - 11, 0)
    rounds = pd.DataFrame({"round": numbers, "bakeries": len(names), "wape": wape})
    rounds = rounds.assign(bytes_down=250_000, bytes_up=90_000, seconds=0.3)
    rounds.to_csv(folder / "rounds.csv", index=False)
    parts = [
        pd.DataFrame({"round": numbers, "bakery": name, "wape": wape * rng.uniform(0.7, 1.5)})
        for name in names
    ]
    pd.concat(parts).to_csv(folder / "bakery_rounds.csv", index=False)


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def report_of(folder: Path, *, drawn: bool = False) -> Page:
    """The page; unless it shall be drawn without pictures, which take most of the time."""
    not_drawn = mock.patch.object(Canvas, "png", return_value=b"")
    with nullcontext() if drawn else not_drawn:
        return Page(write_report(folder).read_text(encoding="utf-8"))


def summary_of(folder: Path) -> Summary:
    summary = run_summary(read_results(folder))
    assert summary is not None
    return summary


def score_file(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "bakeries.csv", dtype={"bakery": str}, keep_default_na=False)
