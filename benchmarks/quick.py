"""What Glean costs as a few ratios, beside the limits in `limits.csv`: `make bench-quick`.

Each ratio has both its sides measured here, in turns, and counts by the least of what was taken:
other work on the machine only ever adds. One that is more than a quarter above its figure in the
table is measured twice more, then told, and the command ends with 1. `--update` writes the table
anew; `--repeats 3`.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pooled import DEFINITION, pooled_cpu_s, prepared_bakeries, rounds_cpu_s
from benchmarks.round_cost import in_one_place
from benchmarks.rounds_run import as_glean_commands_do, cost_of
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, VARIANTS, Config
from glean.features.matrix import FeatureMatrix, stack
from glean.settings import RunSettings

LIMITS = Path(__file__).with_name("limits.csv")
TOLERATED = 1.25
REPEATS = 3
BAKERIES, ROUNDS = 40, 20
FEW, MANY = 25, 100
_AGAIN = 2
_SHORT_REPEATS = 5
_WARM_BAKERIES, _WARM_ROUNDS = 3, 2


@dataclass(frozen=True)
class Ratio:
    """A ratio that is watched.

    Parameters
    ----------
    name : str
        As in the table.
    what, beside : callable
        What is measured, and beside what; each gives seconds, or bytes.
    """

    name: str
    what: Callable[[], float]
    beside: Callable[[], float]

    def measure(self, repeats: int) -> float:
        """Least of what was measured by the least of what it stands beside."""
        pairs = [(self.what(), self.beside()) for _ in range(repeats)]
        return min(what for what, _ in pairs) / min(beside for _, beside in pairs)


def ratios(scratch: Path) -> list[Ratio]:
    """Make ready what is measured."""
    settings = RunSettings.from_config(_config(HISTOGRAM))
    rows = stack([bakery.training(DEFINITION) for bakery in prepared_bakeries(settings, BAKERIES)])
    found = [
        Ratio(f"rounds of {name}, CPU / the same trees in one place", rounds, pooled)
        for name, rounds, pooled in _variants(rows, scratch)
    ]
    masked = REFIT + MASKED
    return [
        *found,
        Ratio(
            f"bytes a bakery of {masked}, {MANY} bakeries / {FEW}",
            lambda: _bytes(masked, MANY),
            lambda: _bytes(masked, FEW),
        ),
        Ratio(
            "glean --help, CPU / import numpy",
            _least("-m", "glean", "--help"),
            _least("-c", "import numpy"),
        ),
        Ratio(
            "glean simulate in process, CPU / XGBoost on 40 bakeries' rows",
            lambda: _command_s("-m", "glean", "simulate", "--engine=inprocess", f"--out={scratch}"),
            lambda: pooled_cpu_s(rows, settings),
        ),
    ]


def _variants(
    rows: FeatureMatrix, scratch: Path
) -> list[tuple[str, Callable[[], float], Callable[[], float]]]:
    """Give each variant's rounds, warm, and XGBoost that grows as many trees on all rows."""

    def rounds_of(name: str) -> Callable[[], float]:
        warm = VARIANTS[name] | {"num-server-rounds": _WARM_ROUNDS}
        rounds_cpu_s(warm, _WARM_BAKERIES, scratch)
        return lambda: rounds_cpu_s(_config(name), BAKERIES, scratch)

    def pooled_of(name: str) -> Callable[[], float]:
        settings = in_one_place(RunSettings.from_config(_config(name)))
        return lambda: pooled_cpu_s(rows, settings)

    names = (HISTOGRAM, HISTOGRAM + MASKED, REFIT, REFIT + MASKED)
    return [(name, rounds_of(name), pooled_of(name)) for name in names]


def _config(name: str) -> Config:
    return VARIANTS[name] | {"num-server-rounds": ROUNDS}


def _bytes(name: str, bakeries: int) -> float:
    cost = cost_of(bakeries, VARIANTS[name] | {"num-server-rounds": _WARM_ROUNDS})
    return cost.spent.payload / bakeries


def _least(*words: str) -> Callable[[], float]:
    """Give the least of a few times, since one is short."""
    return lambda: min(_command_s(*words) for _ in range(_SHORT_REPEATS))


def _command_s(*words: str) -> float:
    """CPU time of a Python that runs these words."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def read_limits(path: Path = LIMITS) -> dict[str, float]:
    """Read the table: a ratio's name, and what it was when it was set."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["ratio"]: float(row["figure"]) for row in csv.DictReader(file)}


def write_limits(figures: Mapping[str, float], path: Path = LIMITS) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ratio", "figure"))
        writer.writerows((name, f"{figure:.3g}") for name, figure in figures.items())


def exceeded(figures: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    """Say which figures are too far above the table's, and which aren't in it."""
    return [
        f"{name}: {figure:.3g}; the table has {limits.get(name, float('nan')):.3g}, and at most "
        f"{TOLERATED:g} times that is wanted"
        for name, figure in figures.items()
        if not figure <= TOLERATED * limits.get(name, float("nan"))
    ]


def main() -> int:
    """Print each ratio beside its figure in the table; 1 when one is too high."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--update", action="store_true", help="write the table anew")
    asked = parser.parse_args()
    as_glean_commands_do()
    limits = read_limits() if LIMITS.exists() else {}
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for ratio in ratios(Path(scratch)):
            figure = ratio.measure(asked.repeats)
            for _ in range(0 if asked.update else _AGAIN):
                if exceeded({ratio.name: figure}, limits):
                    figure = min(figure, ratio.measure(asked.repeats))
            figures[ratio.name] = figure
            known = limits.get(ratio.name, float("nan"))
            print(f"{ratio.name:62} {figure:8.3g}, the table has {known:.3g}", flush=True)
    if asked.update:
        write_limits(figures)
        return 0
    missed = exceeded(figures, limits)
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
