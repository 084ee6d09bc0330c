"""Who votes for whom, who becomes coordinator, and until when: one step at a time."""

from __future__ import annotations

import itertools

import pytest

from glean.consensus.messages import Heartbeat, HeartbeatReply, VoteReply, VoteRequest
from glean.consensus.state_version import Version
from glean.consensus.voter import Outgoing, Voter
from glean.errors import FederationError
from tests.consensus.voters import (
    LEASE_S,
    SavedPromise,
    answer_of,
    deliver,
    elect,
    new_voter,
    promised,
)

NONE = Version()


def three(**memories: SavedPromise) -> dict[str, Voter]:
    """Make three voters, of whom "a" stands at once."""
    return {
        name: new_voter(name, memory=memories.get(name), draw=draw, first=name == "a")
        for name, draw in zip("abc", (0.0, 0.3, 0.6), strict=True)
    }


def test_who_proposed_is_coordinator_at_once() -> None:
    """First all say that they would vote for it, then they do."""
    voters = three()
    requests = voters["a"].tick(0.0)
    assert requests == [Outgoing(name, VoteRequest(1, NONE, trial=True)) for name in "bc"]
    deliver(requests, "a", voters, 0.0)
    assert [voter.role for voter in voters.values()] == ["coordinator", "follower", "follower"]
    assert {voter.coordinator for voter in voters.values()} == {"a"}
    assert {voter.term for voter in voters.values()} == {1}


def test_a_single_voter_elects_itself() -> None:
    """And has committed what it has stored."""
    memory = SavedPromise()
    alone = new_voter(voters="a", memory=memory, first=True)
    assert alone.tick(0.0) == []
    assert (alone.role, alone.term, memory.promise.voted_for) == ("coordinator", 1, "a")
    alone.stored(alone.next_version())
    assert alone.committed == Version(1, 1)
    assert alone.holds_lease(1_000_000.0)


