"""Who is asked again, and when a phase is given up, while nobody gives a valid reply."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from glean.federation.coordination.retries import ATTEMPTS, retries


def manager_of(*present: str, gone: str = "") -> Any:
    """As much of a manager as attempts need; `looks` is when it looked who is there."""
    looks: list[int] = []
    clients = SimpleNamespace(present=frozenset(present), gone=frozenset(gone))
    return SimpleNamespace(clients=clients, gather=looks.append, looks=looks)


def test_who_was_asked_in_vain_is_spent() -> None:
    """The next attempt is to be of others; in between it is seen who is there."""
    manager = manager_of("a", "b", "c")
    spent = []
    for attempt, asked in zip(retries(manager, 7), ("a", "b"), strict=False):
        spent.append(attempt.spent)
        attempt.asked = (asked,)
    assert spent == [frozenset(), {"a"}]
    assert manager.looks == [7, 7]


def test_nobody_is_left_to_be_asked() -> None:
    """All that are there had their turn: it isn't waited for a miracle."""
    manager = manager_of("a", "b")
    attempts = 0
    for attempt in retries(manager, 1):
        attempts += 1
        attempt.asked = ("a", "b")
    assert (attempts, manager.looks) == (1, [])


def test_who_went_may_come_back_and_be_asked_again() -> None:
    """A bakery that is gone isn't spent, and keeps the phase from being given up at once."""
    manager = manager_of("a", gone="b")
    spent = []
    for attempt in retries(manager, 1):
        spent.append(attempt.spent)
        attempt.asked = ("a", "b")
    assert spent == [frozenset(), {"a"}, {"a"}]
    assert len(manager.looks) == ATTEMPTS
