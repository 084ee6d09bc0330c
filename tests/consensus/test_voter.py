"""Who coordinates, and what is committed, whatever the network and the machines do."""

from __future__ import annotations

import os

import pytest

from glean.consensus.messages import (
    Heartbeat,
    HeartbeatReply,
    Message,
    VoteReply,
    VoteRequest,
    message_of,
)
from glean.consensus.state_version import Version
from glean.errors import FederationError
from tests.consensus.simulated_voters import LEASE_S, Line, Simulation

SCHEDULES = int(os.environ.get("GLEAN_SCHEDULES", "40"))
"""How many random schedules a test goes through."""


def disturbed(seed: int) -> None:
    """One schedule of losses, divisions, crashes and states that are stored; then all is well."""
    sim = Simulation(1 + seed % 5, seed)
    for _ in range(60):
        disturb(sim)
        sim.run(sim.random.uniform(0.2, LEASE_S))
    sim.line = Line()
    for name in {*sim.names} - {*sim.up}:
        sim.start(name)
    sim.run(2 * LEASE_S)  # so long messages of before are under way, and leases may just run out
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
    line.kills = draw.choice((0.0, 0.0, 0.05, 0.3))
    line.deaf = {draw.choice(sim.names)} if draw.random() < 0.15 else set()
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
        if name in sim.up and draw.random() < 0.1:
            sim.up[name].stand_down(now=sim.clock(name))


def walk(seed: int) -> int:
    """One order of steps in which no clock means anything; how many states were committed.

    Messages come in any order and many again, clocks jump over every lease, voters are killed at
    any step and start anew at once: nothing that must never happen may rest on time.
    """
    sim = Simulation(2 + seed % 3, seed)
    draw = sim.random
    sim.line.kills = draw.choice((0.0, 0.02))
    for _ in range(400):
        name = draw.choice(sim.names)
        step = draw.random()
        if name not in sim.up or step < 0.04:
            sim.crash(name)
            sim.start(name)
            sim.ahead[name] += draw.choice((0.0, 1.0)) * LEASE_S
        elif step < 0.06:
            for other in list(sim.up):
                sim.ahead[other] += 3 * LEASE_S
                sim.tick(other)
        elif step < 0.1:
            sim.ahead[name] += draw.choice((0.3, 3.0)) * LEASE_S
            sim.tick(name)
        elif step < 0.2 and sim.up[name].role == "coordinator":
            sim.store_more(name)
        elif sim.waiting:
            place = draw.randrange(len(sim.waiting))
            _, _, sender, receiver, message = sim.waiting[place]
            if draw.random() < 0.8:
                del sim.waiting[place]
            if receiver in sim.up:
                sim.deliver(sender, receiver, message)
    return len(sim.committed)


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


@pytest.mark.parametrize("block", range(4))
def test_nothing_that_is_promised_rests_on_clocks(block: int) -> None:
    """One coordinator a term, and no committed state lost, in any order of steps."""
    walks = range(block, 4 * SCHEDULES, 4)
    assert sum(walk(seed) for seed in walks) > len(walks)


@pytest.mark.long
@pytest.mark.parametrize("block", range(8))
def test_what_is_committed_stays_in_many_schedules(block: int) -> None:
    """The same of 1,600 more, and of 8,000 orders of steps."""
    for seed in range(1000 + block, 2600, 8):
        disturbed(seed)
    for seed in range(1000 + block, 9000, 8):
        walk(seed)


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
