"""A bakery gets its neighbours' keys only, and can still check that all were told of one cohort."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort, joined
from glean.privacy.mask_keys import KeyAdvertisement, KeyPair
from glean.privacy.mask_seeds import Words
from glean.privacy.members import new_keys
from glean.privacy.merkle import MerkleTree
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound
from tests.secagg_clients import plain_sum, refusal, restarted, unmasked, vectors

COUNT = 60


def key_pairs(count: int = COUNT) -> list[KeyPair]:
    return [KeyPair.new(f"bakery {number:05}", epoch="run 1") for number in range(count)]


def cohort_of(own: list[KeyPair], *, seed: bytes = b"seed") -> Cohort:
    return Cohort.of([one.advertisement for one in own], epoch="run 1", seed=seed)


def told(own: KeyPair, cohort: Cohort) -> SecAggClient:
    """A bakery that was sent its part."""
    content = cohort.part_for(cohort.place(own.bakery)).to_bytes()
    return SecAggClient(own, Cohort.from_bytes(content))


def summed(whole: Cohort, clients: list[SecAggClient], summands: list[Words]) -> Words:
    total = SecAggRound(whole, step=1, participants=whole.everybody, length=5)
    for client, vector in zip(clients, summands, strict=True):
        masked = client.mask(vector, step=1, participants=whole.everybody)
        total.take_input(client.key_pair.bakery, masked.to_bytes())
    return unmasked(total, clients)


@pytest.mark.parametrize("count", [27, 28, 45, COUNT])
def test_bakeries_that_hold_parts_sum(count: int) -> None:
    """Each knows its neighbours, itself and nobody else; also once started anew."""
    own = key_pairs(count)
    whole = cohort_of(own)
    clients = [restarted(told(each, whole)) for each in own]
    for client in clients:
        assert {*client.cohort.known} == {client.place, *whole.neighbours[client.place]}
        assert client.cohort.digest == whole.digest
    summands = vectors(count)
    np.testing.assert_array_equal(summed(whole, clients, summands), plain_sum(summands))


def test_parts_put_together_are_the_whole() -> None:
    """For who looks at a run afterwards."""
    whole = cohort_of(key_pairs())
    parts = [Cohort.from_bytes(whole.part_for(at).to_bytes()) for at in range(COUNT)]
    assert joined(parts) == whole
    assert joined(parts).complete
    assert not parts[0].complete


def _another_key(part: Cohort) -> Cohort:
    at = next(place for place in part.known if place != 0)
    other = KeyPair.new(part.known[at].bakery, epoch="run 1").advertisement
    return replace(part, known={**part.known, at: other})


def _another_name(part: Cohort) -> Cohort:
    at = max(part.known)
    return replace(part, known={**part.known, at: replace(part.known[at], bakery="zopf")})


def _another_place(part: Cohort) -> Cohort:
    *kept, last = part.known
    free = next(place for place in range(kept[-1] + 1, COUNT + 1) if place != last)
    known = {place: part.known[place] for place in kept} | {free: part.known[last]}
    return replace(part, known=dict(sorted(known.items())), size=COUNT + 1)


LIES: dict[str, Callable[[Cohort], Cohort]] = {
    "another key": _another_key,
    "another name": _another_name,
    "another place": _another_place,
    "a hash too few": lambda part: replace(part, proof=part.proof[1:]),
    "a hash too many": lambda part: replace(part, proof=(*part.proof, bytes(32))),
    "another hash": lambda part: replace(part, proof=(bytes(32), *part.proof[1:])),
    "hashes in another order": lambda part: replace(part, proof=part.proof[::-1]),
    "another root": lambda part: replace(part, root=secrets.token_bytes(32)),
    "another size": lambda part: replace(part, size=part.size + 64),
    "nobody but itself": lambda part: replace(part, known={0: part.known[0]}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_a_part_is_refused(lie: str) -> None:
    """Its keys have to be those under its root, whatever the server would like to change."""
    part = cohort_of(key_pairs()).part_for(0)
    assert len(part.proof) > 2
    Cohort.from_bytes(part.to_bytes())
    with pytest.raises(SecureSumError, match="cohort"):
        Cohort.from_bytes(LIES[lie](part).to_bytes())


def test_a_tree_of_the_server_s_own_shares_no_key() -> None:
    """A part that fits, under a root that was made up for one bakery: its sum is noise.

    The server puts its own key in the place of a neighbour, for one bakery alone.
    """
    own = key_pairs()
    whole = cohort_of(own)
    victim = 0
    in_between = KeyPair.new(own[whole.neighbours[victim][0]].bakery, epoch="run 1")
    forged = cohort_of([in_between if one.bakery == in_between.bakery else one for one in own])
    clients = [told(one, forged if at == victim else whole) for at, one in enumerate(own)]
    near = whole.neighbours[victim]
    for other in near:
        assert clients[victim].keys.seed(other, 1) != clients[other].keys.seed(victim, 1)
    summands = vectors(COUNT)
    with pytest.raises(SecureSumError, match="shares"):
        summed(whole, clients, summands)


@pytest.mark.parametrize("change", ["one more", "one fewer", "another seed", "another epoch"])
def test_members_that_are_told_of_different_cohorts_share_nothing(change: str) -> None:
    """Also where a pair's own keys are the same in both, and whatever else differs."""
    own = key_pairs()
    whole = cohort_of(own)
    changed = {
        "one more": lambda: cohort_of([*own, KeyPair.new("zopf", epoch="run 1")]),
        "one fewer": lambda: cohort_of(own[:-1]),
        "another seed": lambda: cohort_of(own, seed=b"other"),
        "another epoch": lambda: replace(cohort_of(own), epoch="run 2"),
    }[change]()
    assert whole.digest != changed.digest
    pairs = [
        (one, other)
        for one in range(COUNT - 1)
        for other in whole.neighbours[one]
        if one < other < COUNT - 1 and other in changed.neighbours[one]
    ]
    assert pairs
    for one, other in pairs[:20]:
        first = SecAggClient(own[one], whole).keys.seed(other, 1)
        pair = replace(own[other], epoch=changed.epoch)
        assert SecAggClient(pair, changed).keys.seed(one, 1) != first


