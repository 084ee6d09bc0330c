"""What secure sums add: seconds, CPU time, exchanges and bytes of one job with and without masks.

Run `python -m benchmarks.masks` (options: --bakeries 40, --rounds 20). The model has to be the same
to the byte.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.rounds_run import Cost, cost_of
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, VARIANTS

BAKERIES = 40
ROUNDS = 20


def _print_row(name: str, cost: Cost) -> None:
    spent = cost.spent
    print(
        f"{name:24} {spent.seconds:8.2f} {cost.cpu_s:8.2f} {spent.exchanges:9d} "
        f"{spent.bytes_down / cost.bakeries / 1e3:10.1f} "
        f"{spent.bytes_up / cost.bakeries / 1e3:10.1f}  {cost.model[:12]}",
        flush=True,
    )


def _print_added(open_sums: Cost, masked: Cost) -> None:
    bakeries = masked.bakeries
    added = (masked.spent.payload - open_sums.spent.payload) / bakeries / 1e3
    print(
        f"{'masks add':24} {masked.spent.seconds - open_sums.spent.seconds:8.2f} "
        f"{masked.cpu_s - open_sums.cpu_s:8.2f} "
        f"{masked.spent.exchanges - open_sums.spent.exchanges:9d} {added:10.1f} kB both ways "
        f"({added * 1e3 * bakeries / open_sums.spent.payload:.1%})"
    )


def main() -> int:
    """Print both runs of each aggregation; 1 when their models differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakeries", type=int, default=BAKERIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    print(f"{args.bakeries} synthetic bakeries, {args.rounds} rounds")
    print(
        f"{'':24} {'seconds':>8} {'CPU, s':>8} {'exchanges':>9} {'down, kB':>10} {'up, kB':>10}  "
        "model"
    )
    differ = []
    for name in (REFIT, HISTOGRAM):
        costs = [
            cost_of(args.bakeries, VARIANTS[key] | {"num-server-rounds": args.rounds}, warm=True)
            for key in (name, name + MASKED)
        ]
        for key, cost in zip((name, name + MASKED), costs, strict=True):
            _print_row(key, cost)
        _print_added(*costs)
        if costs[0].model != costs[1].model:
            differ.append(name)
    for name in differ:
        print(f"{name}: the model with masks is another one, wanted the same to the byte")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
