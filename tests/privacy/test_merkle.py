"""The hash tree over a cohort: parts lead to its root, and nothing else does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SecureSumError
from glean.privacy.merkle import MerkleTree, root_of


def leaves(count: int) -> list[bytes]:
    return [f"bakery {number}".encode() for number in range(count)]


def plain_root(content: list[bytes]) -> bytes:
    """RFC 6962's tree head, word for word."""
    if len(content) == 1:
        return hashlib.sha256(b"\0" + content[0]).digest()
    split = 1
    while 2 * split < len(content):
        split *= 2
    halves = plain_root(content[:split]) + plain_root(content[split:])
    return hashlib.sha256(b"\1" + halves).digest()


@pytest.mark.parametrize("count", range(1, 40))
def test_the_root_is_that_of_the_standard(count: int) -> None:
    """By another way through the tree."""
    assert MerkleTree(leaves(count)).root == plain_root(leaves(count))


@settings(max_examples=100)
@given(st.integers(3, 200), st.data())
def test_any_part_leads_to_the_root_and_no_other_does(count: int, data: st.DataObject) -> None:
    """With one leaf, place, hash or number of leaves changed it is another root or none."""
    content = leaves(count)
    places = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=20)))
    tree = MerkleTree(content)
    known, proof = {place: content[place] for place in places}, tree.proof(places)
    assert root_of(known, count, proof) == tree.root
    at = data.draw(st.sampled_from(places))
    lies = [
        (known | {at: b"another key"}, count, proof),
        (known, count, (*proof, bytes(32))),
        ({place: content[place] for place in places if place != at}, count, proof),
    ]
    if proof:
        wrong = data.draw(st.integers(0, len(proof) - 1))
        lies += [
            (known, count, proof[1:]),
            (known, count, (*proof[:wrong], bytes(32), *proof[wrong + 1 :])),
        ]
    for lie in lies:
        assert told(*lie) != tree.root


def told(known: dict[int, bytes], size: int, proof: tuple[bytes, ...]) -> bytes | None:
    try:
        return root_of(known, size, proof)
    except SecureSumError:
        return None


def test_a_leaf_is_no_node() -> None:
    """Else two hashes could be passed off for a bakery's key."""
    content = leaves(4)
    halves = b"".join(plain_root(content[at : at + 2]) for at in (0, 2))
    assert MerkleTree([halves]).root != MerkleTree(content).root
