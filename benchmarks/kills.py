"""What a `kill -9` costs a run: of the service, the SuperLink, a bakery's node, the run's process.

`python -m benchmarks.kills FOLDER` serves a federation there that bakeries join, makes one run that
nobody disturbs, then kills each victim in runs of their own, each at a random moment, and says
whether the run completed, how long it took, and whether the model has the same bytes. With
`--together` all of them are killed in each run.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import time
from collections.abc import Callable
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
    parser.add_argument("--together", action="store_true", help="all victims in each run")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    draws = random.Random(1)  # noqa: S311 # moments, and no secret
    names = tuple(f"Bakery {k + 1}" for k in range(asked.bakeries))
    rows = [asked.victims] if asked.together else [[victim] for victim in asked.victims]
    with federation(asked.folder.absolute(), names) as (operator, running):
        undisturbed = _Killed(operator, running, names, draws)
        expected, took_s, _ = undisturbed.run([])
        print(f"nobody: {took_s:.0f} s", flush=True)
        for time_number in range(asked.times):
            for victims in rows:
                kills = sorted((draws.uniform(2.0, took_s), victim) for victim in victims)
                model, now_s, said = _Killed(operator, running, names, draws).run(kills)
                same = "the same bytes" if model == expected else "other bytes"
                print(
                    f"{time_number + 1} {said}, {now_s:.0f} s, {same if model else 'no model'}",
                    flush=True,
                )


class _Killed:
    """A run of which parts are killed.

    Parameters
    ----------
    operator : Operator
        Who starts it.
    running : list of Popen
        The service, then each bakery's `glean join`.
    names : tuple of str
        The bakeries.
    draws : Random
        Which node is hit.
    """

    def __init__(
        self,
        operator: Operator,
        running: list[subprocess.Popen[bytes]],
        names: tuple[str, ...],
        draws: random.Random,
    ) -> None:
        self._operator = operator
        self._running = running
        self._names = names
        self._draws = draws
        self._known = set(operator.results.glob("2*"))

    def run(self, kills: list[tuple[float, str]]) -> tuple[bytes, float, str]:
        """Make it, with victims killed so many seconds after its beginning.

        Returns
        -------
        tuple of (bytes, float, str)
            The model, or nothing; seconds; what was killed and how it ended.
        """
        log = self._operator.folder / f"run-{time.time():.0f}.log"
        began = time.monotonic()
        following = self._operator.start(*run_words(len(self._names)), log=log)
        self._running.append(following)
        told = []
        for moment_s, victim in kills:
            time.sleep(max(0.0, began + moment_s - time.monotonic()))
            hit = following.poll() is None and self._kill(victim)
            told.append(f"{victim} after {moment_s:.0f} s{'' if hit else ' (not there)'}")
        following.wait(timeout=LIMIT_S)
        took_s = time.monotonic() - began
        self._running.remove(following)
        new = sorted(self._new())
        model = new[-1] / "model.ubj" if new else None
        resumed = log.read_text().count("goes on by itself")
        told.append(f"ended with {following.returncode}, {resumed} resumed")
        return model.read_bytes() if model and model.exists() else b"", took_s, ", ".join(told)

    def _new(self) -> set[Path]:
        return set(self._operator.results.glob("2*")) - self._known

    def _kill(self, victim: str) -> bool:
        if victim == "service":
            self._running[0].kill()
            self._running[0].wait()
            self._running[0] = self._operator.serve()
            return True
        if victim == "superlink":
            wait_until(self._has_superlink, "a SuperLink", limit_s=60)
            return _killed(self._operator.superlink)
        if victim == "node":
            return _killed(lambda: _node(self._operator, self._chosen()))
        return _killed(self._process)

    def _has_superlink(self) -> bool:
        try:
            return self._operator.superlink().is_running()
        except (AssertionError, psutil.NoSuchProcess):
            return False

    def _chosen(self) -> subprocess.Popen[bytes]:
        return self._running[1 + self._draws.randrange(len(self._names))]

    def _process(self) -> psutil.Process:
        new = self._new()
        described = read_run(max(new)).facts.get("process") if new else None
        return psutil.Process(int((described or {"pid": 2**30})["pid"]))


def _killed(find: Callable[[], psutil.Process]) -> bool:
    try:
        find().kill()
    except psutil.NoSuchProcess:
        return False
    return True


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
