"""Glean beside Flower's stock bagging and NVFlare's at 5, 50 and 200 bakeries, in one table.

All grow one tree a bakery and round on the same rows, for 20 rounds, at the same learning rate over
all. NVFlare runs in its own Python, made with `python -m venv NV; NV/bin/pip install nvflare
tensorboard xgboost==VERSION` (the version that Glean has): `python -m benchmarks.frameworks
--nvflare NV/bin/python`. Options: --sizes 5,50,200, --rounds 20, --limit-s 600, --nvflare-most 50
(it needs a process a client, of some 200 MB each).

NVFlare's recipe has no settings for the least hessian in a leaf, the share of columns a tree sees,
bins and the base score: these are XGBoost's own there. It scores nothing at the end, so its model
is scored here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xgboost

from benchmarks import stock_run
from benchmarks.federations import open_bakeries
from benchmarks.rounds_run import ROOT, cost_of
from benchmarks.stock_bakery import DEFINITION
from benchmarks.stock_run import StockRun
from benchmarks.variants import MASKED, REFIT, SCALED, VARIANTS
from glean.learning.learning_rates import learning_rate_of
from glean.metrics import ErrorSums
from glean.settings import RunSettings

_WIDTH = 26


@dataclass(frozen=True)
class Row:
    """What a run cost; NaN where it isn't measured.

    Parameters
    ----------
    rounds : int
        Those that it ended in its time.
    whole_s : float
        Wall time from its start to the end of its last round, or of its process.
    aggregation_s : float
        The server's: Glean's in all, the others' taking of updates and merging.
    bytes_down, bytes_up : float
        Models to and from all bakeries, of all rounds.
    wape : float
        Of the last model on validation windows.
    """

    rounds: int
    whole_s: float = float("nan")
    aggregation_s: float = float("nan")
    bytes_down: float = float("nan")
    bytes_up: float = float("nan")
    wape: float = float("nan")


def main() -> None:
    """Print a row a framework and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nvflare", type=Path, help="a Python that has NVFlare")
    parser.add_argument("--nvflare-most", type=int, default=50)
    parser.add_argument("--sizes", default="5,50,200")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=600.0)
    asked = parser.parse_args()
    print(
        f"{'':{_WIDTH}} {'bakeries':>8} {'rounds':>6} {'whole, s':>9} {'CPU, s':>8} "
        f"{'merging, s':>10} {'down, kB':>9} {'up, kB':>8} {'WAPE':>7}"
    )
    for size in (int(text) for text in asked.sizes.split(",")):
        for name, run in _runs(asked, size).items():
            _print(name, size, run)


def _runs(asked: argparse.Namespace, size: int) -> dict[str, Callable[[], Row]]:
    found: dict[str, Callable[[], Row]] = {
        f"Glean, {name}": partial(_glean, name, size, asked.rounds)
        for name in (SCALED, REFIT, REFIT + MASKED)
    }
    found["Flower, in process"] = partial(_stock, stock_run.in_process, size, asked)
    found["Flower, Ray"] = partial(_stock, stock_run.on_ray, size, asked)
    if asked.nvflare and size <= asked.nvflare_most:
        found["NVFlare"] = partial(_nvflare, asked.nvflare, size, asked.rounds, asked.limit_s)
    return found


def _print(name: str, bakeries: int, run: Callable[[], Row]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    row = run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{name:{_WIDTH}} {bakeries:8d} {row.rounds:6d} {row.whole_s:9.1f} {cpu_s:8.1f} "
        f"{row.aggregation_s:10.2f} {row.bytes_down / bakeries / 1e3:9.1f} "
        f"{row.bytes_up / bakeries / 1e3:8.1f} {row.wape:7.4f}",
        flush=True,
    )


def _glean(name: str, bakeries: int, rounds: int) -> Row:
    cost = cost_of(bakeries, VARIANTS[name] | {"num-server-rounds": rounds})
    spent = cost.spent
    return Row(rounds, cost.process_s, spent.server_s, spent.bytes_down, spent.bytes_up, cost.wape)


def _stock(run_stock: Callable[..., StockRun], bakeries: int, asked: argparse.Namespace) -> Row:
    run = run_stock(bakeries, asked.rounds, limit_s=asked.limit_s)
    last, unknown = run.last, float("nan")
    if not last.round:
        return Row(0)
    counted = last.bytes_up > 0
    return Row(
        last.round,
        run.seconds,
        last.aggregation_s,
        last.bytes_down if counted else unknown,
        last.bytes_up if counted else unknown,
        last.wape,
    )


def _nvflare(python: Path, bakeries: int, rounds: int, limit_s: float) -> Row:
    settings = RunSettings.from_config(VARIANTS[SCALED] | {"num-server-rounds": rounds})
    with tempfile.TemporaryDirectory(prefix="nvflare-") as scratch:
        folder = Path(scratch)
        _write_rows(folder, settings, bakeries)
        rate = learning_rate_of(settings.rounds)
        words = ["-m", "benchmarks.nvflare_job", scratch, bakeries, rounds, rate]
        start = time.perf_counter()
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [str(python.absolute()), *map(str, words)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return Row(0)
        taken = time.perf_counter() - start
        if code:
            print((folder / "log.txt").read_text(errors="replace")[-2000:], file=sys.stderr)
            return Row(0)
        spent = json.loads((folder / "spent.json").read_text())
        return Row(rounds, taken, **spent, wape=_score(folder, bakeries))


def _write_rows(folder: Path, settings: RunSettings, bakeries: int) -> None:
    for number, bakery in enumerate(open_bakeries(settings, bakeries)):
        training, validation = bakery.training(DEFINITION), bakery.validation(DEFINITION)
        np.savez(
            folder / f"{number}.npz",
            x=training.x,
            y=training.y,
            weight=training.weight / training.weight.mean(),
            validation_x=validation.x,
            validation_y=validation.y,
            level=validation.level,
            units=validation.units,
        )


def _score(folder: Path, bakeries: int) -> float:
    model = xgboost.Booster(model_file=folder / "model.json")
    sums = ErrorSums()
    for number in range(bakeries):
        with np.load(folder / f"{number}.npz") as rows:
            relative = model.predict(xgboost.DMatrix(rows["validation_x"], nthread=1))
            sums = sums + ErrorSums.of(rows["units"], np.maximum(relative, 0) * rows["level"])
    return sums.wape


if __name__ == "__main__":
    main()
