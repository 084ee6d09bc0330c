"""The rounds of one federation in a process of their own, and what they cost.

`cost_of` starts the process and reads what it prints; `python -m benchmarks.rounds_run BAKERIES
CONFIG` (the run config as JSON) is that process. No final test, no baselines.
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.federations import clear_caches, federation_of
from benchmarks.metered_grid import Spent
from benchmarks.variants import Config
from glean.settings import RunSettings

ROOT = Path(__file__).resolve().parent.parent
_WARM_BAKERIES = 3
_KIB, _GIB = 2**10, 2**30


@dataclass(frozen=True)
class Cost:
    """What a federation's rounds cost.

    Parameters
    ----------
    bakeries : int
        How many.
    spent : Spent
        Seconds, exchanges and bytes from the first message to the last round's scores.
    cpu_s : float
        CPU time of the same.
    peak_gib : float
        Most memory that the process held at once.
    model : str
        SHA-256 of the last round's model.
    wape : float
        Of the last round's model on validation windows.
    process_s : float
        Wall time of the whole process, its start and imports included.
    """

    bakeries: int
    spent: Spent
    cpu_s: float
    peak_gib: float
    model: str
    wape: float = float("nan")
    process_s: float = 0.0


def cost_of(bakeries: int, config: Config, *, warm: bool = False) -> Cost:
    """Run the rounds in a fresh process.

    Parameters
    ----------
    bakeries : int
        How many synthetic bakeries, or of the table that `config` names.
    config : dict
        Run config, where it differs from the defaults.
    warm : bool
        Whether a few bakeries run first, so that imports and compiled loops don't count.
    """
    words = [str(bakeries), json.dumps(config), *(["warm"] if warm else [])]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rounds_run", *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    taken = time.perf_counter() - start
    found = json.loads(done.stdout.splitlines()[-1])
    return Cost(**found | {"spent": Spent(**found["spent"]), "process_s": taken})


def as_glean_commands_do() -> None:
    """Look for garbage as seldom as `glean` does."""
    gc.set_threshold(50_000)


def measure(bakeries: int, config: Config, scratch: Path) -> Cost:
    """Run the rounds in this process."""
    settings = RunSettings.from_config(config)
    clear_caches()
    start = time.process_time()
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    spent = federation.grid.so_far()
    return Cost(
        bakeries=bakeries,
        spent=spent,
        cpu_s=time.process_time() - start,
        peak_gib=_peak_bytes() / _GIB,
        model=hashlib.sha256(federation.checkpoints()[-1]).hexdigest(),
        wape=federation.validation_curve()[-1],
    )


def _peak_bytes() -> int:
    """Most memory held by this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not `ru_maxrss`: a fresh process inherits it from the one that started it.
        (line,) = (text for text in status.read_text().splitlines() if text.startswith("VmHWM:"))
        return int(line.split()[1]) * _KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    """Print the cost as JSON."""
    as_glean_commands_do()
    bakeries, config, *rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        if rest:
            measure(
                _WARM_BAKERIES, json.loads(config) | {"num-server-rounds": 1}, Path(scratch, "warm")
            )
        cost = measure(int(bakeries), json.loads(config), Path(scratch, "run"))
    print(json.dumps(asdict(cost)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
