"""The settings of the rounds: which aggregation, how many, who takes part, who is waited for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glean.aggregation_kinds import AUTO, AggregationKind, aggregation_names, kind_of
from glean.languages.catalogues import translatable as _
from glean.setting_fields import choice, number

SYNC, ASYNC = "sync", "async"
"""Values of the setting `mode`: a round waits for all who are asked, or for a buffer of them."""

RANDOM, AVAILABILITY, STALENESS, SIZE = "random", "availability", "staleness", "size"
"""Values of the setting `client-selection`: by what those are chosen who train."""


@dataclass(frozen=True)
class RoundSettings:
    """How the rounds of the federation go."""

    aggregation: str = choice(AUTO, aggregation_names, _("how updates become the global model"))
    leaf_values: str = choice("refit", ("refit", "scaled"), _("leaf values of bagging"))
    proposals_per_round: int = number(10, 1, 1000, _("tree structures a round, refitted leaves"))
    fedavg_model: str = choice("neural", ("neural", "poisson"), _("what fedavg averages"))
    mode: str = choice(SYNC, (SYNC, ASYNC), _("whether rounds wait for all or for a buffer"))
    num_server_rounds: int = number(20, 1, 10_000, _("rounds of the federation"))
    learning_rate: float = number(0.0, 0.0, 1.0, _("step size; 0: by the rule in the README"))
    server_learning_rate: float = number(
        0.0, 0.0, 10.0, _("step size of fedadam, fedyogi and fedavgm; 0: their own")
    )
    early_stopping_rounds: int = number(0, 0, 10_000, _("rounds without progress; 0: off"))
    fraction_train: float = number(
        1.0, 0.001, 1.0, _("share of the bakeries or clients that train in a round")
    )
    client_selection: str = choice(
        RANDOM,
        (RANDOM, AVAILABILITY, STALENESS, SIZE),
        _("by what those are chosen who train, where not all do"),
    )
    update_bits: int = number(
        64, 4, 64, _("bits of each number of an update of weights, rounded by a draw; 64: all")
    )
    fraction_evaluate: float = number(
        1.0, 0.001, 1.0, _("share of the bakeries or clients that score a round")
    )
    min_available_bakeries: int = number(2, 1, 1_000_000, _("bakeries or clients to wait for"))
    round_timeout_s: int = number(600, 1, 86_400, _("seconds to wait for replies"))
    newcomer_fraction: float = number(0.0, 0.0, 1.0, _("share of bakeries or clients cut short"))
    newcomer_days: int = number(30, 0, 60, _("days that such a bakery keeps"))

    @property
    def kind(self) -> AggregationKind:
        """The aggregation's row in the table."""
        return kind_of(self.aggregation, leaf_values=self.leaf_values)

    @property
    def buffered(self) -> bool:
        """Whether a round waits for a buffer of updates, not for all."""
        return self.mode == ASYNC

    @property
    def selects(self) -> bool:
        """Whether not all take part in each round."""
        return self.buffered or self.fraction_train < 1.0

    @property
    def has_state(self) -> bool:
        """Whether checkpoints keep a state: the aggregation's own, and who is training what."""
        return self.kind.has_state or self.buffered


def floor_problems(rounds: RoundSettings, floor: int, *, deployed: bool) -> Iterator[str]:
    """Say what of the rounds would open sums of fewer than a floor, a line each; nothing for 0."""
    kind = rounds.kind
    if not floor:
        return
    where = "in a deployment with masks" if deployed else f"with min-contributors={floor}"
    if kind.unfit_for_floor:
        yield (
            f"aggregation: found {kind.name!r} {where}: {kind.unfit_for_floor}, and no sum may be "
            f"of fewer than {floor}; wanted 'bagging', whose thin leaves are merged, or "
            "privacy=noise with 'oblivious', which opens no sum as it is"
        )
    if kind.sums and rounds.fraction_train < 1.0 and not rounds.buffered:
        yield (
            f"fraction-train: found {rounds.fraction_train} {where}: each round would be of "
            "another draw, and the difference of two can be of few; wanted 1. Sums of changing "
            "draws want privacy=noise, which so far is for fraction-train=1 too"
        )