def test_a_part_without_a_neighbour_is_refused() -> None:
    """A server that keeps back an honest neighbour's key would have one mask fewer to know."""
    own = key_pairs()
    whole = cohort_of(own)
    wanted = sorted({0, *whole.neighbours[0][1:]})
    tree = MerkleTree([one.body() for one in whole.known.values()])
    known = {place: whole.known[place] for place in wanted}
    part = Cohort.from_bytes(replace(whole, known=known, proof=tree.proof(wanted)).to_bytes())
    said = refusal(lambda: SecAggClient(own[0], part))
    assert "no keys of 1 of" in said
    assert "Nothing is masked" in said


def test_where_keys_are_signed_everybody_s_travel_and_are_checked() -> None:
    """A bakery counts those whom its owner knows among all, so it takes no part for the whole."""
    keys = [new_keys(f"bakery {number:02}") for number in range(40)]
    signed: list[KeyAdvertisement] = [
        KeyPair.new(one.member.bakery, epoch="run 1").advertisement.signed(
            one.signing_key, epoch="run 1"
        )
        for one in keys
    ]
    whole = Cohort.of(signed, epoch="run 1", seed=b"seed")
    assert whole.part_for(3) is whole
    members = [one.member for one in keys]
    whole.verify(members)
    wanted = sorted({3, *whole.neighbours[3]})
    tree = MerkleTree([one.body() for one in signed])
    known = {place: whole.known[place] for place in wanted}
    part = Cohort.from_bytes(replace(whole, known=known, proof=tree.proof(wanted)).to_bytes())
    assert "wanted everybody's" in refusal(lambda: part.verify(members))


def test_what_a_bakery_gets_and_keeps_grows_with_the_logarithm() -> None:
    """From 50 bakeries to 2,000 by the neighbours, and the hashes that each of them lacks."""
    found: dict[int, int] = {}
    for count in (50, 500, 2000):
        own = [
            KeyAdvertisement(f"bakery {number:05}", number.to_bytes(32, "big"))
            for number in range(count)
        ]
        whole = Cohort.of(own, epoch="run 1", seed=b"seed")
        sizes = [len(whole.part_for(at).to_bytes()) for at in range(0, count, count // 10)]
        found[count] = max(sizes)
        hashes = count.bit_length() - 4  # of each key, at most; those that keys share count once
        assert max(sizes) <= 150 + (len(whole.neighbours[0]) + 1) * (52 + 32 * hashes)
    assert found[2000] < 5 * found[50]
