"""Two peers connect where each has the key that it names; forgeries are refused and named."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from glean.privacy import peer_handshake
from glean.privacy.noise_handshake import NoiseError, NoiseHandshake
from glean.privacy.peer_handshake import Mesh, PeerHandshake, PeerRefusedError
from glean.privacy.peer_identity import PeerIdentity

MESH = Mesh("four mills")


@pytest.fixture(scope="module")
def north() -> PeerIdentity:
    return PeerIdentity.new()


@pytest.fixture(scope="module")
def south() -> PeerIdentity:
    return PeerIdentity.new()


def shake(one: PeerHandshake, other: PeerHandshake) -> None:
    """Exchange the three messages."""
    other.read(one.write())
    one.read(other.write())
    other.read(one.write())


def sides(
    north: PeerIdentity, south: PeerIdentity, *, mesh: Mesh = MESH, expected: str | None = None
) -> tuple[PeerHandshake, PeerHandshake]:
    """North connects to south."""
    one = PeerHandshake(north, "north", mesh, initiator=True, expected=expected)
    return one, PeerHandshake(south, "south", mesh, initiator=False)


def test_each_learns_who_the_other_is(north: PeerIdentity, south: PeerIdentity) -> None:
    """And what one sends, the other reads."""
    one, other = sides(north, south, expected=south.public.signing_key)
    shake(one, other)
    assert one.remote is not None
    assert other.remote is not None
    assert (one.remote.name, one.remote.key) == ("south", south.public)
    assert (other.remote.name, other.remote.key) == ("north", north.public)
    assert one.over
    assert other.over
    sends, receives = one.split()
    back, forth = other.split()
    assert forth.decrypt(sends.encrypt(b"there")) == b"there"
    assert receives.decrypt(back.encrypt(b"back")) == b"back"


def test_nothing_of_who_they_are_can_be_overheard(north: PeerIdentity, south: PeerIdentity) -> None:
    """Names and keys stand in no message as they are."""
    one, other = sides(north, south)
    first = one.write()
    other.read(first)
    second = other.write()
    one.read(second)
    heard = first + second + one.write()
    for secret in ("north", "south", north.public.signing_key, south.public.signing_key):
        assert secret.encode() not in heard


def test_another_peer_than_the_one_called_is_refused(
    north: PeerIdentity, south: PeerIdentity
) -> None:
    """Before the caller has said who it is."""
    one, other = sides(north, south, expected=PeerIdentity.new().public.signing_key)
    other.read(one.write())
    with pytest.raises(PeerRefusedError, match="wanted that of the peer that was called"):
        one.read(other.write())


def test_a_peer_of_another_mesh_is_refused(north: PeerIdentity, south: PeerIdentity) -> None:
    """Its handshake is another one."""
    one = PeerHandshake(north, "north", MESH, initiator=True)
    other = PeerHandshake(south, "south", Mesh("five mills"), initiator=False)
    other.read(one.write())
    with pytest.raises(NoiseError):
        one.read(other.write())


def test_who_has_not_the_key_that_it_names_is_refused(
    north: PeerIdentity, south: PeerIdentity
) -> None:
    """A forger signs with its own key for another's name and key."""
    forger = PeerIdentity.new()
    forger.public = south.public
    one, other = sides(north, forger)
    other.read(one.write())
    with pytest.raises(PeerRefusedError, match="signature that isn't of this handshake"):
        one.read(other.write())


def stranger() -> NoiseHandshake:
    """Somebody who knows the protocol, the mesh, and no peer's private key."""
    prologue = peer_handshake._PROLOGUE + b"\x00\x0afour mills"
    return NoiseHandshake(initiator=True, prologue=prologue, static=X25519PrivateKey.generate())


def test_a_proof_of_an_earlier_handshake_is_refused(
    north: PeerIdentity, south: PeerIdentity
) -> None:
    """A peer repeats what north told it once, with a static key of its own."""
    earlier, _ = sides(north, south)
    heard = earlier._claim()
    noise, (_, other) = stranger(), sides(north, south)
    other.read(noise.write())
    noise.read(other.write())
    with pytest.raises(PeerRefusedError, match="'north' was refused: found a signature"):
        other.read(noise.write(heard))


def test_a_proof_of_the_other_role_is_another(north: PeerIdentity, south: PeerIdentity) -> None:
    """So that nobody can send a peer's own proof back to it."""
    one, other = sides(north, south)
    assert one._statement(bytes(32), initiator=True) != other._statement(bytes(32), initiator=False)


def test_a_fingerprint_is_enough_to_know_a_peer_by(
    north: PeerIdentity, south: PeerIdentity
) -> None:
    """As an invitation has it."""
    one, other = sides(north, south, expected=south.public.fingerprint)
    shake(one, other)
    one, other = sides(north, south, expected=north.public.fingerprint)
    other.read(one.write())
    with pytest.raises(PeerRefusedError, match=f"found the key {south.public.fingerprint}"):
        one.read(other.write())


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", b"\x00\x05nor", b"\x00\x02\xff\xfe\x00\x00", b"\x00\x05north\xff\xff"],
)
def test_a_payload_that_says_nothing_is_refused(payload: bytes, south: PeerIdentity) -> None:
    """Cut off, not text, or with lengths beyond its end."""
    noise = stranger()
    other = PeerHandshake(south, "south", MESH, initiator=False)
    other.read(noise.write())
    noise.read(other.write())
    with pytest.raises(PeerRefusedError, match=r"don't say who it is|was refused|calls itself"):
        other.read(noise.write(payload))


def test_rsa_is_accepted_where_asked() -> None:
    """And refused, with its reason, elsewhere."""
    strong, south = PeerIdentity.new(kind="rsa-2048"), PeerIdentity.new()
    one, other = sides(strong, south, mesh=Mesh("four mills", rsa_accepted=True))
    shake(one, other)
    assert other.remote is not None
    assert other.remote.key == strong.public
    one, other = sides(strong, south)
    other.read(one.write())
    one.read(other.write())
    with pytest.raises(PeerRefusedError, match=r"'north' was refused: .*found an RSA key; wanted"):
        other.read(one.write())
