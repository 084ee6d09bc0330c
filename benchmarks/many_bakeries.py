"""Does training stay stable with many bakeries? Validation WAPE by round, Glean and Flower's rule.

Both grow the same kind of tree on the same rows at the same learning rate. Glean scales each
bakery's leaves by its share of the weight; Flower's FedXgbBagging adds all trees as they are, so
that its step is the number of bakeries times the rate. Run `python -m benchmarks.many_bakeries`
(options: the number of bakeries, and of rounds).
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from flwr.serverapp.strategy import FedXgbBagging

from benchmarks.federations import validation_curve
from benchmarks.stock_bakery import no_model, stock_bakery, stock_client
from benchmarks.variants import SCALED, VARIANTS
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.learning.learning_rates import learning_rate_of
from glean.settings import RunSettings

BAKERIES = 50
ROUNDS = 20


def stock_curve(settings: RunSettings, count: int) -> list[float]:
    """Return the validation WAPE by round of Flower's FedXgbBagging."""
    bakeries = [stock_bakery(k, settings) for k in range(count)]
    nodes = [{"partition-id": k} for k in range(count)]
    app = stock_client(lambda context: bakeries[int(context.node_config["partition-id"])])
    grid = InProcessGrid(app, nodes, {}, run_id=1)
    with as_server(grid):
        strategy = FedXgbBagging(min_train_nodes=count, min_evaluate_nodes=count)
        result = strategy.start(grid, no_model(), num_rounds=settings.rounds.num_server_rounds)
    curve = []
    for _, metrics in sorted(result.evaluate_metrics_clientapp.items()):
        error, units = metrics["abs_error"], metrics["units"]
        assert isinstance(error, float), error
        assert isinstance(units, float), units
        curve.append(error / units)
    return curve


def main() -> int:
    """Print both curves; 1 when Glean's ever rose above its first round."""
    words = [int(word) for word in sys.argv[1:]]
    count, rounds = (words + [BAKERIES, ROUNDS][len(words) :])[:2]
    logging.getLogger("flwr").setLevel(logging.ERROR)
    settings = RunSettings.from_config(VARIANTS[SCALED] | {"num-server-rounds": rounds})
    with tempfile.TemporaryDirectory() as scratch:
        glean = validation_curve(settings, count, Path(scratch))
    stock = stock_curve(settings, count)
    rate = learning_rate_of(settings.rounds)
    print(f"{count} synthetic bakeries, learning rate {rate}, validation WAPE")
    print(f"{'round':>5} {'Glean':>8} {'Flower FedXgbBagging':>22}")
    for number, (ours, theirs) in enumerate(zip(glean, stock, strict=True), start=1):
        print(f"{number:5d} {ours:8.4f} {theirs:22.4f}")
    for name, curve in (("Glean", glean), ("Flower", stock)):
        print(f"{name}: round 1 {curve[0]:.4f}, highest later {max(curve[1:]):.4f}")
    rose = max(glean[1:]) > glean[0]
    if rose:
        print("Glean's validation WAPE rose above round 1's; wanted: never")
    return int(rose)


if __name__ == "__main__":
    sys.exit(main())
