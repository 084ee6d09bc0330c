"""Glean beside Flower's stock FedXgbBagging at 5 to 1,000 bakeries: time and bytes by size.

The same local work on the same rows: one tree a bakery and round, XGBoost's parameters as Glean has
them. The stock strategy goes as far as it gets in a time limit, in process and on Ray; Glean does
as many rounds, at the rate of a whole run. Run `python -m benchmarks.stock` (options: --sizes
5,50,200,1000, --limit-s 600, --rounds 20, --no-ray).

The limits are on `bagging, scaled` at 200 bakeries, the aggregation that does what the stock one
does: the server's seconds in all (messages, checks, merging, checkpoints) against the stock one's
`aggregate_train` alone, the whole run in process against the stock run on Ray, and payload bytes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from benchmarks import stock_run
from benchmarks.rounds_run import Cost, cost_of
from benchmarks.stock_run import StockRun
from benchmarks.variants import SCALED, VARIANTS, shortened

SIZES = "5,50,200,1000"
ROUNDS = 20
LIMIT_S = 600.0
SIZE_WITH_LIMITS = 200
AGGREGATION_SHARE, WHOLE_SHARE, BYTES_SHARE = 1 / 100, 1 / 10, 1 / 10

_WIDTH = 26


@dataclass(frozen=True)
class Shares:
    """Glean's cost as a share of the stock run's after the same rounds; NaN where it has none."""

    aggregation: float
    whole: float
    payload: float

    def misses(self) -> list[str]:
        """Say which limits aren't kept; a figure that there isn't counts as missed."""
        limits = {
            "aggregation": (self.aggregation, AGGREGATION_SHARE),
            "whole run": (self.whole, WHOLE_SHARE),
            "bytes": (self.payload, BYTES_SHARE),
        }
        return [
            f"{name}: {share:.4f} of the stock run's, wanted {limit} or less"
            for name, (share, limit) in limits.items()
            if not share <= limit
        ]


def shares_of(stock: StockRun, glean: Cost, *, ray: StockRun | None, glean_ray: Cost) -> Shares:
    """Compare after equal rounds.

    Parameters
    ----------
    stock, glean : StockRun, Cost
        In process; both after the stock run's last round.
    ray, glean_ray : StockRun or None, Cost
        The stock run on Ray, and Glean in process after as many rounds.
    """
    last = stock.last
    return Shares(
        aggregation=_share(glean.spent.server_s, last.aggregation_s),
        whole=_share(glean_ray.process_s, ray.seconds if ray is not None else 0.0),
        payload=_share(glean.spent.payload, last.bytes_down + last.bytes_up),
    )


def _share(ours: float, theirs: float) -> float:
    return ours / theirs if theirs > 0 else float("nan")


def compare(bakeries: int, rounds: int, *, limit_s: float, ray: bool) -> Shares | None:
    """Run both at one size and print what they cost; None where the stock one ended no round."""
    stock = stock_run.in_process(bakeries, rounds, limit_s=limit_s)
    on_ray = stock_run.on_ray(bakeries, rounds, limit_s=limit_s) if ray else None
    print(f"\n{bakeries} bakeries, {rounds} rounds wanted, time limit {limit_s:.0f} s a stock run")
    print(
        f"{'':{_WIDTH}} {'rounds':>6} {'whole, s':>9} {'server, s':>9} "
        f"{'down, kB':>10} {'up, kB':>8}"
    )
    _print_stock("stock, in process", stock, bakeries)
    if on_ray is not None:
        _print_stock("stock, Ray", on_ray, bakeries)
    if not stock.last.round:
        print("the stock run ended no round in its time: nothing to compare")
        return None
    costs = {name: _glean(name, bakeries, stock.last.round) for name in VARIANTS}
    other = on_ray.last.round if on_ray is not None else 0
    glean_ray = costs[SCALED]
    if other not in (0, stock.last.round):
        glean_ray = _glean(SCALED, bakeries, other)
    found = shares_of(stock, costs[SCALED], ray=on_ray if other else None, glean_ray=glean_ray)
    print(
        f"{SCALED} / stock: aggregation {found.aggregation:.4f}, whole run (stock on Ray) "
        f"{found.whole:.3f}, bytes {found.payload:.3f}",
        flush=True,
    )
    return found


def _print_stock(name: str, run: StockRun, bakeries: int) -> None:
    last = run.last
    _print_row(
        name, last.round, run.seconds, last.aggregation_s, last.bytes_down, last.bytes_up, bakeries
    )


def _glean(name: str, bakeries: int, rounds: int) -> Cost:
    """Run a variant as far as the stock run came, and print its row."""
    cost = cost_of(bakeries, shortened(VARIANTS[name], rounds=rounds, of=ROUNDS))
    spent = cost.spent
    _print_row(
        name,
        rounds,
        cost.process_s,
        spent.server_s,
        spent.bytes_down,
        spent.bytes_up,
        bakeries,
    )
    return cost


def _print_row(
    name: str, rounds: int, whole_s: float, server_s: float, down: int, up: int, bakeries: int
) -> None:
    sizes = f"{down / bakeries / 1e3:10.1f} {up / bakeries / 1e3:8.1f}" if up else f"{'-':>10}"
    print(f"{name:{_WIDTH}} {rounds:6d} {whole_s:9.1f} {server_s:9.2f} {sizes}", flush=True)


def main() -> int:
    """Print a table a size; 1 when a limit at 200 bakeries isn't kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--limit-s", type=float, default=LIMIT_S)
    parser.add_argument("--no-ray", action="store_true")
    args = parser.parse_args()
    print(
        "whole: the process from its start, or the run on Ray from `flwr run`; server: Glean's in"
    )
    print("all, the stock one's aggregate_train; down, up: payload a bakery, of all rounds")
    missed: list[str] = []
    for size in (int(text) for text in args.sizes.split(",")):
        found = compare(size, args.rounds, limit_s=args.limit_s, ray=not args.no_ray)
        if size == SIZE_WITH_LIMITS:
            missed = found.misses() if found else ["the stock run ended no round in its time"]
    for line in missed:
        print(f"at {SIZE_WITH_LIMITS} bakeries {line}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
