"""Certificates of the server: an authority of the federation's own, and what it vouches for.

Names of hosts come in, PEM goes out; nothing here touches a file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glean.errors import CertificateError

AUTHORITY_DAYS, SERVER_DAYS = 3650, 825
"""Every bakery keeps a copy of the authority's certificate; the server's is easily made anew."""

OWN_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Always vouched for: Flower's ServerApp speaks to its SuperLink by these."""

_SLOW_CLOCK = dt.timedelta(days=1)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_LONGEST_NAME = 253


@dataclass(frozen=True)
class ServerCertificate:
    """What a server's certificate says.

    Parameters
    ----------
    hosts : tuple of str
        Names and addresses that it vouches for, in their order.
    until : date
        Its last day.
    """

    hosts: tuple[str, ...]
    until: dt.date


def authority_fingerprint(pem: bytes) -> bytes | None:
    """Name an authority by the SHA-256 of its certificate in DER; of several, the first counts.

    None where it is no certificate.
    """
    try:
        return x509.load_pem_x509_certificates(pem)[0].fingerprint(hashes.SHA256())
    except (ValueError, IndexError):
        return None


def authority_of(pem: bytes, fingerprint: bytes) -> bytes | None:
    """Give the one certificate of a file that has a fingerprint, PEM; None where none has.

    Whatever else is in the file is left out: it would be trusted as well.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return None
    for certificate in found:
        if certificate.fingerprint(hashes.SHA256()) == fingerprint:
            return certificate.public_bytes(Encoding.PEM)
    return None


class Authority:
    """A certificate authority of one federation.

    Parameters
    ----------
    key : EllipticCurvePrivateKey
        What it signs with.
    certificate : Certificate
        What everybody knows it by.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @classmethod
    def create(
        cls, common_name: str = "Glean certificate authority", within: Iterable[str] = ()
    ) -> Authority:
        """Make a new one, valid for ten years.

        Parameters
        ----------
        common_name : str
            What it is called.
        within : iterable of str
            Names with all below them, and networks like 10.0.0.0/8, that alone it may vouch for;
            by default all.
        """
        key = ec.generate_private_key(ec.SECP384R1())
        name = _named(common_name)
        builder = (
            _builder(name, name, key.public_key(), days=AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        if trees := [_subtree(text) for text in within]:
            limits = x509.NameConstraints(permitted_subtrees=trees, excluded_subtrees=None)
            builder = builder.add_extension(limits, critical=True)
        return cls(key, builder.sign(key, hashes.SHA384()))

    @classmethod
    def load(cls, *, certificate: bytes, key: bytes) -> Authority:
        """Read one that was made earlier.

        Raises
        ------
        CertificateError
            It isn't PEM, or key and certificate don't belong together.
        """
        try:
            private = load_pem_private_key(key, password=None)
            known = x509.load_pem_x509_certificate(certificate)
        except (ValueError, TypeError) as error:
            raise CertificateError(f"ca.crt or ca.key isn't what it was: {error}") from error
        if (
            not isinstance(private, ec.EllipticCurvePrivateKey)
            or private.public_key() != known.public_key()
        ):
            raise CertificateError("ca.key isn't the key of ca.crt; wanted the two as they were")
        return cls(private, known)

    @property
    def within(self) -> tuple[x509.GeneralName, ...]:
        """What alone it may vouch for; empty where it may for all."""
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        except x509.ExtensionNotFound:
            return ()
        return tuple(found.value.permitted_subtrees or ())

    def may_vouch_for(self, host: str) -> bool:
        """Whether clients believe it of a name or an address."""
        name = general_name(host)
        return not self.within or any(_lies_in(name, tree) for tree in self.within)

    @property
    def certificate_pem(self) -> bytes:
        """What everybody may have."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """What nobody else may have."""
        return private_pem(self.key)

    def certify_server(self, hosts: Iterable[str]) -> tuple[bytes, bytes]:
        """Make a key and a certificate for a server, valid for two years and a quarter.

        Parameters
        ----------
        hosts : iterable of str
            Names and addresses by which it is reached; `OWN_HOSTS` are added.

        Returns
        -------
        tuple of bytes
            Certificate and private key, both PEM.

        Raises
        ------
        CertificateError
            A host is neither a name nor an address.
        """
        names = [general_name(host) for host in dict.fromkeys([*hosts, *OWN_HOSTS])]
        key = ec.generate_private_key(ec.SECP384R1())
        issuer = self.certificate.subject
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _builder(_named("Glean server"), issuer, key.public_key(), days=SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority, critical=False)
        )
        certificate = builder.sign(self.key, hashes.SHA384())
        return certificate.public_bytes(Encoding.PEM), private_pem(key)


def read_server_certificate(pem: bytes) -> ServerCertificate:
    """Read what a server's certificate says.

    Raises
    ------
    CertificateError
        It isn't a certificate of a server.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise CertificateError(f"server.pem isn't what it was: {error}") from error
    hosts = tuple(str(name.value) for name in names)
    return ServerCertificate(hosts, certificate.not_valid_after_utc.date())


def general_name(host: str) -> x509.GeneralName:
    """Read a host as a certificate names it.

    Raises
    ------
    CertificateError
        It is neither an IP address nor a name.
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    named = all(_LABEL.fullmatch(label) for label in labels) and len(host) <= _LONGEST_NAME
    if not named or labels[-1].isdigit():
        raise CertificateError(
            f"host: found {host!r}; wanted a name like glean.example.org or an address like "
            "192.0.2.7, without https:// and without a port"
        )
    return x509.DNSName(host.lower())


def belong_together(certificate: bytes, key: bytes) -> bool:
    """Whether these are a certificate and its private key, both PEM."""
    try:
        public = load_pem_private_key(key, password=None).public_key()
        return x509.load_pem_x509_certificate(certificate).public_key() == public
    except (ValueError, TypeError):
        return False


def _subtree(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(text))
    except ValueError:
        return x509.DNSName(text.lower())


def _lies_in(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(tree, x509.DNSName):
        return f".{name.value}".endswith(f".{tree.value}")
    if isinstance(name, x509.IPAddress) and isinstance(tree, x509.IPAddress):
        return name.value in ipaddress.ip_network(str(tree.value))
    return False


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key as PEM, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLOW_CLOCK)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
