"""How far off forecasts are on days with a name: chain's, on windows before its test window.

WAPE on days with a name (holidays, the days before them, 24 and 31 December), with what the same
day of an earlier year says and without, beside the other days. Run `python -m
benchmarks.named_days`; the table comes from the folder that GLEAN_TABLES names.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from benchmarks.features import DAYS
from benchmarks.federations import federation_of, open_bakeries
from benchmarks.jobs import JOBS
from benchmarks.rounds_run import as_glean_commands_do
from glean.evaluation.tables.client_tables import client_model_of
from glean.features import matrix
from glean.features.named_days import named_days
from glean.forecasting.forecasters import read_model

JOB = JOBS["chain"]
STARTS = ("2016-12-05", "2017-03-20", "2017-12-05", "2018-03-20", "2018-12-05")
METHODS = ("federated", "chosen", "local", "weekday-mean")
SHOWN = ("24 December", "31 December", "Good Friday", "Easter Monday")


def errors(scratch: Path) -> pd.DataFrame:
    """Absolute errors of each method, units and the name of each row's day, over all windows."""
    scratch.mkdir()
    found = []
    for start in STARTS:
        settings = JOB.settings(scratch, test_start=start, secure_sums="false")
        federation = federation_of(settings, JOB.bakeries, scratch / start)
        federation.run()
        content = federation.checkpoints()[-1]
        end = pd.Timestamp(start) + pd.Timedelta(days=DAYS)
        for bakery in open_bakeries(settings, JOB.bakeries):
            own = client_model_of(bakery, content, learning_rate=0.1, errors=None)
            rows = bakery.test(read_model(content).definition).between(end=end)
            made = own.forecasts(rows)
            dates = pd.DatetimeIndex(rows.keys["date"])
            off = {method: np.abs(made[method] - rows.units) for method in METHODS}
            names = named_days(dates, settings.table.holiday_region).names
            found.append(pd.DataFrame(off | {"units": rows.units, "date": dates, "name": names}))
    return pd.concat(found, ignore_index=True)


def line(title: str, rows: pd.DataFrame) -> str:
    """WAPE by method of some rows."""
    cells = "  ".join(f"{m} {rows[m].sum() / rows['units'].sum():.4f}" for m in METHODS)
    return f"{title:24} {cells}"


def show(found: pd.DataFrame) -> None:
    """Print named days, other days, and single ones."""
    named = found["name"] != ""
    print(line("named days", found[named]))
    print(line("other days", found[~named]))
    for name in SHOWN:
        if (found["name"] == name).any():
            print(line(name, found[found["name"] == name]))
    eves = found[found["name"] == "24 December"]
    for year, rows in eves.groupby(eves["date"].dt.year):
        print(line(f"24 December {year}", rows))


def main() -> None:
    """Print both tables."""
    if not JOB.available():
        print(f"{JOB.name}: left out, its table isn't here (GLEAN_TABLES)")
        return
    as_glean_commands_do()
    with tempfile.TemporaryDirectory() as scratch:
        print("with what an earlier year says")
        show(errors(Path(scratch, "with")))
        unknown = patch.object(
            matrix, "special_ratio", lambda named, *_, **__: np.full(len(named.names), np.nan)
        )
        print("without")
        with unknown:
            show(errors(Path(scratch, "without")))


if __name__ == "__main__":
    main()
