"""How good averaging over clients is beside a model of all rows in one place, on Fisher's irises.

Run `python -m benchmarks.iris` (options: --seeds 20, --clients 5). A seed splits the flowers anew;
a federation of the default settings is run in this process, and scikit-learn's logistic regression
is fitted to the training rows of all its clients. Both are scored on the same test rows. The mean
accuracy of the federation may be one point lower.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from glean.iris.workload import IRIS
from glean.operations.running.simulation import prepare_simulation, run_simulation
from glean.settings import RunSettings

SEEDS = 20
CLIENTS = 5
LIMIT = 0.01

Floats = NDArray[np.float64]


def pooled_accuracy(seed: int, *, clients: int) -> float:
    """Accuracy on the test rows of all clients, of a model fitted to all their training rows."""
    shares = IRIS.split(clients, RunSettings(seed=seed))
    (x, labels), (test_x, test_labels) = (
        tuple(np.concatenate(parts) for parts in zip(*(share[k] for share in shares), strict=True))
        for k in (0, 2)
    )
    model = LogisticRegression(max_iter=1_000).fit(x, labels)
    return float((model.predict(test_x) == test_labels).mean())


def federated_accuracy(seed: int, *, clients: int, results: Path) -> float:
    """Accuracy on the same rows, of the model of a federation."""
    prepared = prepare_simulation(
        {"workload": "iris", "seed": seed}, engine="inprocess", bakeries=clients, results=results
    )
    scores = pd.read_csv(run_simulation(prepared, lambda _run: None) / "bakeries.csv")
    return float(scores["hits"].sum() / scores["rows"].sum())


def misses(federated: Floats, pooled: Floats) -> list[str]:
    """Say by how much the limit is missed; nothing where it is kept."""
    lost = pooled.mean() - federated.mean()
    if lost <= LIMIT:
        return []
    return [f"accuracy: {lost:.4f} below pooled; wanted {LIMIT} or less"]


def main() -> int:
    """Print a row a seed and the means; 1 where the federation is too far below pooled."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    args = parser.parse_args()
    print(f"{'seed':>4} {'federated':>10} {'pooled':>10}")
    found = []
    with tempfile.TemporaryDirectory() as results:
        for seed in range(args.seeds):
            federated = federated_accuracy(seed, clients=args.clients, results=Path(results))
            found.append((federated, pooled_accuracy(seed, clients=args.clients)))
            print(f"{seed:4d} {found[-1][0]:10.4f} {found[-1][1]:10.4f}", flush=True)
    federated_all, pooled_all = np.array(found).T
    print(f"mean {federated_all.mean():10.4f} {pooled_all.mean():10.4f}")
    missed = misses(federated_all, pooled_all)
    print("\n".join(missed))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
