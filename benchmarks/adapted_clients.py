"""Clients that train a part of a run's network: how they come off, and what their mean is by.

`python -m benchmarks.adapted_clients` (options: --images PATH, --clients N, --rounds N, --seeds N).
Of the clients some have `cnn-half` in a run of `cnn`. A weight that these don't have is averaged as
the product does it, with the clients that don't train it giving it as it was, and over those alone
who train it. Beside it stands each client's network trained alone. Accuracy is on validation
pictures; no test picture is looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from glean.classification import ClassificationSums
from glean.images.adaptation.own_network import matching_of, simulated_network
from glean.images.partition import ImagePartition
from glean.images.workload import IMAGES
from glean.learning.learning_rates import learning_rate_of
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings

MIXES = ("cnn,cnn,cnn-half", "cnn,cnn-half", "cnn,cnn-half,cnn-half,cnn-half")


def main() -> int:
    """Print a row a mix of networks and seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", default="")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--reduced", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    print(f"{'accuracy on validation pictures':34}{'cnn':>8}{'cnn-half':>10}")
    for mix in MIXES:
        for seed in range(1, asked.seeds + 1):
            config: dict[str, ConfigValue] = {
                "workload": "images",
                "images": asked.images,
                "image-models": mix,
                "adapt-weights": True,
                "adapt-shapes": True,
                "num-server-rounds": asked.rounds,
                "reduced-data": asked.reduced,
                "alpha": 1.0,
                "seed": seed,
            }
            print(f"{mix}, seed {seed}")
            _show(RunSettings.from_config(config), asked.clients)
    return 0


def _show(settings: RunSettings, count: int) -> None:
    nodes = [NodeSettings(partition=k, partitions=count) for k in range(count)]
    clients = [IMAGES.open_partition(node, settings, newcomer=False) for node in nodes]
    spec = IMAGES.negotiate([client.facts() for client in clients], settings)
    networks = [simulated_network(settings, place) for place in range(count)]
    for name, by_weight in (("as it was", False), ("those who train it", True)):
        model = _last_model(clients, networks, spec, settings, by_weight=by_weight)
        _row(name, networks, [client.score(model) for client in clients])
    rate = learning_rate_of(settings.rounds)
    alone = [client.local_weights(spec, rate) for client in clients]
    scores = [c.score(w) for c, w in zip(clients, alone, strict=True) if w is not None]
    _row("alone", networks, scores)


def _last_model(
    clients: Sequence[ImagePartition],
    networks: Sequence[str],
    spec: str,
    settings: RunSettings,
    *,
    by_weight: bool,
) -> Weights:
    """Go through the rounds by plain means; the last model."""
    model, rate = IMAGES.first_model(spec, settings), learning_rate_of(settings.rounds)
    for number in range(1, settings.rounds.num_server_rounds + 1):
        total = {name: np.zeros(values.shape) for name, values in model.arrays.items()}
        counts = {name: np.zeros(values.shape) for name, values in model.arrays.items()}
        for client, network in zip(clients, networks, strict=True):
            seed = derived_seed(settings.seed, "train", number, client.name)
            given = client.fit(model, learning_rate=rate, seed=seed, number=number)
            shared = matching_of(network, spec, settings).shared
            pictures, _ = client.totals()
            for name, values in given.arrays.items():
                if by_weight and name not in shared:
                    continue
                places = shared[name] if by_weight else ()
                counts[name][places] += pictures
                total[name][places] += pictures * values[places]
        arrays = {name: (total[name] / counts[name]).astype(np.float32) for name in total}
        model = Weights(model.kind, spec, arrays)
    return model


def _row(name: str, networks: Sequence[str], scores: Sequence[ClassificationSums]) -> None:
    cells = []
    for network in ("cnn", "cnn-half"):
        mine = [one for one, its in zip(scores, networks, strict=True) if its == network]
        hits, rows = sum(one.hits for one in mine), sum(one.rows for one in mine)
        cells.append(hits / rows)
    print(f"  {name:32}{cells[0]:8.3f}{cells[1]:10.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
