"""What a simulation's messages weigh on Ray: the message itself, and the context that goes along.

Run `python -m benchmarks.ray_messages` (option: --bakeries 5). For each kind of message it tells
how many there were, and the mean of kB of the message, of the bakery's context, and of both on the
way back, each pickled as Ray does it; then all together, and how many were above the 100 kB from
which Ray puts an argument into its object store. The run itself is in this process.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ray import cloudpickle

from glean.client_app import app as client_app
from glean.federation.grids.client_host import ClientHost
from glean.federation.grids.inprocess import InProcessGrid, run_inprocess
from glean.server_app import app as server_app
from glean.settings import RunSettings

STORED_FROM = 100 * 1024
"""Bytes: Ray's `max_direct_call_object_size`."""

Sizes = Mapping[str, Sequence[tuple[int, int, int, int]]]


class WeighedGrid(InProcessGrid):
    """Weighs what Ray would carry."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.sizes: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)

    def pull_messages(self, message_ids: Any) -> list[Any]:
        """Let the next node answer, and weigh both ways."""
        asked = next((self._unanswered[i] for i in message_ids if i in self._unanswered), None)
        if asked is None:
            return []
        host = self._hosts[asked.metadata.dst_node_id]
        there = (_bytes(asked), _bytes_of_context(host))
        replies = super().pull_messages(message_ids)
        kind = asked.metadata.message_type
        self.sizes[kind].append((*there, _bytes(replies[0]), _bytes_of_context(host)))
        return replies


def weigh(bakeries: int) -> Sizes:
    """Run a simulation with the default settings; the sizes of all messages by kind."""
    with tempfile.TemporaryDirectory() as scratch:
        config = RunSettings().to_config() | {"output-dir": str(Path(scratch))}
        nodes = [{"partition-id": k, "num-partitions": bakeries} for k in range(bakeries)]
        grid = WeighedGrid(client_app, nodes, config, run_id=1)
        run_inprocess(server_app, grid, config)
    return grid.sizes


def _bytes(value: object) -> int:
    return len(cloudpickle.dumps(value))


def _bytes_of_context(host: ClientHost) -> int:
    return _bytes(host.plain_context())


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bakeries", type=int, default=5)
    found = weigh(options.parse_args().bakeries)
    print(f"{'':16} {'messages':>8} {'message':>8} {'context':>8} {'reply':>8} {'context':>8}")
    for kind, sizes in found.items():
        print(f"{kind:16} {len(sizes):8}", *(f"{kb:8.1f}" for kb in np.mean(sizes, axis=0) / 1e3))
    whole = np.concatenate([np.array(sizes) for sizes in found.values()])
    total = whole.sum(axis=0)
    print(f"all, kB: {total.sum() / 1e3:.0f}; contexts {total[[1, 3]].sum() / total.sum():.0%}")
    print(f"arguments and results for the object store: {(whole >= STORED_FROM).sum()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
