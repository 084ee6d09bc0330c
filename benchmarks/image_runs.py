"""What networks on pictures come to, and what their runs take: MNIST and a part of CIFAR-10.

`python -m benchmarks.image_runs` (option: --only NAME,NAME) with the folder that GLEAN_TABLES
names, in which lie `images/mnist.npz` and `images/cifar10/`, the latter class folders below
`train/` and `test/`. Each row is a `glean simulate` of its own, in process, on one core. Accuracy
is on all test pictures; settings were chosen on validation pictures. It ends with 1 where a row
misses what is wanted of it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.jobs import ROOT

MNIST, CIFAR = "images/mnist.npz", "images/cifar10"


@dataclass(frozen=True)
class ImageRun:
    """A simulation of clients with pictures.

    Parameters
    ----------
    name : str
        As it is printed.
    images : str
        Below the folder of tables.
    clients : int
        Split by Dirichlet draws of 0.5.
    changes : mapping of str to str
        Settings that differ from the defaults.
    wanted : float
        Least accuracy of the federation's model; 0: none.
    """

    name: str
    images: str
    clients: int
    changes: Mapping[str, str] = field(default_factory=dict)
    wanted: float = 0.0


ALONE = {"baselines": "true"}
LONGER = {"num-server-rounds": "40"}
SMALL = {"image-model": "cnn-small"}
NOISED = {
    "privacy": "dp-sgd",
    "epsilon": "8",
    "delta": "1e-5",
    "num-server-rounds": "30",
    "batch-size": "512",
    "learning-rate": "1",
    "clip-norm": "0.5",
}
RUNS = (
    ImageRun("mnist-cnn", MNIST, 10, {}, 0.985),
    ImageRun("mnist-cnn-open", MNIST, 10, {"secure-sums": "false"}, 0.985),
    ImageRun("mnist-cnn-small", MNIST, 10, SMALL, 0.975),
    ImageRun("mnist-noise", MNIST, 10, SMALL | NOISED, 0.93),
    ImageRun("cifar-fedavg", CIFAR, 5, ALONE | LONGER),
    ImageRun("cifar-fedprox", CIFAR, 5, {"aggregation": "fedprox"} | LONGER),
    ImageRun("cifar-fedadam", CIFAR, 5, {"aggregation": "fedadam"} | LONGER),
)


def main() -> int:
    """Print a row a run; 1 where one misses what is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(run.name for run in RUNS))
    asked = parser.parse_args()
    folder = Path(os.environ["GLEAN_TABLES"])
    missed = False
    print(f"{'':18}{'minutes':>9}{'CPU, s':>9}{'peak, GiB':>11}{'accuracy':>10}  others; model")
    with tempfile.TemporaryDirectory() as scratch:
        for run in RUNS:
            if run.name in asked.only.split(",") and (folder / run.images).exists():
                missed |= _show(run, folder, Path(scratch) / run.name)
    return int(missed)


def _show(run: ImageRun, folder: Path, out: Path) -> bool:
    """Run it, print its row, and say whether it misses what is wanted."""
    given = {"workload": "images", "privacy": "sums", "baselines": "false"} | dict(run.changes)
    given["images"] = str(folder / run.images)
    words = [word for key, text in given.items() for word in ("--set", f"{key}={text}")]
    command = [sys.executable, "-m", "glean", "simulate", "--engine=inprocess"]
    command += [f"--bakeries={run.clients}", f"--out={out}", *words]
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    after, minutes = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begin
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    scores = pd.read_csv(out / "latest" / "scores.csv").set_index("method")["accuracy"]
    model = hashlib.sha256((out / "latest" / "model.npz").read_bytes()).hexdigest()
    others = ", ".join(f"{name} {value:.4f}" for name, value in scores.iloc[1:].items())
    # Of all children so far: a later, smaller run has the peak of an earlier one.
    peak = after.ru_maxrss / 2**20
    print(
        f"{run.name:18}{minutes / 60:9.1f}{cpu_s:9.0f}{peak:11.2f}{scores['federated']:10.4f}"
        f"  {others}; {model[:12]}",
        flush=True,
    )
    return bool(scores["federated"] < run.wanted)


if __name__ == "__main__":
    sys.exit(main())
