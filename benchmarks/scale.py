"""What more bakeries cost: seconds, bytes and memory from 50 to 1,000, and 10,000 small ones.

Each run has a process of its own, which has run a few bakeries before the clock starts. Run
`python -m benchmarks.scale` (options: --sizes 50,1000, --small 10000; --small 0 leaves the
small ones out). `histogram` has fewer rounds: six exchanges each, and twelve with masks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.rounds_run import Cost, cost_of
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, VARIANTS, Config

SIZES = "50,1000"
SMALL = 10_000
ROUNDS = {REFIT: 20, REFIT + MASKED: 20, HISTOGRAM: 5, HISTOGRAM + MASKED: 5}

SLACK = 0.2
"""How much more a bakery may cost among many than among few."""

MOST_GIB, MOST_SMALL_GIB = 8.0, 20.0
"""At 1,000 synthetic bakeries (the limit is kept at any size measured) and at the small ones."""

SMALL_ROUNDS = 1
SMALL_CONFIG: Config = {
    "newcomer-fraction": 1.0,
    "newcomer-days": 60,
    "num-server-rounds": SMALL_ROUNDS,
}
"""Bakeries whose last 60 days before the test window are all that there is."""


def cost_ratios(costs: Sequence[Cost]) -> dict[str, float]:
    """Cost of a bakery in the largest run, as a multiple of the smallest run's."""
    few, many = costs[0], costs[-1]
    ratio = few.bakeries / many.bakeries
    return {
        "seconds": ratio * many.spent.seconds / few.spent.seconds,
        "bytes": ratio * many.spent.payload / few.spent.payload,
    }


def misses(name: str, costs: Sequence[Cost]) -> list[str]:
    """Say which limits the runs of one variant don't keep."""
    found = [
        f"{name}: a bakery costs {times:.2f} times the {what} at {costs[-1].bakeries:,} that it "
        f"costs at {costs[0].bakeries:,}, wanted {1 + SLACK} or less"
        for what, times in cost_ratios(costs).items()
        if times > 1 + SLACK
    ]
    return found + _too_large(name, costs, limit_gib=MOST_GIB)


def _too_large(name: str, costs: Sequence[Cost], *, limit_gib: float) -> list[str]:
    return [
        f"{name}: {cost.bakeries:,} bakeries took {cost.peak_gib:.1f} GiB, wanted {limit_gib:g}"
        for cost in costs
        if cost.peak_gib > limit_gib
    ]


def _print_row(name: str, rounds: int, cost: Cost) -> None:
    spent = cost.spent
    print(
        f"{name:24} {rounds:6d} {cost.bakeries:8,} {spent.exchanges:9d} {spent.seconds:8.1f} "
        f"{1e3 * spent.seconds / cost.bakeries:12.1f} {spent.payload / cost.bakeries / 1e3:11.1f} "
        f"{cost.peak_gib:9.2f}",
        flush=True,
    )


def main() -> int:
    """Print a row a run; 1 when a limit isn't kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--small", type=int, default=SMALL)
    args = parser.parse_args()
    print(
        f"{'':24} {'rounds':>6} {'bakeries':>8} {'exchanges':>9} {'seconds':>8} "
        f"{'ms a bakery':>12} {'kB a bakery':>11} {'peak, GiB':>9}"
    )
    missed: list[str] = []
    for name, rounds in ROUNDS.items():
        config = VARIANTS[name] | {"num-server-rounds": rounds}
        costs = []
        for size in (int(text) for text in args.sizes.split(",")):
            costs.append(cost_of(size, config, warm=True))
            _print_row(name, rounds, costs[-1])
        missed += misses(name, costs)
    if args.small:
        name = REFIT + MASKED
        small = cost_of(args.small, VARIANTS[name] | SMALL_CONFIG, warm=True)
        _print_row(f"{name}, 60 days", SMALL_ROUNDS, small)
        missed += _too_large(name, [small], limit_gib=MOST_SMALL_GIB)
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
