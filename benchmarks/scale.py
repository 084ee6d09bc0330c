"""What more bakeries cost: seconds, bytes and memory, from 50 to 10,000.

Each run has a process of its own, which has run a few bakeries before the clock starts, and as much
memory for bakeries' rows as `GLEAN_MEMORY` says. Run `python -m benchmarks.scale` (options:
--sizes 50,1000; --only NAME, one of the variants that it prints, or "noise", which is left out
otherwise). For 10,000: `--sizes 50,500,2000,10000 --only "bagging, refit, masked"`, half an hour.
`histogram` has fewer rounds: six exchanges each, and twelve with masks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.rounds_run import Cost, cost_of
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, VARIANTS, Config

SIZES = "50,1000"
NOISE = "noise"
TIMEOUT: Config = {"round-timeout-s": 86_400}
"""A round's: with the default of ten minutes a busy machine leaves some of ten thousand out."""

NOISED: dict[str, Config] = {NOISE: {"privacy": "noise", "min-contributors": 5}}
ROUNDS = {REFIT: 20, REFIT + MASKED: 20, HISTOGRAM: 5, HISTOGRAM + MASKED: 5, NOISE: 20}

SLACK = 0.2
"""How much more a bakery may cost among many than among few."""

MANY, MOST_GIB, MOST_GIB_OF_MORE = 1_000, 2.0, 8.0
"""Memory at up to so many bakeries, and at more."""


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
    return found + [
        f"{name}: {cost.bakeries:,} bakeries took {cost.peak_gib:.1f} GiB, wanted {most:g}"
        for cost in costs
        if cost.peak_gib > (most := MOST_GIB if cost.bakeries <= MANY else MOST_GIB_OF_MORE)
    ]


def _print_row(name: str, rounds: int, cost: Cost) -> None:
    spent = cost.spent
    each = 1e3 / cost.bakeries
    print(
        f"{name:24} {rounds:6d} {cost.bakeries:8,} {spent.exchanges:9d} {spent.seconds:8.1f} "
        f"{each * spent.seconds:12.1f} {each * cost.cpu_s:9.1f} "
        f"{spent.payload / cost.bakeries / 1e3:11.1f} {cost.peak_gib:9.2f}",
        flush=True,
    )


def main() -> int:
    """Print a row a run; 1 when a limit isn't kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--only", choices=ROUNDS, default="")
    args = parser.parse_args()
    print(
        f"{'':24} {'rounds':>6} {'bakeries':>8} {'exchanges':>9} {'seconds':>8} "
        f"{'ms a bakery':>12} {'of it CPU':>9} {'kB a bakery':>11} {'peak, GiB':>9}"
    )
    missed: list[str] = []
    for name in [args.only] if args.only else [name for name in ROUNDS if name != NOISE]:
        config = (VARIANTS | NOISED)[name] | TIMEOUT | {"num-server-rounds": ROUNDS[name]}
        costs = []
        for size in (int(text) for text in args.sizes.split(",")):
            costs.append(cost_of(size, config, warm=True))
            _print_row(name, ROUNDS[name], costs[-1])
        missed += misses(name, costs)
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
