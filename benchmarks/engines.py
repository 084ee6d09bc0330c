"""Wall time of the default job, whole, on Ray and in this process; and whether the models agree.

Beside it the same without baselines, plans and their tables (baselines=false): what the engines
themselves take, with the report. Run `python -m benchmarks.engines [REPEATS]`. Every repeat is a
fresh `glean simulate`.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.jobs import JOBS
from benchmarks.reference import run_job

REPEATS = 3
SHARE = 1 / 5


def main() -> int:
    """Print medians, their ratio and the models' digests; 1 when the share or a model is off."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    digests: set[str] = set()
    share = _compared(repeats, digests)
    print(f"in process / Ray: {share:.3f}, wanted {SHARE} or less")
    bare = _compared(repeats, digests, "baselines=false")
    print(f"in process / Ray, without baselines and plans: {bare:.3f}")
    print(f"models: {len(digests)} different, wanted 1: {digests}")
    return int(share > SHARE or len(digests) != 1)


def _compared(repeats: int, digests: set[str], *settings: str) -> float:
    """Print the engines' medians and give their quotient; add the models' digests to the set."""
    seconds: dict[str, list[float]] = {"ray": [], "inprocess": []}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(repeats):
            for engine, taken in seconds.items():
                start = time.perf_counter()
                run = run_job(JOBS["synthetic-5"], engine, Path(scratch), *settings)
                taken.append(time.perf_counter() - start)
                digests.add(hashlib.sha256((run / "model.ubj").read_bytes()).hexdigest())
    medians = {engine: statistics.median(taken) for engine, taken in seconds.items()}
    for engine, taken in seconds.items():
        print(f"{engine:10} {medians[engine]:6.1f} s  of {[round(t, 1) for t in taken]}")
    return medians["inprocess"] / medians["ray"]


if __name__ == "__main__":
    sys.exit(main())
