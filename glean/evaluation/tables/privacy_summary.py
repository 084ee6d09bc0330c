"""The curve of `privacy_curve`, summed up over seeds: a table with sentences, for a terminal."""

from __future__ import annotations

import math

import pandas as pd

from glean.evaluation.tables.privacy_curve import NO_NOISE, SUMS
from glean.federation.server.conclusion import ResultTable
from glean.noise_settings import NoiseSettings
from glean.privacy.noise_budget import RECORDS_OF_A_DAY

_KEYS = ["bakeries", "privacy", "epsilon", "epsilon_of_a_days_sales"]
_NAMES = {
    SUMS: "sums as they are",
    NO_NOISE: "no noise",
    "weekday-mean": "weekday-mean",
    "local": "each alone",
}


def means_and_worst(curve: pd.DataFrame) -> pd.DataFrame:
    """Sum up over seeds.

    Parameters
    ----------
    curve : DataFrame
        Rows with the columns of `privacy_curve`.

    Returns
    -------
    DataFrame
        A row for each number of bakeries, kind of privacy and epsilon, in their order; "seeds", and
        each measure's mean under its name and its largest value under that name and "_worst".
    """
    groups = curve.groupby(_KEYS, dropna=False, sort=False)
    measures = [name for name in curve if name not in (*_KEYS, "seed")]
    worst = groups[measures].max().add_suffix("_worst")
    seeds = groups["seed"].nunique().rename("seeds")
    return pd.concat([seeds, groups[measures].mean(), worst], axis=1).reset_index()


def curve_table(curve: pd.DataFrame, bakeries: int) -> ResultTable:
    """Make the table of one number of bakeries.

    Parameters
    ----------
    curve : DataFrame
        As for `means_and_worst`.
    bakeries : int
        One of its numbers of bakeries.
    """
    means = means_and_worst(curve)
    means = means[means["bakeries"] == bakeries].reset_index(drop=True)
    seeds = int(means["seeds"].max())
    default = NoiseSettings().epsilon
    return ResultTable(
        title=f"What noise costs {bakeries} bakeries: WAPE on the test days, lower is better; mean "
        f"of {seeds} {'seed' if seeds == 1 else 'seeds'} (worst)",
        heads=(
            "epsilon for a day\nof records / for\na day's sales",
            "shared\nmodel",
            "\nchosen",
            "own model\nin chosen",
            "newcomers\nshared model",
            "\nchosen",
        ),
        rows=(
            *(_row(found) for _, found in means.iterrows()),
            *(_baseline(means, method) for method in ("weekday-mean", "local")),
        ),
        best=frozenset(means.index[means["epsilon"] == default]),
        sentences=(
            f"A day of records is one bakery's day, all its products. A day's sales enter up to "
            f"{RECORDS_OF_A_DAY} of them, so for the sales themselves the same run promises far "
            "less: the second figure.",
            _cost(means, default),
            _newcomers(means, default),
            _harm(means),
        ),
    )


def _row(found: pd.Series) -> tuple[str, ...]:
    name = _NAMES.get(found["privacy"])
    if name is None:
        name = f"{found['epsilon']:g} / {found['epsilon_of_a_days_sales']:,.0f}"
    return (
        name,
        _mean_and_worst(found, "wape_federated"),
        _mean_and_worst(found, "wape_chosen"),
        f"{found['local_share']:.0%}",
        _mean_and_worst(found, "newcomers_federated"),
        _mean_and_worst(found, "newcomers_chosen"),
    )


def _baseline(means: pd.DataFrame, method: str) -> tuple[str, ...]:
    """Make the row of a method that no noise and no seed moves."""
    column = method.replace("-", "_")
    all_days, newcomers = (means[f"{kind}_{column}"].iloc[0] for kind in ("wape", "newcomers"))
    return _NAMES[method], _percent(all_days), "", "", _percent(newcomers), ""


def _mean_and_worst(found: pd.Series, name: str) -> str:
    if math.isnan(found[name]):
        return "-"
    return f"{_percent(found[name])} ({_percent(found[f'{name}_worst'])})"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2%}"


def _cost(means: pd.DataFrame, epsilon: float) -> str:
    sums, noise = means[means["privacy"] == SUMS], means[means["epsilon"] == epsilon]
    if sums.empty or noise.empty:
        return ""
    shared, chosen = noise["wape_federated"].iloc[0], noise["wape_chosen"].iloc[0]
    return (
        f"At the default epsilon of {epsilon:g} the shared model is off by "
        f"{_apart(shared, sums['wape_federated'].iloc[0])} than with sums as they are and by "
        f"{_apart(shared, noise['wape_weekday_mean'].iloc[0])} than the weekday-mean; what "
        f"bakeries choose, by {_apart(chosen, sums['wape_chosen'].iloc[0])} than with sums."
    )


def _newcomers(means: pd.DataFrame, epsilon: float) -> str:
    noise = means[means["epsilon"] == epsilon]
    if noise.empty or math.isnan(noise["newcomers_federated"].iloc[0]):
        return ""
    shared, chosen, alone = (
        noise[f"newcomers_{method}"].iloc[0] for method in ("federated", "chosen", "local")
    )
    return (
        f"Of newcomers it is off by {_apart(shared, alone)} than each alone, and what they choose "
        f"by {_apart(chosen, alone)}."
    )


def _harm(means: pd.DataFrame) -> str:
    worse = means[means["wape_federated"] > means["wape_weekday_mean"]]
    if worse.empty:
        return ""
    where = ", ".join(_row(found)[0] for _, found in worse.iterrows())
    return (
        f"The shared model is worse than the weekday-mean at: {where}. More bakeries, longer "
        'tables, or privacy = "sums" among bakeries that trust each other would help.'
    )


def _apart(found: float, other: float) -> str:
    """Say how far an error is from another, in words that "than" follows."""
    change = found / other - 1
    return f"{abs(change):.1%} {'more' if change > 0 else 'less'}"
