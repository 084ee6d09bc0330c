"""How much CPU rounds take beside the same training in one place, and a message of them.

`histogram` stands beside XGBoost on all rows that grows one tree of the same depth a round; the
default, refitted leaves, beside XGBoost on all rows that grows as many trees a round as bakeries
propose and averages them. One thread each, in turns. Run `python -m benchmarks.round_cost`
(options: --bakeries 40, --repeats 3, --masks, --profile: what the rounds' time goes into).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.federations import federation_of
from benchmarks.pooled import DEFINITION, pooled_cpu_s, prepared_bakeries, rounds_cpu_s
from benchmarks.rounds_run import as_glean_commands_do
from benchmarks.sampled_profile import sampled, tree
from benchmarks.variants import HISTOGRAM, MASKED, REFIT, VARIANTS, Config
from glean.features.matrix import FeatureMatrix, stack
from glean.settings import RunSettings

BAKERIES, REPEATS = 40, 3
ROUNDS = {HISTOGRAM: 100, REFIT: 20}
MOST_TIMES = {HISTOGRAM: 3.0, HISTOGRAM + MASKED: 6.0, REFIT: 2.0, REFIT + MASKED: 4.0}
WARM_BAKERIES, WARM_ROUNDS = 3, 2
PROFILED, LEAST_SHARE = "training_loop.py:run", 0.01
"""What a profile is of, and the smallest share of it that has a line."""


@dataclass(frozen=True)
class RoundCost:
    """CPU seconds of rounds and of the same in one place, medians; and how many messages."""

    rounds_s: float
    pooled_s: float
    messages: int

    @property
    def times(self) -> float:
        """The rounds as a multiple of one place."""
        return self.rounds_s / self.pooled_s

    @property
    def message_ms(self) -> float:
        """All that the rounds do, for each message and its reply, milliseconds."""
        return 1e3 * self.rounds_s / self.messages


def in_one_place(settings: RunSettings) -> RunSettings:
    """Give the settings by which XGBoost grows as many trees on all rows."""
    if not settings.rounds.kind.proposals:
        return settings
    trees = settings.rounds.proposals_per_round
    return replace(settings, boosting=replace(settings.boosting, num_parallel_tree=trees))


def measured(config: Config, features: FeatureMatrix, bakeries: int, repeats: int) -> RoundCost:
    """Measure both in turns, so that a busy moment of the machine meets each of them."""
    settings = RunSettings.from_config(config)
    rounds, pooled = [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rounds_cpu_s(config | {"num-server-rounds": WARM_ROUNDS}, WARM_BAKERIES, scratch)
        for _ in range(repeats):
            rounds.append(rounds_cpu_s(config, bakeries, scratch))
            pooled.append(pooled_cpu_s(features, in_one_place(settings)))
    messages = _messages(config, bakeries)
    return RoundCost(statistics.median(rounds), statistics.median(pooled), messages)


def _messages(config: Config, bakeries: int) -> int:
    """Count the messages of the rounds by those of one round more or less."""
    counted = []
    for rounds in (1, 2):
        settings = RunSettings.from_config(config | {"num-server-rounds": rounds})
        with tempfile.TemporaryDirectory() as folder:
            federation = federation_of(settings, bakeries, Path(folder))
            federation.run()
            counted.append(federation.grid.so_far().messages)
    one, two = counted
    return one + (two - one) * (RunSettings.from_config(config).rounds.num_server_rounds - 1)


def profile(config: Config, bakeries: int, messages: int) -> None:
    """Print what the rounds' time goes into, microseconds a message and its reply."""
    settings = RunSettings.from_config(config)
    prepared_bakeries(settings, bakeries)
    with tempfile.TemporaryDirectory() as folder:
        federation = federation_of(settings, bakeries, Path(folder))
        spent, seen = sampled(federation.run)
    for depth, name, share in tree(seen, below=PROFILED, least=LEAST_SHARE):
        print(f"{1e6 * share * spent / messages:8.1f} {'  ' * depth}{name}")


def main() -> int:
    """Print the CPU times and their multiples; 1 when a limit isn't kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakeries", type=int, default=BAKERIES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--masks", action="store_true", help="with masks too")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    as_glean_commands_do()
    settings = RunSettings.from_config(VARIANTS[HISTOGRAM])
    opened = prepared_bakeries(settings, args.bakeries)
    features = stack([bakery.training(DEFINITION) for bakery in opened])
    print(f"{args.bakeries} bakeries, {len(features):,} rows, CPU s, median of {args.repeats}")
    print(f"{'':24} {'rounds':>6} {'s':>7} {'one place':>9} {'times':>6} {'ms/message':>10}")
    missed = False
    for name, rounds in ROUNDS.items():
        for key in (name, *([name + MASKED] if args.masks else [])):
            config = VARIANTS[key] | {"num-server-rounds": rounds}
            cost = measured(config, features, args.bakeries, args.repeats)
            print(
                f"{key:24} {rounds:6d} {cost.rounds_s:7.2f} {cost.pooled_s:9.2f} "
                f"{cost.times:6.2f} {cost.message_ms:10.3f}  wanted {MOST_TIMES[key]:g} times",
                flush=True,
            )
            missed |= cost.times > MOST_TIMES[key]
            if args.profile:
                profile(config, args.bakeries, cost.messages)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
