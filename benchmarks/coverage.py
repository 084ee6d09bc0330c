"""Coverage on the tables of single bakeries that run alone, with their small counts.

Run `python -m benchmarks.coverage` where GLEAN_TABLES says where the real tables are. By bakery it
prints the coverage on the test window with two standard errors by day, and the mean width over the
mean sales.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.jobs import Job
from benchmarks.reference import run_job
from glean.evaluation.tables.coverage import INTERVALS
from glean.evaluation.tables.results import read_results

SINGLE_BAKERIES = (
    Job("edinburgh", 1, table="edinburgh.csv"),
    Job("stuttgart", 1, table="stuttgart.csv"),
)


def measure(run: Path) -> dict[str, float]:
    """Coverage, twice its standard error by day, and width, of the only bakery of a run."""
    table = read_results(run).coverage
    assert table is not None, "a run with baselines has coverage.csv"
    row = table.iloc[0]
    found = {"days": float(row["days"]), "rows": float(row["rows"])}
    for interval in INTERVALS:
        found[f"coverage {interval}"] = float(row[f"coverage_{interval}"])
        found[f"2 se {interval}"] = 2 * float(row[f"error_{interval}"])
        found[f"width {interval}"] = float(row[f"width_{interval}"])
    return found


def main() -> None:
    """Print a row a bakery."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = {
            job.name: measure(run_job(job, "inprocess", Path(scratch)))
            for job in SINGLE_BAKERIES
            if job.available()
        }
    print(pd.DataFrame(rows).T.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
