"""One run of Flower's stock FedXgbBagging, in process or on Ray, as far as it gets in a time limit.

A number of bakeries and of rounds goes in; what each finished round had cost comes out.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds_run import ROOT
from benchmarks.stock_app import StockRound
from glean.errors import FederationError
from glean.federation.launch.superlink import SuperLink, local_superlink

POLL_S = 0.2
LOOK_EVERY_S = 5.0

_APP = """\
[project]
name = "stock"
version = "1.0.0"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "glean"
fab-include = ["benchmarks/**/*.py"]

[tool.flwr.app.components]
serverapp = "benchmarks.stock_app:server_app"
clientapp = "benchmarks.stock_app:client_app"

[tool.flwr.app.config]
bakeries = 0
rounds = 0
report = ""
"""


@dataclass(frozen=True)
class StockRun:
    """How far the stock run came.

    Parameters
    ----------
    start_s : float
        Time of day when the run was asked for, seconds since 1970.
    rounds : tuple of StockRound
        Those that it ended, in order.
    """

    start_s: float
    rounds: tuple[StockRound, ...]

    @property
    def last(self) -> StockRound:
        """The last round that it ended; number 0 where there is none."""
        return self.rounds[-1] if self.rounds else StockRound(0, self.start_s)

    @property
    def seconds(self) -> float:
        """Wall time from the start to the end of the last round."""
        return self.last.clock_s - self.start_s


def in_process(bakeries: int, rounds: int, *, limit_s: float) -> StockRun:
    """Run it in a fresh process, on the grid that Glean uses in process."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.jsonl")
        start = time.time()
        words = ["-m", "benchmarks.stock_app", str(bakeries), str(rounds), str(report)]
        command = [sys.executable, *words]
        # Whatever rounds it ended are in its report.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, cwd=ROOT, check=True, timeout=limit_s)
        return StockRun(start, _read(report))


def on_ray(bakeries: int, rounds: int, *, limit_s: float) -> StockRun:
    """Run it by `flwr run`, on Ray, through a SuperLink that is up already.

    Raises
    ------
    FederationError
        Flower ended the run before its last round.
    """
    with tempfile.TemporaryDirectory(prefix="stock-") as scratch:
        report = Path(scratch, "report.jsonl")
        with local_superlink(Path(scratch, "flwr")) as superlink:
            start = time.time()
            run_id = superlink.cli.submit(
                _copy_app(Path(scratch)),
                run_config={"bakeries": bakeries, "rounds": rounds, "report": str(report)},
                profile={"client-resources-num-cpus": 1, "num-supernodes": bakeries},
            )
            _wait(report, rounds, superlink, run_id=run_id, until_s=start + limit_s)
        return StockRun(start, _read(report))


def _copy_app(scratch: Path) -> Path:
    """Make the app that Flower builds from: this folder, and what its parts are called."""
    folder = scratch / "app"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=ignored)
    (folder / "pyproject.toml").write_text(_APP, encoding="utf-8")
    return folder


def _wait(report: Path, rounds: int, superlink: SuperLink, *, run_id: int, until_s: float) -> None:
    """Wait for the last round or the time limit."""
    look_at = time.time() + LOOK_EVERY_S
    while time.time() < until_s:
        ended = _read(report)
        if ended and ended[-1].round == rounds:
            return
        if time.time() > look_at:
            if superlink.seems_done() and superlink.cli.status(run_id).startswith("finished"):
                raise FederationError(
                    f"Flower ended the stock run early: {superlink.cli.log(run_id)[-2000:]}"
                )
            look_at = time.time() + LOOK_EVERY_S
        time.sleep(POLL_S)


def _read(report: Path) -> tuple[StockRound, ...]:
    """Read the whole lines of a report; without the start."""
    if not report.exists():
        return ()
    lines = report.read_text(encoding="utf-8").split("\n")[:-1]
    return tuple(StockRound(**json.loads(line)) for line in lines[1:])
