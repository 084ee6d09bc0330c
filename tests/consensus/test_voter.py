"""Who coordinates, and what is committed, whatever the network and the machines do."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from glean.consensus.memory import Promise
from glean.consensus.messages import (
    Heartbeat,
    HeartbeatReply,
    Message,
    VoteReply,
    VoteRequest,
    message_of,
)
from glean.consensus.state_version import Version
from glean.consensus.voter import Voter
from glean.errors import FederationError
from tests.consensus.simulated_voters import LEASE_S, Disk, Line, Simulation

SCHEDULES = int(os.environ.get("GLEAN_SCHEDULES", "40"))
"""How many random schedules a test goes through."""


def voter(disk: Disk | None = None, *, voters: str = "abc", first: bool = False) -> Voter:
    """One called a, at time 0."""
    return Voter(
        "a", voters, disk or Disk(), lease_s=LEASE_S, now=0.0, draw=lambda: 0.0, first=first
    )


def coordinating(disk: Disk | None = None) -> Voter:
    """One called a that b has voted for, at time 0, in term 1."""
    one = voter(disk, first=True)
    one.tick(0.0)
    one.receive("b", VoteReply(0, granted=True, trial=True), 0.0)
    one.receive("b", VoteReply(1, granted=True, trial=False), 0.0)
    assert one.role == "coordinator"
    return one


def disturbed(seed: int) -> None:
    """One schedule of losses, divisions, crashes and states that are stored; then all is well."""
    sim = Simulation(1 + seed % 5, seed)
    for _ in range(60):
        disturb(sim)
        sim.run(sim.random.uniform(0.2, LEASE_S))
    sim.line = Line()
    for name in {*sim.names} - {*sim.up}:
        sim.start(name)
    assert sim.run(30 * LEASE_S, until=lambda: any(holds(sim, name) for name in sim.names))
    name = next(name for name in sim.names if holds(sim, name))
    before = sim.committed
    sim.store_more(name)
    sim.run(LEASE_S)
    assert len(sim.committed) > len(before)
    assert sim.committed[: len(before)] == before
    assert sim.coordinators() == [name]
    assert {one.coordinator for one in sim.up.values()} == {name}


def disturb(sim: Simulation) -> None:
    """Change how bad the network is, kill and start some, and have coordinators store more."""
    draw, line = sim.random, sim.line
    line.loss = draw.choice((0.0, 0.0, 0.3, 0.6))
    line.repeats = draw.choice((0.0, 0.3))
    line.longest_s = draw.choice((0.2, 3.0, 2 * LEASE_S))
    if draw.random() < 0.6:
        line.sides = {name: draw.randrange(2) * draw.randrange(2) for name in sim.names}
    if draw.random() < 0.3:
        sim.crash(draw.choice(sim.names))
    for name in sorted({*sim.names} - {*sim.up}):
        if draw.random() < 0.5:
            sim.start(name)
    for name in sim.coordinators():
        if draw.random() < 0.7:
            sim.store_more(name)
        if draw.random() < 0.1:
            sim.up[name].stand_down(now=sim.clock(name))


def holds(sim: Simulation, name: str) -> bool:
    """Whether one coordinates with a majority's word, and the others know of it."""
    return sim.up[name].holds_lease(sim.clock(name)) and all(
        one.coordinator == name for one in sim.up.values()
    )


@pytest.mark.parametrize("block", range(4))
def test_what_is_committed_stays_whatever_happens(block: int) -> None:
    """Of each schedule: one coordinator a term, no committed state lost, and it goes on at last."""
    for seed in range(block, SCHEDULES, 4):
        disturbed(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(8))
