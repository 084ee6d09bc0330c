"""What sending a run to S3 takes from its rounds: none, after the run, after each checkpoint.

Run `python -m benchmarks.storage_uploads` (options: --bakeries 20, --rounds 30, --times 3). Each is
`glean simulate --engine inprocess` in a process of its own, against moto's server on this machine,
in turn; told are the median seconds of a round (from the second one on), and of the whole command,
of the quickest run of each kind. It ends with 1 where the models differ.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stores import BUCKET, S3Server, s3_server

KINDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "run": ("--storage", f"s3://{BUCKET}/glean", "--upload", "run"),
    "checkpoint": ("--storage", f"s3://{BUCKET}/glean", "--upload", "checkpoint"),
}


@dataclass(frozen=True)
class TimedRun:
    """What a run took.

    Parameters
    ----------
    rounds_s : float
        Median seconds of a round.
    seconds : float
        From the command's start to its end.
    cpu_s : float
        Seconds of a processor that it took, which other load on the machine changes little.
    model : bytes
        The final model.
    """

    rounds_s: float
    seconds: float
    cpu_s: float
    model: bytes


def timed(words: Sequence[str], out: Path, server: S3Server) -> TimedRun:
    """Run `glean simulate` with these words."""
    command = [sys.executable, "-m", "glean", "simulate", "--engine", "inprocess", *words]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [*command, "--out", str(out)],
        env=os.environ | server.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with (out / "latest" / "rounds.csv").open(newline="") as file:
        rounds = [float(row["seconds"]) for row in csv.DictReader(file)][1:]
    model = (out / "latest" / "model.ubj").read_bytes()
    return TimedRun(statistics.median(rounds), seconds, cpu_s, model)


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bakeries", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    drawn = (
        *("--bakeries", str(asked.bakeries), "--set", f"num-server-rounds={asked.rounds}"),
        *("--set", "baselines=false"),
    )
    found: dict[str, list[TimedRun]] = {kind: [] for kind in KINDS}
    with (
        tempfile.TemporaryDirectory() as scratch,
        pytest.MonkeyPatch.context() as patch,
        s3_server(patch) as server,
    ):
        for number in range(asked.times):
            for kind, words in KINDS.items():
                out = Path(scratch) / f"{kind}-{number}"
                found[kind].append(timed((*drawn, *words), out, server))
    print(f"{asked.bakeries} bakeries, {asked.rounds} rounds, the fastest of {asked.times} runs")
    for kind, runs in found.items():
        rounds_s, seconds, cpu_s = (min(getattr(run, name) for run in runs) for name in _FIGURES)
        told = f"{1000 * rounds_s:7.0f} ms a round {seconds:7.1f} s in all"
        print(f"{kind:<12} {told} {cpu_s:7.1f} s of CPU")
    return 0 if len({run.model for runs in found.values() for run in runs}) == 1 else 1


_FIGURES = ("rounds_s", "seconds", "cpu_s")

if __name__ == "__main__":
    raise SystemExit(main())
