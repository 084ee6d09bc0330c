"""The settings of rounds that wait for a buffer of updates, not for everybody; and of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.noise_settings import NoiseSettings
from glean.round_settings import RANDOM, SIZE, RoundSettings
from glean.setting_fields import number

WORD_BITS = 64
"""Bits of a number in a sum, all of which travel where `update-bits` says nothing else."""

FEWEST_IN_BUFFER = 3
"""Of two each could tell the other's part from their sum."""


@dataclass(frozen=True)
class AsynchronousSettings:
    """How a round of `mode` "async" goes, and how fast a simulation's clients are."""

    buffer_size: int = number(
        0, 0, 1_000_000, _("updates that make a round of mode async; 0: a fifth of all, 3 or more")
    )
    staleness_exponent: float = number(
        0.5, 0.0, 10.0, _("an update s rounds old counts (1 + s)^-this, mode async")
    )
    staleness_bound: int = number(
        100, 0, 10_000, _("rounds after which an update is too old to count, mode async")
    )
    speed_spread: float = number(
        1.0, 1.0, 1_000.0, _("how many times as long a simulation's slowest client takes")
    )
    straggler_share: float = number(
        0.0, 0.0, 0.9, _("share of a simulation's trainings that take five times as long")
    )

    @property
    def on_clock(self) -> bool:
        """Whether clients of a simulation are of several speeds."""
        return self.speed_spread > 1.0 or self.straggler_share > 0.0


def mode_problems(
    rounds: RoundSettings,
    noise: NoiseSettings,
    asynchronous: AsynchronousSettings,
    floor: int,
    *,
    deployed: bool,
    shows_scores: bool,
) -> Iterator[str]:
    """Say what doesn't go together with who is waited for and who trains, a line each.

    Parameters
    ----------
    rounds, noise, asynchronous
        Settings of a run.
    floor : int
        How many have to be in what is opened; 0 where nothing is asked.
    deployed : bool
        Whether clients have data of their own.
    shows_scores : bool
        Whether the server may see each client's scores.
    """
    if rounds.buffered:
        yield from _buffer_problems(rounds, noise, asynchronous.buffer_size, floor)
        if deployed and not noise.wanted:
            yield (
                f"mode: found 'async' with privacy={noise.privacy} where clients have data of "
                "their own: a buffer there tells of few, as each is in many, with others each "
                "time. Wanted noise in each: privacy=noise, for pictures with "
                "privacy-unit=client; or mode=sync"
            )
    yield from _selection_problems(rounds, shows_scores=shows_scores)
    if rounds.update_bits < WORD_BITS and not rounds.kind.averages_weights:
        yield (
            f"update-bits: found {rounds.update_bits} with aggregation={rounds.kind.name!r}, whose "
            "updates are no weights; wanted 64, or aggregation='fedavg'"
        )
    if rounds.update_bits < WORD_BITS and noise.by_client:
        yield (
            f"update-bits: found {rounds.update_bits} with privacy={noise.privacy}, whose noise "
            "takes all 64"
        )


def _buffer_problems(
    rounds: RoundSettings, noise: NoiseSettings, size: int, floor: int
) -> Iterator[str]:
    if not rounds.kind.buffered_strategy:
        yield (
            f"mode: found 'async' with aggregation={rounds.kind.name!r}; wanted 'sync', or "
            "'fedavg', 'fedprox', 'fedadam', 'fedyogi', 'fedavgm', 'oblivious', or 'bagging' with "
            "leaf-values=refit: only their rounds can be made of a buffer of updates"
        )
    if noise.in_steps:
        yield (
            f"mode: found 'async' with privacy={noise.privacy}, which counts a client's steps by "
            "rounds that all take part in; wanted 'sync', or privacy-unit=client"
        )
    if 0 < size < max(floor, FEWEST_IN_BUFFER):
        yield (
            f"buffer-size: found {size}; wanted 0, or {max(floor, FEWEST_IN_BUFFER)} or more, as "
            f"min-contributors={floor} says: a buffer is opened as one sum over those in it"
        )


def _selection_problems(rounds: RoundSettings, *, shows_scores: bool) -> Iterator[str]:
    chosen = f"client-selection: found {rounds.client_selection!r}"
    if rounds.client_selection == RANDOM:
        return
    if rounds.fraction_train >= 1.0:
        yield (
            f"{chosen} with fraction-train=1, where all train who are there; wanted 'random', or "
            "fraction-train below 1 (of mode async: so many at once)"
        )
    if rounds.client_selection == SIZE and not shows_scores:
        yield (
            f"{chosen} where no client's scores are shown, nor of how many rows they are; wanted "
            "'random', 'availability' or 'staleness'"
        )
