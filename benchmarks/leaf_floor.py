"""What does it cost that no leaf is opened below a floor? WAPE on the test windows, by the floor.

The default job, refitted leaves, with `min-contributors` off, 3 and 5, in one sum over all and,
where there are six times as many bakeries, in groups, each of which merges its own thin leaves:
the last model's WAPE, there and on the validation windows, exchanges a round and bytes; sums
without masks, as the model is the same.
Run `python -m benchmarks.leaf_floor` (options: names of jobs).
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import pandas as pd

from benchmarks.evaluated_run import evaluated_run
from benchmarks.jobs import JOBS, Job
from glean.federation.coordination.groups import FEWEST_GROUPS, Groups

FLOORS = (0, 3, 5)
WANTED = ("synthetic-5", "synthetic-40", "restaurants-100")


def measure(job: Job, scratch: Path) -> pd.DataFrame:
    """Give a row for each floor that the job has bakeries enough for, and for groups."""
    rows = []
    for floor in FLOORS:
        if floor > job.bakeries:
            continue
        enough = floor > 0 and job.bakeries >= FEWEST_GROUPS * floor
        for grouped in (False, True) if enough else (False,):
            settings = job.settings(scratch, min_contributors=str(floor), secure_sums="false")
            folder = scratch / f"{job.name}-{floor}-{grouped}"
            none = mock.patch.object(Groups, "of_roster", return_value=None)
            with nullcontext() if grouped else none:
                run = evaluated_run(settings, job.bakeries, folder)
            rows.append(
                {
                    "job": job.name,
                    "floor": floor,
                    "sums": "in groups" if grouped else "in one",
                    "WAPE": run.last_wape,
                    "validation": run.validation,
                    "exchanges a round": run.exchanges_a_round,
                    "MB": (run.total.bytes_down + run.total.bytes_up) / 1e6,
                }
            )
    table = pd.DataFrame(rows)
    for window in ("WAPE", "validation"):
        table[f"{window} to no floor"] = table[window] / table[window][0]
    return table


def main() -> int:
    """Print a table a job."""
    names = sys.argv[1:] or WANTED
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            if JOBS[name].available():
                print(measure(JOBS[name], Path(scratch)).to_string(index=False), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
