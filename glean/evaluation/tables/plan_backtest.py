"""A rolling backtest of bake plans against baselines, the habits of a baker: rows of `plan.csv`.

For every test day each policy bakes what it would have baked then; what was left over and what was
missed is added up by product. A plan bakes the quantile of demand at a critical ratio, so that all
ratios together are a curve of overproduction against unmet demand, with the baselines as points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from glean.features.matrix import FeatureMatrix
from glean.forecasting.rolling_origin import RollingQuantiles
from glean.metrics import Floats
from glean.sales.products import Product

MARGINS = (0.0, 0.1, 0.2)
"""Shares that a baker adds to a baseline for safety."""

CRITICAL_RATIOS = tuple(
    round(float(ratio), 2) for ratio in (*np.arange(0.2, 0.9, 0.05), *np.arange(0.9, 0.995, 0.01))
)
"""From 0.20 to 0.99; closer together above 0.90, where unmet demand is little."""

BASELINES = ("last-week", "weekday-mean")

PLAN_COLUMNS = (
    "bakery",
    "product",
    "policy",
    "margin",
    "units",
    "baked",
    "overproduced",
    "unmet",
    "sold_out_days",
    "cost",
)
"""Columns of `plan.csv`. `margin` is the share added to a baseline, or a plan's critical ratio;
units are those of the sales table; `cost` is money, empty where no price and cost are known."""


def plan_rows(
    features: FeatureMatrix,
    baselines: Mapping[str, Floats],
    quantiles: RollingQuantiles,
    *,
    bakery: str,
    products: Mapping[str, Product],
) -> pd.DataFrame:
    """Bake by every policy over the test days of one bakery.

    Parameters
    ----------
    features : FeatureMatrix
        n test rows; what was sold is taken for the demand.
    baselines : mapping of str to array of shape (n,)
        Method -> units that it would have baked without a margin; `BASELINES` are taken.
    quantiles : RollingQuantiles
        Of the rows, with `CRITICAL_RATIOS` among the levels.
    bakery : str
        As it shall stand in the rows.
    products : mapping of str to Product
        Prices and costs by product, where known.

    Returns
    -------
    DataFrame
        `PLAN_COLUMNS`, a row a product, policy and margin.
    """
    policies = [(h, m, baselines[h] * (1 + m)) for h in BASELINES for m in MARGINS]
    policies += [("plan", ratio, quantiles.at(ratio)) for ratio in CRITICAL_RATIOS]
    return _baked(features, policies, bakery=bakery, products=products)


def local_rows(
    features: FeatureMatrix,
    quantiles: RollingQuantiles,
    *,
    bakery: str,
    products: Mapping[str, Product],
) -> pd.DataFrame:
    """Bake by a plan made without the federation: rows as those of `plan_rows`, policy "alone".

    Parameters
    ----------
    features, bakery, products
        As for `plan_rows`.
    quantiles : RollingQuantiles
        Of the bakery's own model, from its own errors.
    """
    policies = [("alone", ratio, quantiles.at(ratio)) for ratio in CRITICAL_RATIOS]
    return _baked(features, policies, bakery=bakery, products=products)


def _baked(
    features: FeatureMatrix,
    policies: Sequence[tuple[str, float, Floats]],
    *,
    bakery: str,
    products: Mapping[str, Product],
) -> pd.DataFrame:
    whole = bool((features.units == np.round(features.units)).all())
    names = features.keys["product"].to_numpy()
    rows: list[dict[str, object]] = []
    for policy, margin, planned in policies:
        baked = np.ceil(planned - 1e-9) if whole else planned
        for name in sorted(set(names)):
            mine = names == name
            sums = _sums(features.units[mine], baked[mine], products.get(name))
            rows.append(
                {"bakery": bakery, "product": name, "policy": policy, "margin": margin} | sums
            )
    return pd.DataFrame(rows, columns=list(PLAN_COLUMNS))


def _sums(demand: Floats, baked: Floats, product: Product | None) -> dict[str, object]:
    over, unmet = np.maximum(baked - demand, 0.0), np.maximum(demand - baked, 0.0)
    cost = None if product is None else product.waste_cost(over.sum(), unmet.sum())
    return {
        "units": float(demand.sum()),
        "baked": float(baked.sum()),
        "overproduced": float(over.sum()),
        "unmet": float(unmet.sum()),
        "sold_out_days": int((demand > baked).sum()),
        "cost": np.nan if cost is None else cost,
    }


def curve(plans: pd.DataFrame) -> pd.DataFrame:
    """Add `plan.csv` up: a row a policy and margin with `overproduced` and `unmet` as shares."""
    sums = plans.groupby(["policy", "margin"], sort=True)[["units", "overproduced", "unmet"]].sum()
    shares = sums[["overproduced", "unmet"]].div(sums["units"], axis="index")
    return shares.reset_index()


def savings(plans: pd.DataFrame) -> pd.DataFrame:
    """Compare each baseline with the plan that misses as much, and the one that wastes as much.

    Returns
    -------
    DataFrame
        A row a baseline and margin: `policy`, `margin`, `overproduced`, `unmet` (shares of the
        units), `plan_overproduced` at the same unmet demand and `plan_unmet` at the same
        overproduction, read off the plan's curve between its points; NaN beyond its ends.
    """
    table = curve(plans)
    plan = table[table["policy"] == "plan"].sort_values("unmet")
    baselines = table[table["policy"] != "plan"].reset_index(drop=True)
    unmet, over = plan["unmet"].to_numpy(), plan["overproduced"].to_numpy()
    order = np.argsort(over)
    return baselines.assign(
        plan_overproduced=np.interp(baselines["unmet"], unmet, over, left=np.nan, right=np.nan),
        plan_unmet=np.interp(
            baselines["overproduced"], over[order], unmet[order], left=np.nan, right=np.nan
        ),
    )
