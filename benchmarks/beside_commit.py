"""Whole runs of this tree beside those of an earlier commit, in turns.

`python -m benchmarks.beside_commit` (options: --commit 1b91300, --repeats 5, --jobs NAME,NAME). The
commit is unpacked from this clone's history and run by this Python, with the packages that it has.
A run of this tree is told by `privacy=sums`, which is what that commit knows, and by the defaults,
so that what later features add is seen. Times are medians of the whole command, on the wall.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

from benchmarks.jobs import ROOT

COMMIT = "1b91300"
REPEATS = 5
GIT = shutil.which("git") or "git"
SUMS = ("--set=privacy=sums",)
ROUNDS = "--set=baselines=false"
"""Without each bakery's own models, choice, ranges and plans, where most of what is new is."""

_SIDES = ("then", "sums", "default")


@dataclass(frozen=True)
class Command:
    """A command that both trees know.

    Parameters
    ----------
    name : str
    words : tuple of str
        Behind `glean`.
    wanted : float or None
        What a run with open or masked sums may take, as a share of what it took then.
    """

    name: str
    words: tuple[str, ...]
    wanted: float | None


COMMANDS = (
    Command("main-inprocess", ("simulate", "--engine=inprocess"), 0.6),
    Command("main-ray", ("simulate", "--engine=ray"), 0.8),
    Command("rounds-inprocess", ("simulate", "--engine=inprocess", ROUNDS), None),
    Command("rounds-ray", ("simulate", "--engine=ray", ROUNDS), None),
    Command("main-growth", ("simulate", "--engine=inprocess", "--growth"), None),
    Command("bakeries-40-ray", ("simulate", "--engine=ray", "--bakeries=40"), 0.5),
)


def main() -> int:
    """Print a row a command; 1 where one takes a greater share than is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--commit", default=COMMIT)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--jobs", default=",".join(command.name for command in COMMANDS))
    asked = parser.parse_args()
    missed = False
    print(f"{'median seconds':18}" + "".join(f"{side:>10}" for side in _SIDES) + "    sums / then")
    with tempfile.TemporaryDirectory() as scratch:
        then = unpacked(asked.commit, Path(scratch) / "then")
        for command in COMMANDS:
            if command.name in asked.jobs.split(","):
                seconds = in_turns(command, then, Path(scratch), asked.repeats)
                missed |= _told(command, seconds)
    return int(missed)


def unpacked(commit: str, folder: Path) -> Path:
    """Write the tree of a commit of this clone."""
    archive = subprocess.run(
        [GIT, "archive", commit], cwd=ROOT, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tree:
        tree.extractall(folder, filter="data")
    return folder


def in_turns(
    command: Command, then: Path, scratch: Path, repeats: int
) -> Mapping[str, list[float]]:
    """Time each side as often, one after the other, after a first time that compiles bytecode."""
    sides = dict(zip(_SIDES, _sides(command, then), strict=True))
    for tree, words in list(sides.values())[:2]:
        whole_s(tree, words, scratch)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, (tree, words) in sides.items():
            seconds[side].append(whole_s(tree, words, scratch))
    return seconds


def _sides(command: Command, then: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    yield then, command.words
    yield ROOT, command.words + SUMS
    yield ROOT, command.words


def whole_s(tree: Path, words: Sequence[str], scratch: Path) -> float:
    """Wall time of `glean` of that tree."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "glean", *words, f"--out={scratch / 'runs'}"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def _told(command: Command, seconds: Mapping[str, list[float]]) -> bool:
    """Print a command's row, and say whether its share is too great."""
    medians = [median(seconds[side]) for side in _SIDES]
    share = medians[1] / medians[0]
    wanted = "" if command.wanted is None else f" (wanted: at most {command.wanted:g})"
    figures = "".join(f"{figure:10.1f}" for figure in medians)
    print(f"{command.name:18}{figures}{share:15.2f}{wanted}", flush=True)
    return command.wanted is not None and share > command.wanted


if __name__ == "__main__":
    sys.exit(main())
