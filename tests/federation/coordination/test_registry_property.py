"""Whatever bakeries do, the registry agrees with a simple model of each of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripted_grid import ScriptedExchange, ScriptedGrid, scripted_exchange

NAMES = ("Anna", "Bruno", "Cleo", "Dora")


class Shop:
    """What a bakery does in the property below, and what the server can know of it."""

    def __init__(self, village: ScriptedGrid, name: str, number: int) -> None:
        self.village, self.name, self.number = village, name, number
        self.known = self.missed = False
        village.add(number, name).online = False

    def act(self, action: str) -> None:
        node = self.village.nodes[self.number]
        match action:
            case "come":
                node.online = True
            case "go":
                node.online = False
                self.missed = True
            case "move":
                node.online = False
                self.missed = True
                self.number += 100
                self.village.add(self.number, self.name)
            case "silent":
                node.silent = True
            case "loud":
                node.silent = False

    def expected(self) -> bool:
        """Whether it has to be present after a gathering."""
        node = self.village.nodes[self.number]
        if node.online and not node.silent:
            self.known, self.missed = True, False
        return self.known and not self.missed

    def asked(self) -> bool:
        """Whether it has to answer, being present."""
        silent = self.village.nodes[self.number].silent
        self.missed |= silent
        return not silent


ACTIONS = st.sampled_from(["come", "come", "go", "move", "silent", "loud", "stay"])
ROUNDS = st.lists(st.tuples(ACTIONS, ACTIONS, ACTIONS, ACTIONS), min_size=1, max_size=6)


@given(rounds=ROUNDS, outspoken=st.booleans())
@settings(max_examples=60)
def test_whatever_comes_and_goes_the_present_are_asked_and_the_missing_named(
    rounds: list[tuple[str, ...]], *, outspoken: bool
) -> None:
    """Against a simple model of each shop: comes, goes, moves to another node, falls silent."""
    village = ScriptedGrid(reports_lost=outspoken)
    shops = [Shop(village, name, 11 + k) for k, name in enumerate(NAMES)]
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_exchange(village, Path(folder)) as talking_to,
    ):
        for number, actions in enumerate(rounds, start=1):
            for shop, action in zip(shops, actions, strict=True):
                shop.act(action)
            _play_a_round(talking_to, shops, number)


def _play_a_round(talking_to: ScriptedExchange, shops: list[Shop], number: int) -> None:
    clients, village = talking_to.clients, talking_to.grid
    clients.gather(at_least=0, round_number=number)
    present = {shop.name for shop in shops if shop.expected()}
    missing = {shop.name for shop in shops if shop.known} - present
    assert clients.present == present
    assert set(clients.registered) == present | missing
    named = [n for r, n in talking_to.details_of("bakery_missing", "bakery") if r == number]
    back = {n for r, n in talking_to.details_of("bakery_returned", "bakery") if r == number}
    assert missing <= {*named} <= missing | back
    assert len(named) == len({*named})
    asked = len(village.asked)
    begun = village.now
    answered = talking_to.ask_all(number)
    assert answered == {shop.name for shop in shops if shop.name in present and shop.asked()}
    tasks = [node for kind, node in village.asked[asked:] if kind == "train"]
    assert sorted(tasks) == sorted(s.number for s in shops if s.name in present)
    failed = {n for r, n in talking_to.details_of("bakery_failed", "bakery") if r == number}
    assert failed >= present - answered
    assert village.now - begun <= clients.timeout_s + 1.0
