"""Rounds that wait for a buffer beside rounds that wait for all, on the same virtual clock.

`python -m benchmarks.asynchronous` (options: --only NAME,NAME, --clients N, --spread 20,
--sync KEY=TEXT and --async KEY=TEXT, each again and again). The demand is of synthetic bakeries;
for MNIST `images/mnist.npz` lies in the folder that GLEAN_TABLES names, else that job is passed
over. Clients' speeds are spread by the factor by the seed. Each job is run twice, with as many
updates of clients: synchronously, and with buffers. Validation scores after each round stand
against the virtual seconds that had passed; scores of the test windows are of the final models, at
equal updates. Settings were chosen on validation rows. It ends with 1 where buffers aren't 3 times
as fast to the score that is wanted.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.jobs import ROOT
from glean.runs.participation import jain_index

WANTED = 3.0
"""Buffers are to be so many times as fast."""


@dataclass(frozen=True)
class ClockedJob:
    """A simulation that is run on a virtual clock.

    Parameters
    ----------
    name : str
        As it is printed.
    clients : int
        How many.
    rounds : int
        Rounds that wait for all.
    buffer : int
        Updates in a buffer; there are as many more rounds of them.
    changes : mapping of str to str
        Settings of both runs.
    buffered : mapping of str to str
        Settings of the run with buffers alone.
    target : float
        The validation score to reach; 0: the best that rounds which wait for all come to.
    metric : str
        Which score: "wape", or "accuracy", of which more is better.
    images : str
        File below GLEAN_TABLES; "" for none.
    """

    name: str
    clients: int
    rounds: int
    buffer: int
    changes: Mapping[str, str]
    buffered: Mapping[str, str] = field(default_factory=dict)
    target: float = 0.0
    metric: str = "wape"
    images: str = ""


JOBS = (
    ClockedJob("demand-leaves", 20, 20, 5, {}),
    ClockedJob("demand-fedavg", 20, 30, 5, {"aggregation": "fedavg"}),
    ClockedJob(
        "mnist-fedavg",
        20,
        25,
        5,
        {
            "workload": "images",
            "image-model": "cnn-small",
            "local-steps": "20",
            "fraction-evaluate": "0.3",
        },
        target=0.97,
        metric="accuracy",
        images="images/mnist.npz",
    ),
)


@dataclass(frozen=True)
class ClockedRun:
    """What came of a run.

    Parameters
    ----------
    seconds : tuple of float
        Virtual seconds that had passed after each round.
    scores : tuple of float
        Validation score after each round.
    test : float
        Score of the final model on the test rows.
    updates : int
        Updates that are in the model.
    jain : float
        How evenly clients took part.
    """

    seconds: tuple[float, ...]
    scores: tuple[float, ...]
    test: float
    updates: int
    jain: float

    def seconds_to(self, target: float, *, more: bool) -> float:
        """Give when a score was first reached; infinite where it never was."""
        pairs = zip(self.seconds, self.scores, strict=True)
        found = (s for s, score in pairs if (score >= target if more else score <= target))
        return next(found, math.inf)


def main() -> int:
    """Print two rows a job; 1 where buffers aren't as fast as wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(job.name for job in JOBS))
    parser.add_argument("--clients", type=int, default=0)
    parser.add_argument("--spread", default="20")
    parser.add_argument("--sync", action="append", default=[], metavar="KEY=TEXT")
    parser.add_argument("--async", dest="buffered", action="append", default=[], metavar="KEY=TEXT")
    asked = parser.parse_args()
    print(
        f"{'':26}{'rounds':>7}{'updates':>8}{'virtual s':>10}{'best':>8}{'to reach':>10}"
        f"{'took':>8}{'test':>8}{'Jain':>6}"
    )
    missed = False
    for job in JOBS:
        if job.name in asked.only.split(",") and _has_data(job):
            both = dict(text.split("=", 1) for text in asked.sync)
            alone = dict(text.split("=", 1) for text in asked.buffered)
            missed |= _compared(job, asked.clients or job.clients, asked.spread, both, alone)
    return int(missed)


def _has_data(job: ClockedJob) -> bool:
    found = not job.images or (Path(os.environ.get("GLEAN_TABLES", "")) / job.images).is_file()
    if not found:
        print(f"{job.name}: found no {job.images} below GLEAN_TABLES; passed over")
    return found


def _compared(
    job: ClockedJob, clients: int, spread: str, both: Mapping[str, str], alone: Mapping[str, str]
) -> bool:
    """Run a job both ways, print the rows, and say whether buffers are too slow."""
    given = {"speed-spread": spread, "num-server-rounds": str(job.rounds), **job.changes, **both}
    more = job.metric == "accuracy"
    waiting = _run(job, clients, given)
    steps = math.ceil(int(given["num-server-rounds"]) * clients / job.buffer)
    told = {"mode": "async", "buffer-size": str(job.buffer), "num-server-rounds": str(steps)}
    buffered = _run(job, clients, given | told | dict(job.buffered) | dict(alone))
    target = job.target or min(waiting.scores)
    for mode, run in (("all", waiting), ("buffers", buffered)):
        _print_row(f"{job.name}, {mode}", run, target, more=more)
    faster = waiting.seconds_to(target, more=more) / buffered.seconds_to(target, more=more)
    print(f"{'':26}buffers are {faster:.1f} times as fast", flush=True)
    return faster < WANTED


def _print_row(name: str, run: ClockedRun, target: float, *, more: bool) -> None:
    best = max(run.scores) if more else min(run.scores)
    took = run.seconds_to(target, more=more)
    print(
        f"{name:26}{len(run.seconds):7}{run.updates:8}{run.seconds[-1]:10.1f}{best:8.4f}"
        f"{target:10.4f}{took:8.1f}{run.test:8.4f}{run.jain:6.2f}",
        flush=True,
    )


def _run(job: ClockedJob, clients: int, changes: Mapping[str, str]) -> ClockedRun:
    given = {"privacy": "sums", "baselines": "false", **changes}
    if job.images:
        given["images"] = str(Path(os.environ["GLEAN_TABLES"]) / job.images)
    words = [word for key, text in given.items() for word in ("--set", f"{key}={text}")]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "glean", "simulate", "--engine=inprocess"]
        command += [f"--bakeries={clients}", f"--out={out}", *words]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return _read(Path(out) / "latest", job.metric, clients)


def _read(folder: Path, metric: str, clients: int) -> ClockedRun:
    rounds = pd.read_csv(folder / "rounds.csv")
    counts = [1] * clients
    if (folder / "participation.csv").is_file():
        took_part = pd.read_csv(folder / "participation.csv")["bakery"].value_counts()
        counts = [*took_part.tolist(), *[0] * (clients - len(took_part))]
    return ClockedRun(
        tuple(rounds["virtual_seconds"].cumsum()),
        tuple(rounds[metric]),
        _test_score(folder, metric),
        int(rounds["replies"].sum()),
        jain_index(counts),
    )


def _test_score(folder: Path, metric: str) -> float:
    """Read the final model's score on the test rows of all clients."""
    if metric == "accuracy":
        scores = pd.read_csv(folder / "scores.csv").set_index("method")
        return float(scores.loc["federated", "accuracy"])
    rows = pd.read_csv(folder / "bakeries.csv")
    rows = rows[rows["method"] == "federated"]
    weight = rows["n_rows"] * rows["mae"] / rows["wape"]
    return float((rows["wape"] * weight).sum() / weight.sum())


if __name__ == "__main__":
    sys.exit(main())
