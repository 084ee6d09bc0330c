"""What a majority has stored in a coordinator's own term is committed, and nothing else."""

from __future__ import annotations

import pytest

from glean.consensus.memory import Promise
from glean.consensus.messages import HeartbeatReply, VoteReply, VoteRequest
from glean.consensus.state_version import Version
from glean.consensus.voter import Voter
from tests.consensus.voters import LEASE_S, SavedPromise, answer_of, elect, new_voter, promised


def leader_of(
    count: int, *, version: tuple[int, int] = (0, 0), term: int = 0
) -> tuple[Voter, SavedPromise]:
    """Make the coordinator of several, who all have the same version."""
    names = "abcdef"[:count]
    memories = {name: promised(term=term, version=version) for name in names}
    voters = {name: new_voter(name, names, memories[name], now=-100.0, draw=0.0) for name in names}
    elect("a", voters, 0.0)
    return voters["a"], memories["a"]


@pytest.mark.parametrize(("count", "others"), [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3)])
def test_a_version_is_committed_by_a_majority_the_coordinator_counted(
    count: int, others: int
) -> None:
    """Half of an even number isn't enough, nor is one that says it twice."""
    leader, _ = leader_of(count)
    version = leader.next_version()
    assert version == Version(1, 1)
    leader.stored(version)
    for name in "bcdef"[:others]:
        assert leader.committed == Version()
        leader.stored_by(name, 1, version, 0.0)
        leader.stored_by(name, 1, version, 0.0)
    assert leader.committed == version


def test_committed_is_what_a_majority_has_reached() -> None:
    """Each of them may be further, and an old word takes nothing back."""
    leader, _ = leader_of(5)
    leader.stored(Version(1, 9))
    leader.stored_by("b", 1, Version(1, 7), 0.0)
    leader.stored_by("c", 1, Version(1, 4), 0.0)
    leader.stored_by("d", 1, Version(1, 2), 0.0)
    assert leader.committed == Version(1, 4)
    leader.stored_by("b", 1, Version(1, 1), 0.0)
    assert leader.committed == Version(1, 4)
    leader.stored_by("d", 1, Version(1, 8), 0.0)
    assert leader.committed == Version(1, 7)


def test_what_nobody_was_sent_is_not_taken_for_stored() -> None:
    """A version of this term beyond the coordinator's own is a lie or a mistake."""
    leader, _ = leader_of(3)
    leader.stored(Version(1, 1))
    leader.stored_by("b", 1, Version(1, 9), 0.0)
    leader.stored_by("mallory", 1, Version(1, 1), 0.0)
    assert leader.committed == Version()
    leader.stored_by("b", 1, Version(1, 1), 0.0)
    assert leader.committed == Version(1, 1)


def test_what_all_have_of_an_earlier_term_is_not_committed_yet() -> None:
    """It is with the first version of the new term, which contains it."""
    leader, _ = leader_of(3, version=(4, 6), term=4)
    assert leader.term == 5
    for name in "bc":
        leader.stored_by(name, 5, Version(4, 6), 0.0)
        leader.receive(name, HeartbeatReply(5, Version(4, 6), 1), 0.0)
    assert leader.committed == Version()
    assert leader.next_version() == Version(5, 7)
    leader.stored(Version(5, 7))
    leader.receive("b", HeartbeatReply(5, Version(5, 7), 1), 0.0)
    assert leader.committed == Version(5, 7)


def test_what_was_said_in_another_term_does_not_count() -> None:
    """Who says it in a later one may have voted for another coordinator since."""
    leader, _ = leader_of(3, term=4)
    leader.stored(Version(5, 1))
    leader.stored_by("b", 4, Version(5, 1), 0.0)
    assert leader.committed == Version()
    leader.stored_by("b", 6, Version(5, 1), 0.0)
    assert (leader.role, leader.term, leader.committed) == ("follower", 6, Version())


def test_a_version_is_on_disk_before_it_counts() -> None:
    """And one that comes again, or is older, changes nothing."""
    leader, memory = leader_of(3)
    saves = memory.saves
    leader.stored(Version(1, 2))
    assert (memory.promise.version, leader.version) == (Version(1, 2), Version(1, 2))
    leader.stored(Version(1, 2))
    leader.stored(Version(1, 1))
    assert memory.saves == saves + 1
    assert leader.version == Version(1, 2)
    memory.full = True
    with pytest.raises(OSError, match="No space"):
        leader.stored(Version(1, 3))
    assert leader.version == Version(1, 2)


def test_who_has_a_version_of_a_later_term_than_any_promise_has_no_vote_left_in_it() -> None:
    """Its promises were lost, so it may have voted there; or somebody told it how a run ended."""
    memory = promised(term=2)
    voter = new_voter(memory=memory)
    voter.stored(Version(3, 1))
    assert memory.promise == Promise(3, "a", Version(3, 1))
    reply = answer_of(voter, VoteRequest(3, Version(3, 1), trial=False), now=LEASE_S)
    assert reply == VoteReply(3, granted=False, trial=False)
    leader, _ = leader_of(3)
    leader.stored(Version(3, 1))
    assert (leader.role, leader.coordinator, leader.term) == ("follower", "", 3)


def test_only_a_coordinator_names_versions() -> None:
    """A follower that did would write what nobody elected it for."""
    with pytest.raises(AssertionError, match="a follower makes no versions"):
        new_voter().next_version()
