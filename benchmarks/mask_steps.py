"""What a step of secure sums costs a bakery and the server, by part, without any message.

That is the floor of masked rounds: whatever carries the bytes comes on top. Run
`python -m benchmarks.mask_steps` (options: --bakeries 40, --steps 20, --lengths 2,5300,21000:
numbers in a vector; 5,300 are the mean of `histogram`, 21,000 what its last level has).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_messages import UnmaskRequest
from glean.privacy.mask_seeds import MaskStream
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound

BAKERIES, STEPS = 40, 20
LENGTHS = "2,5300,21000"
EPOCH = "benchmark"

Result = TypeVar("Result")


class Parts:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def timed(self, part: str, work: Callable[[], Result]) -> Result:
        """Do it, and add what it took."""
        start = time.process_time()
        found = work()
        self.spent[part] = self.spent.get(part, 0.0) + time.process_time() - start
        return found


def agreed(bakeries: int) -> list[SecAggClient]:
    """Bakeries that hold each other's keys."""
    keys = [KeyPair.new(f"bakery {number:05}", epoch=EPOCH) for number in range(bakeries)]
    cohort = Cohort.of([key.advertisement for key in keys], epoch=EPOCH, seed=b"public")
    return [SecAggClient(key, cohort) for key in keys]


def one_step(clients: list[SecAggClient], step: int, length: int, parts: Parts) -> None:
    """Sum one vector of each, and check the sum."""
    cohort = clients[0].cohort
    vectors = np.random.default_rng(step).integers(
        0, 2**40, (len(clients), length), dtype=np.uint64
    )
    by_name = dict(zip(cohort.names, clients, strict=True))
    summed = SecAggRound(cohort, step=step, participants=cohort.everybody, length=length)
    masked = parts.timed(
        "bakeries: mask",
        lambda: [
            client.mask(vector, step=step, participants=cohort.everybody).to_bytes()
            for client, vector in zip(clients, vectors, strict=True)
        ],
    )

    def take_inputs() -> dict[str, bytes]:
        for name, content in zip(cohort.names, masked, strict=True):
            summed.take_input(name, content)
        return {name: request.to_bytes() for name, request in summed.unmask_requests().items()}

    def replies() -> dict[str, bytes]:
        return {
            name: by_name[name].unmask(UnmaskRequest.from_bytes(content)).to_bytes()
            for name, content in requests.items()
        }

    def unmasked() -> np.ndarray:
        for name, content in given.items():
            summed.take_reply(name, content)
        return summed.result()

    requests = parts.timed("server: take", take_inputs)
    given = parts.timed("bakeries: unmask", replies)
    total = parts.timed("server: open", unmasked)
    assert (total == vectors.sum(axis=0)).all(), "masks change no sum"


def streams(client: SecAggClient, length: int, parts: Parts) -> None:
    """Stretch and add as many keys as one bakery does for a vector."""
    keys = [number.to_bytes(32, "big") for number in range(len(client.neighbours) + 1)]
    total = np.zeros(length, np.uint64)
    parts.timed("of it streams", lambda: MaskStream(length).add(keys, total))


def main() -> int:
    """Print microseconds of CPU for each vector."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakeries", type=int, default=BAKERIES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--lengths", default=LENGTHS)
    args = parser.parse_args()
    clients = agreed(args.bakeries)
    one_step(clients, 1, 2, Parts())  # keys of pairs are made once a run
    step = 1
    print(f"{args.bakeries} bakeries, {len(clients[0].neighbours)} neighbours, us CPU a vector")
    for length in map(int, args.lengths.split(",")):
        parts = Parts()
        for _ in range(args.steps):
            step += 1
            one_step(clients, step, length, parts)
            for client in clients:
                streams(client, length, parts)
        vectors = args.steps * len(clients)
        of_it = parts.spent.pop("of it streams") / vectors
        found = {part: spent / vectors for part, spent in parts.spent.items()}
        said = ", ".join(f"{part} {1e6 * spent:.0f}" for part, spent in found.items())
        whole = 1e6 * sum(found.values())
        print(f"{length:6d} numbers: {whole:.0f}; {said}; of it streams {1e6 * of_it:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
