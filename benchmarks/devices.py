"""From which table size on growing trees is faster on a GPU than on one CPU core.

Run `python -m benchmarks.devices` in an environment whose XGBoost finds a GPU.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from glean.errors import SettingsError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features, stack
from glean.learning.boosting import TreeLearner
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.settings import BoostingSettings

ROWS = (1_000, 10_000, 100_000, 1_000_000)
STEPS = 20
REPEATS = 3


def main() -> int:
    """Print the seconds for 20 trees by number of rows; 1 where there is no GPU."""
    definition = FeatureDefinition(1, season=True)
    features = stack([build_features(synthetic_bakery(k).table, definition) for k in range(5)])
    print(f"seconds for {STEPS} trees, median of {REPEATS}")
    print(f"{'rows':>10} {'cpu, one core':>14} {'gpu':>8} {'cpu / gpu':>10}")
    for rows in ROWS:
        copies = stack([features] * (rows // len(features) + 1))
        wanted = copies.rows(np.arange(len(copies)) < rows)
        try:
            cpu, gpu = _seconds(wanted, "cpu"), _seconds(wanted, "gpu")
        except SettingsError as error:
            print(error)
            return 1
        print(f"{rows:>10,} {cpu:>14.3f} {gpu:>8.3f} {cpu / gpu:>10.2f}")
    return 0


def _seconds(features: FeatureMatrix, device: str) -> float:
    learner = TreeLearner(features, boosting=BoostingSettings(), device=device)
    margin = learner.start()
    taken = []
    # The first time the rows are brought to the device, as a run does once.
    for seed in range(REPEATS + 1):
        start = time.perf_counter()
        learner.grow(margin, learning_rate=0.4, steps=STEPS, seed=seed)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
