"""Envelopes are taken from those whose keys are known, and only as they were signed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from glean.errors import CertificateError
from glean.privacy.certificates import private_pem
from glean.privacy.envelope_signature import EnvelopeKeys, EnvelopeSigner
from glean.privacy.members import new_keys

KEYS = new_keys("Nordbrot")


def test_a_signature_holds_for_its_statement_and_its_sender_alone() -> None:
    """Not for another text, not for another member, not for someone unknown."""
    keys = EnvelopeKeys({name: new_keys(name).member.signing_key for name in ("Ostbrot",)})
    mine = EnvelopeKeys({"Nordbrot": KEYS.member.signing_key})
    signature = EnvelopeSigner(KEYS.signing_key, source="key").sign(b"bread")
    assert mine.signed("Nordbrot", signature, b"bread")
    assert not mine.signed("Nordbrot", signature, b"rolls")
    assert not mine.signed("Nordbrot", signature[:-1], b"bread")
    assert not keys.signed("Ostbrot", signature, b"bread")
    assert not keys.signed("Nordbrot", signature, b"bread")
    assert mine.knows("Nordbrot")
    assert not mine.knows("")


def test_what_is_no_key_is_named() -> None:
    """With whose it should be."""
    with pytest.raises(CertificateError, match="my key is no private key"):
        EnvelopeSigner(b"nothing", source="my key")
    with pytest.raises(CertificateError, match="my key: found a key of another kind"):
        EnvelopeSigner(private_pem(ec.generate_private_key(ec.SECP256R1())), source="my key")
    with pytest.raises(CertificateError, match="the public key of 'the server'"):
        EnvelopeKeys({"": "nothing"})
    with pytest.raises(CertificateError, match=r"'Nordbrot'.*another kind"):
        EnvelopeKeys({"Nordbrot": KEYS.member.node_key})
