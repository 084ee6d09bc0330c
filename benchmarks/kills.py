"""What a `kill -9` costs a run: of the service, the SuperLink, a bakery's node, the run's process.

`python -m benchmarks.kills FOLDER` serves a federation there that bakeries join, makes one run that
nobody disturbs, then kills each victim in runs of their own, each at a random moment, and says
whether the run completed, how long it took, and whether the model has the same bytes.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import time
from pathlib import Path

import psutil

from glean.runs.index import read_run
from tests.processes import wait_until
from tests.system.test_public_service import Operator, federation, run_words

VICTIMS = ("superlink", "process", "node", "service")
LIMIT_S = 400.0


def main() -> None:
    """Kill, and print a line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bakeries", type=int, default=7)
    parser.add_argument("--times", type=int, default=10, help="of each victim")
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    draws = random.Random(1)  # noqa: S311 # moments, and no secret
    names = tuple(f"Bakery {k + 1}" for k in range(asked.bakeries))
    with federation(asked.folder.absolute(), names) as (operator, running):
        expected, took_s, _ = _run(operator, running, "nobody", names, draws, 0.0)
        print(f"nobody: {took_s:.0f} s", flush=True)
        for time_number in range(asked.times):
            for victim in asked.victims:
                moment_s = draws.uniform(2.0, took_s)
                model, now_s, said = _run(operator, running, victim, names, draws, moment_s)
                same = "the same bytes" if model == expected else "other bytes"
                print(
                    f"{time_number + 1} {victim} after {moment_s:.0f} s: {said}, {now_s:.0f} s, "
                    f"{same if model else 'no model'}",
                    flush=True,
                )


def _run(
    operator: Operator,
    running: list[subprocess.Popen[bytes]],
    victim: str,
    names: tuple[str, ...],
    draws: random.Random,
    moment_s: float,
) -> tuple[bytes, float, str]:
    known = set(operator.results.glob("2*"))
    log = operator.folder / f"run-{time.time():.0f}-{victim}.log"
    began = time.monotonic()
    following = operator.start(*run_words(len(names)), log=log)
    running.append(following)
    time.sleep(moment_s)
    if following.poll() is None:
        _kill(operator, running, victim, set(operator.results.glob("2*")) - known, names, draws)
    following.wait(timeout=LIMIT_S)
    took_s = time.monotonic() - began
    new = sorted(set(operator.results.glob("2*")) - known)
    model = new[-1] / "model.ubj" if new else None
    said = (
        f"ended with {following.returncode}, {log.read_text().count('goes on by itself')} resumed"
    )
    return (model.read_bytes() if model and model.exists() else b"", took_s, said)


def _kill(
    operator: Operator,
    running: list[subprocess.Popen[bytes]],
    victim: str,
    runs: set[Path],
    names: tuple[str, ...],
    draws: random.Random,
) -> None:
    if victim == "service":
        running[0].kill()
        running[0].wait()
        running[0] = operator.serve()
    elif victim == "superlink":
        operator.superlink().kill()
    elif victim == "node":
        _node(operator, running[1 + draws.randrange(len(names))]).kill()
    elif victim == "process" and runs:
        described = read_run(max(runs)).facts.get("process") or {}
        if psutil.pid_exists(int(described.get("pid", -1))):
            psutil.Process(described["pid"]).kill()


def _node(operator: Operator, joined: subprocess.Popen[bytes]) -> psutil.Process:
    found: list[psutil.Process] = []

    def is_there() -> bool:
        found[:] = [
            process
            for process in psutil.Process(joined.pid).children(recursive=True)
            if "node" in process.cmdline()[:5]
        ]
        return bool(found)

    wait_until(is_there, f"a node in {operator.folder}", limit_s=60)
    return found[0]


if __name__ == "__main__":
    main()