def test_what_is_committed_stays_in_many_schedules(block: int) -> None:
    """The same of 1,600 more."""
    for seed in range(1000 + block, 2600, 8):
        disturbed(seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_minority_commits_nothing_and_the_majority_goes_on(seed: int) -> None:
    """The coordinator is cut off with one other of five; later it follows the new one."""
    sim = Simulation(5, seed)
    assert sim.run(10 * LEASE_S, until=lambda: holds(sim, "p0"))
    sim.store_more("p0")
    sim.run(LEASE_S)
    (first,) = sim.committed
    sim.line.sides = {"p0": 1, "p1": 1}
    sim.store_more("p0")
    assert sim.run(20 * LEASE_S, until=lambda: sim.coordinators() not in ([], ["p0"]))
    sim.run(3 * LEASE_S)
    assert sim.up["p0"].role != "coordinator"
    (second,) = sim.coordinators()
    assert second not in ("p0", "p1")
    assert sim.committed == (first,)
    sim.store_more(second)
    sim.run(LEASE_S)
    assert len(sim.committed) == 2
    term = sim.up[second].term
    sim.line.sides = {}
    sim.run(4 * LEASE_S)
    assert (sim.coordinators(), sim.up[second].term) == ([second], term)
    sim.store_more(second)
    sim.run(LEASE_S)
    assert {sim.disks[name].history for name in sim.names} == {sim.committed}


@pytest.mark.parametrize("size", [2, 4])
def test_halves_elect_nobody(size: int) -> None:
    """Of an even number a half isn't a majority."""
    sim = Simulation(size, 1)
    sim.line.sides = {name: place % 2 for place, name in enumerate(sim.names)}
    sim.run(20 * LEASE_S)
    assert sim.coordinators() == []
    assert {one.term for one in sim.up.values()} == {0}


def test_one_alone_coordinates_and_commits() -> None:
    """A single voter is a majority."""
    sim = Simulation(1, 1)
    sim.run(1.0)
    assert sim.coordinators() == ["p0"]
    sim.store_more("p0")
    assert sim.up["p0"].committed == Version(1, 1)


def test_who_proposes_stands_at_once() -> None:
    """The others wait for a lease, so that it is elected first."""
    sim = Simulation(3, 3)
    assert sim.run(2.0, until=lambda: holds(sim, "p0"))


def test_who_sits_out_never_stands_but_votes() -> None:
    """The coordinator gives up for good; another one is elected by its vote too."""
    sim = Simulation(3, 4)
    sim.run(10.0, until=lambda: holds(sim, "p0"))
    sim.up["p0"].stand_down(now=sim.clock("p0"), sit_out=True)
    sim.crash("p2")
    assert sim.run(20 * LEASE_S, until=lambda: sim.coordinators() == ["p1"])
    sim.crash("p1")
    sim.start("p2")
    assert sim.run(20 * LEASE_S, until=lambda: sim.coordinators() == ["p2"])


def test_a_vote_is_on_disk_before_it_is_given() -> None:
    """One vote a term, also after it was started anew."""
    disk = Disk()
    one = voter(disk)
    (out,) = one.receive("b", VoteRequest(4, Version(), trial=False), 100.0)
    assert out.message == VoteReply(4, granted=True, trial=False)
    assert disk.promise == Promise(4, "b")
    again = voter(disk)
    (out,) = again.receive("c", VoteRequest(4, Version(), trial=False), 100.0)
    assert out.message == VoteReply(4, granted=False, trial=False)
    (out,) = again.receive("b", VoteRequest(4, Version(), trial=False), 100.0)
    assert out.message == VoteReply(4, granted=True, trial=False)


@pytest.mark.parametrize("trial", [False, True])
def test_who_has_stored_less_gets_no_vote(trial: bool) -> None:
    """By term first, then by index."""
    disk = Disk()
    disk.promise = Promise(3, "", Version(2, 5))
    for version, granted in (
        (Version(2, 4), False),
        (Version(1, 9), False),
        (Version(2, 5), True),
        (Version(3, 1), True),
    ):
        one = voter(disk)
        (out,) = one.receive("b", VoteRequest(9, version, trial), 100.0)
        assert isinstance(out.message, VoteReply)
        assert out.message.granted is granted
        disk.promise = replace(disk.promise, term=3, voted_for="")


def test_who_hears_a_coordinator_votes_for_nobody_else() -> None:
    """Neither does it take over the term of who asks; after the lease it does."""
    one = voter()
    assert one.follows("b", 1, 1.0)
    (out,) = one.receive("c", VoteRequest(7, Version(), trial=False), 1.0 + LEASE_S - 0.1)
    assert out.message == VoteReply(1, granted=False, trial=False)
    (out,) = one.receive("c", VoteRequest(7, Version(), trial=False), 1.0 + LEASE_S)
    assert out.message == VoteReply(7, granted=True, trial=False)


def test_a_trial_vote_changes_nothing() -> None:
    """It is granted, and nobody is bound by it."""
    disk = Disk()
    one = voter(disk)
    (out,) = one.receive("b", VoteRequest(4, Version(), trial=True), 100.0)
    assert out.message == VoteReply(0, granted=True, trial=True)
    assert disk.promise == Promise()


def test_a_vote_of_an_earlier_term_does_not_count() -> None:
    """It comes late, after the candidate has stood again."""
    one = voter(first=True)
    one.tick(0.0)
    one.receive("b", VoteReply(0, granted=True, trial=True), 0.0)
    one.tick(LEASE_S)
    one.receive("b", VoteReply(0, granted=True, trial=True), LEASE_S)
    assert one.term == 2
    sent = one.receive("b", VoteReply(1, granted=True, trial=False), LEASE_S)
    assert (sent, one.coordinator) == ([], "")
    one.receive("b", VoteReply(2, granted=True, trial=False), LEASE_S)
    assert one.coordinator == "a"


def test_only_versions_of_the_own_term_are_committed() -> None:
    """What a majority has of an older term counts once one of this term is on it."""
    disk = Disk()
    disk.promise = Promise(0, "", Version(0, 0))
    one = coordinating(disk)
    disk.promise = Promise(3, "", Version(3, 7))
    older = voter(disk, first=True)
    assert older.tick(0.0) == []  # one that was started anew waits for a lease
    older.tick(2 * LEASE_S)
    older.receive("b", VoteReply(3, granted=True, trial=True), 20.0)
    older.receive("b", VoteReply(4, granted=True, trial=False), 20.0)
    assert older.role == "coordinator"
    older.stored_by("b", 4, Version(3, 7), 20.0)
    older.stored_by("c", 4, Version(3, 7), 20.0)
    assert older.committed == Version()
    older.stored(older.next_version())
    older.stored_by("b", 4, Version(4, 8), 20.0)
    assert older.committed == Version(4, 8)
    assert one.committed == Version()


def test_what_nobody_was_sent_is_not_taken_for_stored() -> None:
    """A version of this term beyond the coordinator's own is a lie or a mistake."""
    one = coordinating()
    one.stored(one.next_version())
    one.stored_by("b", 1, Version(1, 9), 0.0)
    one.stored_by("stranger", 1, Version(1, 1), 0.0)
    assert one.committed == Version()
    one.stored_by("b", 1, Version(1, 1), 0.0)
    assert one.committed == Version(1, 1)


def test_a_coordinator_without_a_majority_ends_with_its_lease() -> None:
    """A reply to an old heartbeat doesn't make it longer than that heartbeat does."""
    one = coordinating()
    (beat, _) = one.tick(2.0)
    assert isinstance(beat.message, Heartbeat)
    one.receive("b", HeartbeatReply(1, Version(), beat.message.number), 9.0)
    assert one.holds_lease(2.0 + LEASE_S - 0.1)
    one.tick(2.0 + LEASE_S)
    assert one.role == "follower"
    assert not one.holds_lease(2.0 + LEASE_S)


def test_a_coordinator_hears_of_a_higher_term() -> None:
    """By who has it, or by who replies to it; a stale one hears it from those who moved on."""
    for said in (HeartbeatReply(5, Version(), 1), VoteReply(5, granted=False, trial=False)):
        one = coordinating()
        one.receive("c", said, 1.0)
        assert (one.role, one.term) == ("follower", 5)
    one = voter()
    assert one.follows("b", 6, 0.0)
    (out,) = one.receive("c", Heartbeat(2, Version(), 3), 0.0)
    assert out.message == HeartbeatReply(6, Version(), 3)
    assert not one.follows("c", 6, 0.0)
    assert not one.follows("stranger", 9, 0.0)


@pytest.mark.parametrize(
    "message",
    [
        VoteRequest(1, Version(2, 3), trial=True),
        VoteReply(1, granted=False, trial=True),
        Heartbeat(4, Version(), 2),
        HeartbeatReply(4, Version(1, 1), 2),
    ],
)
def test_messages_are_read_as_they_were_written_and_nothing_else_is(message: Message) -> None:
    """Each field with another type, left out, or beside one that there isn't."""
    content = message.to_content()
    assert message_of(content) == message
    for name in content:
        wrongs: tuple[object, ...] = (None, "x", -1, 2.5, [1], [1, "2"], [True, 1], {}, 2**60)
        for wrong in wrongs:
            with pytest.raises(FederationError):
                message_of({**content, name: wrong})
        with pytest.raises(FederationError):
            message_of({k: v for k, v in content.items() if k != name})
    with pytest.raises(FederationError):
        message_of({**content, "more": 1})
    others: tuple[object, ...] = (None, [], "vote-request", {"kind": [1]})
    for other in others:
        with pytest.raises(FederationError):
            message_of(other)
