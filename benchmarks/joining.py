"""Is it worth joining? Bakeries no worse off than alone, newcomers, plans and coverage, by job.

Run `python -m benchmarks.joining [JOB...]`; without names synthetic-40 and, where GLEAN_TABLES says
where the real tables are, restaurants-100 and chain. Every figure is of the test windows.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.jobs import JOBS
from benchmarks.reference import run_job
from glean.evaluation.tables.plan_backtest import savings
from glean.evaluation.tables.results import RunResults, read_results
from glean.evaluation.tables.summary import compare, summarise

NEWCOMERS = ("newcomer-fraction=0.2", "newcomer-days=30")
SHOWN = ("federated", "personalised", "chosen", "local", "weekday-mean")
JOB_NAMES = ("synthetic-40", "restaurants-100", "chain")


def joining(results: RunResults) -> pd.Series[float]:
    """WAPE by method, and the share of bakeries whose chosen forecast is as good as alone."""
    assert results.scores is not None, "a completed run has scores"
    methods = {score.method: score for score in summarise(results.scores).methods}
    found = {name: methods[name].everyone.wape for name in SHOWN}
    compared = compare(results.scores, "chosen", baseline="local")
    assert compared is not None
    found["as good as alone"] = (compared.better + compared.equal) / compared.bakeries
    return pd.Series(found)


def newcomers(results: RunResults) -> pd.Series[float]:
    """WAPE of the newcomers by method."""
    assert results.scores is not None, "a completed run has scores"
    methods = {score.method: score for score in summarise(results.scores).methods}
    return pd.Series({name: methods[name].newcomers.wape for name in SHOWN})


def coverage(results: RunResults) -> pd.Series[float]:
    """Coverage over all rows, and the mean of the bakeries' widths."""
    table = results.coverage
    assert table is not None, "a run with baselines has coverage.csv"
    rows = table["rows"].to_numpy(dtype=float)
    shares = {
        name: float(table[name].fillna(0.0).to_numpy(dtype=float) @ rows) / rows.sum()
        for name in ("coverage_80", "coverage_95")
    }
    return pd.Series(shares | {name: table[name].mean() for name in ("width_80", "width_95")})


def main() -> None:
    """Print a table a question."""
    names = sys.argv[1:] or [n for n in JOB_NAMES if JOBS[n].available()]
    whole, young, sure = {}, {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            results = read_results(run_job(JOBS[name], "inprocess", Path(scratch)))
            whole[name], sure[name] = joining(results), coverage(results)
            assert results.plans is not None, "a run with baselines has plan.csv"
            print(f"\n{name}: plans against habits, shares of what was sold")
            print(savings(results.plans).to_string(index=False, float_format="%.3f"))
            if JOBS[name].bakeries >= 10:
                run = run_job(JOBS[name], "inprocess", Path(scratch), *NEWCOMERS)
                young[name] = newcomers(read_results(run))
    for title, rows in (
        ("all bakeries, WAPE", whole),
        (f"newcomers with {' '.join(NEWCOMERS)}, WAPE", young),
        ("coverage", sure),
    ):
        print(f"\n{title}")
        print(pd.DataFrame(rows).T.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
