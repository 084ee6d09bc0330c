"""Two stories of who sent: how many colluders a server needs to read one vector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from glean.errors import GleanError
from glean.privacy.mask_messages import SeedRequest, UnmaskRequest
from glean.privacy.mask_seeds import mask_stream, new_self_seed, self_key
from glean.privacy.mask_shares import FIELD
from glean.privacy.step_context import StepContext
from tests.secagg_clients import agreed, opened_seed, shares_of

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"
VICTIM = 0
WORD = 12345
FLOORS = (3, 5)
SIZES = range(4, 13)


def colluders_needed(bakeries: int, *, at_least: int) -> int | None:
    """The fewest colluders with whom a server reads the victim's vector, whatever it tells."""
    if bakeries < at_least:
        return None
    for colluders in range(bakeries):
        honest = bakeries - 1 - colluders
        if any(exposed(bakeries, colluders, told, at_least) for told in range(honest + 1)):
            return colluders
    raise AssertionError("with all others as colluders anybody is exposed")


def exposed(bakeries: int, colluders: int, told_sent: int, at_least: int) -> bool:
    """Play one split: so many honest neighbours are told that the victim sent, the rest otherwise.

    Whoever is told that it's gone gives the seed of the pair; the victim itself is told that those
    who believe that it sent are gone, and gives their pairs' seeds.
    """
    played = _Step(bakeries, at_least)
    helpers = range(1, 1 + colluders)
    believers = range(1 + colluders, 1 + colluders + told_sent)
    seeds = {k: played.clients[k].keys.seed(VICTIM, 1) for k in helpers}
    try:
        for k in range(1 + colluders + told_sent, bakeries):
            seeds |= played.seeds_of(k, gone=[VICTIM])
        if believers:
            given = played.seeds_of(VICTIM, gone=believers)
            seeds |= dict(zip(believers, given.values(), strict=True))
        shares = [*helpers, *believers]
        return played.read_victim(seeds, {k: played.share_at(k) for k in shares})
    except GleanError:
        return False


class _Step:
    """A step that all have masked in."""

    def __init__(self, bakeries: int, at_least: int) -> None:
        self.clients = agreed(bakeries)
        self.everybody = self.clients[0].cohort.everybody
        context = StepContext(contributors=(self.everybody,), at_least=at_least)
        self.masked = [
            client.mask(
                np.full(2, WORD if client.place == VICTIM else 0, np.uint64),
                step=1,
                participants=self.everybody,
                context=context,
            )
            for client in self.clients
        ]

    def seeds_of(self, place: int, *, gone: Iterable[int]) -> dict[int, bytes]:
        """What one gives away that is told who is gone, under its own place."""
        bitmap = sum(1 << other for other in gone)
        reply = self.clients[place].unmask(UnmaskRequest(1, SeedRequest.SEEDS, bitmap))
        if len(reply.secrets) == 1:
            return {place: reply.secrets[0]}
        return dict(enumerate(reply.secrets))

    def share_at(self, place: int) -> bytes:
        """The share of the victim's self-mask that one holds, who believes that all sent."""
        reply = self.clients[place].unmask(
            shares_of(self.clients[place], self.masked, self.everybody)
        )
        return reply.secrets[0]  # the victim is everybody's first neighbour

    def read_victim(self, seeds: Mapping[int, bytes], shares: Mapping[int, bytes]) -> bool:
        """Take off the victim's masks, with what was given away."""
        sent, others = self.masked[VICTIM], len(self.clients) - 1
        needed = self.clients[0].cohort.threshold(others)
        seed = opened_seed(sent, shares, needed=needed)
        if seed is None or len(seeds) < others:
            return False
        vector = sent.vector - mask_stream(self_key(seed), 2)
        for pair in seeds.values():
            vector = vector - mask_stream(pair, 2)
        return bool((vector == WORD).all())


@pytest.mark.parametrize("at_least", FLOORS)
def test_the_page_has_the_colluders_that_it_takes(at_least: int) -> None:
    """Computed by playing every split that a server could choose."""
    section = PAGE.read_text(encoding="utf-8").split("### Two stories of who sent")[1]
    row = re.search(rf"^\| {at_least} \|(.*)\|$", section, re.MULTILINE)
    assert row, "a row of the table"
    cells = [cell.strip() for cell in row[1].split("|")]
    assert [int(cell) if cell.isdigit() else None for cell in cells] == [
        colluders_needed(bakeries, at_least=at_least) for bakeries in SIZES
    ]


@pytest.mark.parametrize("at_least", FLOORS)
def test_without_a_colluder_nobody_is_exposed(at_least: int) -> None:
    """A majority would have to be told each of two things."""
    assert not any(
        exposed(bakeries, 0, told, at_least)
        for bakeries in SIZES
        if bakeries >= at_least
        for told in range(bakeries)
    )


@pytest.mark.parametrize("bakeries", [4, 7, 12])
def test_a_bakery_that_opened_its_own_self_mask_would_be_read_without_a_colluder(
    bakeries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are told that it's gone, it is told that all sent: so it is never asked for it.

    Its self-mask is in its neighbours' hands, who give that or their pairs' seeds.
    """
    drawn: list[int] = []

    def remembered() -> int:
        drawn.append(new_self_seed())
        return drawn[-1]

    monkeypatch.setattr("glean.privacy.secagg_client.new_self_seed", remembered)
    played = _Step(bakeries, 3)
    bare = played.masked[VICTIM].vector
    for k in range(1, bakeries):
        (pair,) = played.seeds_of(k, gone=[VICTIM]).values()
        bare = bare - mask_stream(pair, 2)
    victim = played.clients[VICTIM]
    given = victim.unmask(shares_of(victim, played.masked, played.everybody)).secrets
    own = mask_stream(self_key(drawn[VICTIM]), 2)
    tried = [mask_stream(self_key(int.from_bytes(each, "big") % FIELD), 2) for each in given]
    assert not any((bare - mask == WORD).any() for mask in tried)
    assert (bare - own == WORD).all()  # so the test would have noticed