@pytest.mark.parametrize(("count", "enough"), [(2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_a_majority_is_more_than_half(count: int, enough: int) -> None:
    """Half of an even number isn't one."""
    names = "abcdef"[:count]
    candidate = new_voter(voters=names, first=True)
    candidate.tick(0.0)
    roles = []
    for trial in (True, False):
        for voter in names[1:enough]:
            roles.append(str(candidate.role))
            candidate.receive(voter, VoteReply(1, granted=True, trial=trial), 0.1)
    assert roles == ["candidate"] * 2 * (enough - 1)
    assert candidate.role == "coordinator"


def test_who_votes_twice_counts_once() -> None:
    """A message may arrive again."""
    candidate = new_voter(voters="abcde", first=True)
    candidate.tick(0.0)
    for _ in range(3):
        assert candidate.receive("b", VoteReply(1, granted=True, trial=True), 0.1) == []
    assert candidate.term == 0
    assert len(candidate.receive("c", VoteReply(1, granted=True, trial=True), 0.1)) == 4
    for _ in range(3):
        candidate.receive("b", VoteReply(1, granted=True, trial=False), 0.1)
    assert candidate.role == "candidate"


def test_votes_of_another_term_or_kind_do_not_count() -> None:
    """Nor do they once the candidate stands for something else."""
    candidate = new_voter(memory=promised(term=4), first=False)
    candidate.tick(LEASE_S)
    candidate.receive("b", VoteReply(4, granted=True, trial=True), LEASE_S)
    candidate.receive("b", VoteReply(5, granted=False, trial=True), LEASE_S)
    assert (candidate.role, candidate.term) == ("follower", 5)
    candidate.tick(2 * LEASE_S)
    candidate.receive("b", VoteReply(5, granted=True, trial=False), 2 * LEASE_S)
    candidate.receive("b", VoteReply(5, granted=True, trial=True), 2 * LEASE_S)
    assert (candidate.role, candidate.term) == ("candidate", 5)
    candidate.receive("b", VoteReply(6, granted=True, trial=True), 2 * LEASE_S)
    assert candidate.term == 6
    candidate.receive("c", VoteReply(6, granted=True, trial=True), 2 * LEASE_S)
    candidate.receive("c", VoteReply(6, granted=False, trial=False), 2 * LEASE_S)
    assert candidate.coordinator == ""
    candidate.receive("c", VoteReply(6, granted=True, trial=False), 2 * LEASE_S)
    assert candidate.coordinator == "a"


def test_a_trial_vote_promises_nothing() -> None:
    """Two candidates may have it, and no term changes by it."""
    memory = promised(term=2)
    voter = new_voter(memory=memory)
    for sender in "bc":
        reply = answer_of(voter, VoteRequest(9, NONE, trial=True), sender=sender, now=LEASE_S)
        assert reply == VoteReply(9, granted=True, trial=True)
    assert (voter.term, memory.saves) == (2, 0)


def test_a_vote_is_given_once_in_a_term_and_again_to_the_same() -> None:
    """It's on disk, so that also the next process gives none to another."""
    memory = SavedPromise()
    voter = new_voter(memory=memory)
    assert answer_of(voter, VoteRequest(1, NONE, trial=False)) == VoteReply(1, True, False)
    for again in (voter, new_voter(memory=memory, now=-LEASE_S)):
        other = answer_of(again, VoteRequest(1, NONE, trial=False), sender="c")
        assert other == VoteReply(1, granted=False, trial=False)
        same = answer_of(again, VoteRequest(1, NONE, trial=False))
        assert same == VoteReply(1, granted=True, trial=False)


@pytest.mark.parametrize("trial", [True, False])
@pytest.mark.parametrize(
    ("version", "granted"),
    [((3, 4), True), ((3, 5), True), ((4, 1), True), ((3, 3), False), ((2, 9), False)],
)
def test_no_vote_for_who_is_behind(version: tuple[int, int], granted: bool, trial: bool) -> None:
    """What was committed is with at least one of each majority."""
    voter = new_voter(memory=promised(term=4, version=(3, 4)))
    request = VoteRequest(5, Version(*version), trial)
    reply = answer_of(voter, request, now=LEASE_S)
    assert reply == VoteReply(4 if trial and not granted else 5, granted, trial)


@pytest.mark.parametrize("trial", [True, False])
def test_who_stands_in_an_old_term_is_told_the_new_one(trial: bool) -> None:
    """And takes it up."""
    voter = new_voter(memory=promised(term=7))
    reply = answer_of(voter, VoteRequest(6, NONE, trial), now=LEASE_S)
    assert reply == VoteReply(7, granted=False, trial=trial)
    memory = promised(term=5)
    candidate = new_voter("b", memory=memory)
    candidate.tick(LEASE_S)
    candidate.receive("a", reply, LEASE_S)
    assert (candidate.role, memory.promise.term) == ("follower", 7)
    again = candidate.tick(2 * LEASE_S)
    assert again[0].message == VoteRequest(8, NONE, trial=True)


def test_who_returns_does_not_disturb_a_coordinator_that_is_heard() -> None:
    """Neither by trial votes nor by a vote for a high term."""
    voters = three()
    elect("a", voters, 0.0)
    for trial, name in itertools.product((True, False), "ab"):
        request = VoteRequest(50, Version(40, 1), trial)
        reply = answer_of(voters[name], request, sender="c", now=0.9 * LEASE_S)
        assert reply == VoteReply(1, granted=False, trial=trial)
        assert (voters[name].coordinator, voters[name].term) == ("a", 1)
    late = answer_of(voters["b"], VoteRequest(50, NONE, False), sender="c", now=LEASE_S)
    assert late == VoteReply(50, granted=True, trial=False)


def test_whoever_was_killed_waits_a_lease_before_it_votes() -> None:
    """It may have answered a coordinator just before."""
    restarted = new_voter(memory=promised(term=3), now=100.0)
    request = VoteRequest(4, NONE, trial=False)
    assert answer_of(restarted, request, now=109.9) == VoteReply(3, False, False)
    assert answer_of(restarted, request, now=110.0) == VoteReply(4, True, False)


def test_who_proposed_stands_at_once_only_the_first_time() -> None:
    """After a restart it waits as others do."""
    restarted = new_voter(memory=promised(term=1, voted_for="a"), first=True, draw=0.5)
    assert restarted.tick(1.4 * LEASE_S) == []
    assert len(restarted.tick(1.5 * LEASE_S)) == 2


def test_a_follower_stands_after_a_lease_of_silence_and_a_drawn_delay() -> None:
    """Each word of the coordinator begins the wait anew."""
    voter = new_voter(draw=0.5)
    assert voter.receive("b", Heartbeat(1, NONE, 1), 10.0)
    assert voter.tick(24.9) == []
    voter.receive("b", Heartbeat(1, NONE, 2), 20.0)
    assert (voter.tick(34.9), voter.coordinator) == ([], "b")
    assert len(voter.tick(35.0)) == 2
    assert (voter.role, voter.coordinator, voter.term) == ("candidate", "", 1)
    voter.receive("b", Heartbeat(1, NONE, 3), 36.0)
    assert (voter.role, voter.coordinator) == ("follower", "b")


def test_who_was_heard_in_between_has_no_use_of_old_trial_votes() -> None:
    """The coordinator is there again before the last of them comes."""
    voter = new_voter()
    voter.receive("b", Heartbeat(1, NONE, 1), 0.0)
    voter.tick(LEASE_S)
    voter.receive("b", Heartbeat(1, NONE, 2), LEASE_S)
    assert voter.receive("c", VoteReply(2, granted=True, trial=True), LEASE_S) == []
    assert (voter.role, voter.term) == ("follower", 1)


def test_a_candidate_without_a_majority_tries_again() -> None:
    """After a drawn delay, by trial votes of the same term until one succeeds."""
    candidate = new_voter(draw=0.5, first=True)
    candidate.tick(0.0)
    candidate.receive("b", VoteReply(1, granted=True, trial=True), 1.0)
    assert candidate.term == 1
    assert candidate.tick(2.9) == []
    for at in (6.0, 11.0, 16.0):
        assert candidate.tick(at)[0].message == VoteRequest(2, NONE, trial=True)
    assert candidate.term == 1


def test_a_coordinator_says_so_five_times_a_lease() -> None:
    """With what it has committed, and a number."""
    voters = three()
    elect("a", voters, 0.0)
    sent = [voters["a"].tick(at / 10) for at in range(1, 61)]
    beats = [items[0].message for items in sent if items]
    assert beats == [Heartbeat(1, NONE, number) for number in (2, 3, 4)]


def test_a_coordinator_without_a_majority_steps_down_after_a_lease() -> None:
    """One of two others that answers is enough."""
    voters = three()
    elect("a", voters, 0.0)
    leader = voters["a"]
    del voters["c"]
    for at in range(1, 31):
        deliver(leader.tick(at), "a", voters, at)
    assert leader.holds_lease(39.9)
    assert leader.reachable(30.0) == {"b"}
    assert not leader.holds_lease(40.0)
    assert leader.tick(40.0) == []
    assert (leader.role, leader.coordinator, leader.term) == ("follower", "", 1)
    assert leader.tick(49.9) == []
    assert len(leader.tick(50.0)) == 2


def test_an_answer_that_was_long_under_way_renews_no_lease() -> None:
    """A follower counts as heard when the heartbeat was sent that it answers."""
    voters = three()
    elect("a", voters, 0.0)
    leader = voters["a"]
    leader.tick(2.0)
    leader.tick(9.0)
    leader.receive("b", HeartbeatReply(1, NONE, 2), 9.5)
    assert leader.holds_lease(11.9)
    assert not leader.holds_lease(12.0)
    leader.receive("b", HeartbeatReply(1, NONE, 1), 9.6)
    leader.receive("b", HeartbeatReply(1, NONE, 77), 9.7)
    assert not leader.holds_lease(12.0)
    leader.receive("b", HeartbeatReply(1, NONE, 3), 9.8)
    assert leader.holds_lease(18.9)


def test_a_coordinator_that_hears_of_a_later_term_is_none_any_more() -> None:
    """From whichever reply; it waits a lease before it stands again."""
    for reply in (HeartbeatReply(2, NONE, 1), VoteReply(2, False, False)):
        voters = three()
        elect("a", voters, 0.0)
        leader = voters["a"]
        leader.receive("c", reply, 1.0)
        assert (leader.role, leader.term, leader.coordinator) == ("follower", 2, "")
        assert not leader.holds_lease(1.0)
        assert leader.committed == NONE
        assert leader.tick(1.0 + 0.9 * LEASE_S) == []


def test_an_old_coordinator_is_told_the_later_term() -> None:
    """Its word doesn't count any more."""
    voter = new_voter(memory=promised(term=3, version=(2, 2)))
    reply = answer_of(voter, Heartbeat(2, NONE, 9))
    assert reply == HeartbeatReply(3, Version(2, 2), 9)
    assert voter.coordinator == ""
    assert not voter.follows("b", 2, 0.0)


def test_who_follows_has_the_term_on_disk() -> None:
    """So that also the next process takes nothing of an earlier coordinator."""
    memory = SavedPromise()
    voter = new_voter(memory=memory)
    assert voter.follows("b", 4, 0.0)
    assert memory.promise.term == 4
    assert memory.saves == 1
    assert voter.follows("b", 4, 1.0)
    assert memory.saves == 1
    assert not new_voter(memory=memory).follows("c", 3, 0.0)


def test_only_one_is_followed_in_a_term() -> None:
    """Who else says that it is coordinator, lies."""
    voters = three()
    elect("a", voters, 0.0)
    assert not voters["b"].follows("c", 1, 0.0)
    assert not voters["a"].follows("c", 1, 0.0)
    assert voters["a"].receive("c", Heartbeat(1, NONE, 1), 0.0) == []
    assert {voter.coordinator for voter in voters.values()} == {"a"}


def test_who_is_elected_while_another_would_stand_is_not_disturbed() -> None:
    """A voter that gave its vote gives up its own trial in the same term."""
    voter = new_voter(memory=promised(term=4))
    voter.tick(LEASE_S)
    assert voter.role == "candidate"
    answer_of(voter, VoteRequest(4, NONE, trial=False), now=LEASE_S)
    assert voter.receive("c", VoteReply(5, granted=True, trial=True), LEASE_S) == []
    assert (voter.role, voter.term) == ("follower", 4)


def test_who_does_not_vote_is_not_listened_to() -> None:
    """Whatever it says."""
    voter = new_voter(memory=promised(term=1))
    for message in (Heartbeat(9, NONE, 1), VoteRequest(9, NONE, False), VoteReply(9, False, False)):
        assert voter.receive("mallory", message, LEASE_S) == []
        assert voter.receive("a", message, LEASE_S) == []
    voter.stored_by("mallory", 9, Version(9, 1), LEASE_S)
    assert not voter.follows("mallory", 9, LEASE_S)
    assert voter.term == 1
    assert voter.reachable(LEASE_S) == frozenset()


def test_a_voter_that_sits_out_votes_and_never_stands() -> None:
    """Also if nobody else does."""
    voters = three()
    elect("a", voters, 0.0)
    voters["a"].stand_down(now=0.0, sit_out=True)
    assert (voters["a"].role, voters["a"].coordinator) == ("follower", "")
    assert voters["a"].tick(1_000.0) == []
    elect("b", voters, 1_000.0)
    assert voters["a"].coordinator == "b"
    voters["a"].stand_down(now=1_000.0)
    assert voters["a"].coordinator == "b"


def test_who_stands_down_may_stand_again() -> None:
    """After the same wait as others."""
    voters = three()
    elect("a", voters, 0.0)
    voters["a"].stand_down(now=5.0)
    assert voters["a"].tick(14.9) == []
    assert len(voters["a"].tick(15.0)) == 2


def test_what_cannot_be_saved_was_not_promised() -> None:
    """A full disk: no vote goes out, and none was given."""
    memory = SavedPromise()
    voter = new_voter(memory=memory, first=True)
    memory.full = True
    with pytest.raises(OSError, match="No space"):
        voter.receive("b", VoteRequest(1, NONE, trial=False), 0.0)
    with pytest.raises(OSError, match="No space"):
        voter.follows("b", 1, 0.0)
    voter.tick(0.0)
    with pytest.raises(OSError, match="No space"):
        voter.receive("b", VoteReply(1, granted=True, trial=True), 0.0)
    assert (voter.term, voter.role, voter.coordinator) == (0, "candidate", "")
    memory.full = False
    reply = answer_of(voter, VoteRequest(1, NONE, False), sender="c")
    assert reply == VoteReply(1, granted=True, trial=False)


def test_who_is_none_of_the_voters_is_refused() -> None:
    """It would count itself, and nobody else would."""
    with pytest.raises(FederationError, match="'z' isn't one of those who vote"):
        new_voter("z")
