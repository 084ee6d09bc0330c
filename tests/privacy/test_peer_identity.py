"""A peer's keys: written once, read as they were, and no others accepted."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glean.errors import CertificateError
from glean.privacy.members import new_keys
from glean.privacy.peer_identity import PeerIdentity, PeerKey


@pytest.mark.parametrize("kind", ["ed25519", "rsa-2048"])
def test_an_identity_is_written_and_read(tmp_path: Path, kind: str) -> None:
    """Closed to others, the same person afterwards, and its key a line that reads as it was."""
    made = PeerIdentity.new(kind=kind)
    made.write(tmp_path)
    found = PeerIdentity.read(tmp_path)
    assert found.public == made.public
    assert PeerKey.of(str(found.public), rsa_accepted=True) == made.public
    assert made.public.signed(found.sign(b"statement"), b"statement")
    assert not made.public.signed(found.sign(b"statement"), b"another")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"signing-key": 0o600, "encryption-key": 0o600}


def test_a_member_keeps_its_signing_key(tmp_path: Path) -> None:
    """The one that it has as a member of a federation; no other one is overwritten."""
    keys = new_keys("north")
    (tmp_path / "signing-key").write_bytes(keys.signing_key)
    made = PeerIdentity.new(signing_pem=keys.signing_key)
    made.write(tmp_path)
    assert made.public.signing_key == keys.member.signing_key
    with pytest.raises(CertificateError, match="nothing is overwritten"):
        PeerIdentity.new().write(tmp_path)
    assert PeerIdentity.read(tmp_path).public == made.public


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    """Missing, damaged, or of another kind."""
    with pytest.raises(CertificateError, match="signing-key can't be read: No such file"):
        PeerIdentity.read(tmp_path)
    PeerIdentity.new().write(tmp_path)
    (tmp_path / "encryption-key").write_bytes(b"none")
    with pytest.raises(CertificateError, match=r"can't be read: .*glean mesh init"):
        PeerIdentity.read(tmp_path)
    (tmp_path / "encryption-key").write_bytes((tmp_path / "signing-key").read_bytes())
    with pytest.raises(CertificateError, match="encryption-key: found a key of another kind"):
        PeerIdentity.read(tmp_path)


def test_a_kind_that_there_isn_t_is_named() -> None:
    """With those that there are."""
    with pytest.raises(CertificateError, match="found 'dsa'; wanted ed25519 or rsa-2048"):
        PeerIdentity.new(kind="dsa")


def test_a_key_to_encrypt_by_is_its_signer_s() -> None:
    """Nobody puts a key of its own beside another's name."""
    mine, other = PeerIdentity.new().public, PeerIdentity.new().public
    mixed = (
        PeerKey(mine.signing_key, other.encryption_key, mine.proof),
        PeerKey(mine.signing_key, other.encryption_key, other.proof),
        PeerKey(mine.signing_key, mine.encryption_key.upper(), mine.proof),
        PeerKey(mine.signing_key, mine.encryption_key[:-2], mine.proof),
    )
    for key in mixed:
        with pytest.raises(CertificateError, match="its signing key hasn't signed"):
            PeerKey.of(str(key))


@pytest.mark.parametrize("text", ["", "a b c", "a b c d", "ssh-ed25519 AAAA zz zz", "x" * 5000])
def test_text_that_is_no_key_is_named(text: str) -> None:
    """Whatever a stranger sends."""
    with pytest.raises(CertificateError, match="a peer's key"):
        PeerKey.of(text)


def test_weak_and_other_keys_are_refused() -> None:
    """RSA of 1,024 bits or with another exponent, and a curve of another kind."""
    good = PeerIdentity.new().public
    found: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "RSA of 1024 bits": rsa.generate_private_key(65537, 1024),  # noqa: S505 # refused
        "exponent 3": rsa.generate_private_key(3, 2048),
        "one of another kind": ec.generate_private_key(ec.SECP256R1()),
    }
    for words, private in found.items():
        line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        with pytest.raises(CertificateError, match=words):
            PeerKey.of(f"{line} {good.encryption_key} {good.proof}", rsa_accepted=True)


def test_a_comment_behind_a_key_is_not_part_of_it() -> None:
    """One key is written in one way, so that texts can be compared."""
    key = str(PeerIdentity.new().public)
    with pytest.raises(CertificateError):
        PeerKey.of(key + " comment")
    with pytest.raises(CertificateError):
        PeerKey.of(key + "\n")
