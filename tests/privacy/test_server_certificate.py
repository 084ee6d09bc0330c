"""The server's certificate: who accepts it in a TLS handshake, and how it is renewed."""

from __future__ import annotations

import itertools
import ssl
from pathlib import Path

import pytest

from glean.errors import CertificateError
from glean.privacy.certificates import OWN_HOSTS, read_server_certificate
from tests.privacy.made_certificates import FOLDERS, HOSTS, contents, made


def shake_hands(server: Path, authority: Path, host: str) -> None:
    """A client that trusts one authority meets a server by the name of `host`, both in memory."""
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(server / "server.pem", server / "server.key")
    here = ssl.create_default_context(cafile=authority)
    here.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = here.wrap_bio(down, up, server_hostname=host)
    answering = there.wrap_bio(up, down, server_side=True)
    finished = [False, False]
    for memory in itertools.cycle((0, 1)):
        if all(finished):
            return
        try:
            (client, answering)[memory].do_handshake()
            finished[memory] = True
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("host", [*HOSTS, *OWN_HOSTS])
def test_a_client_with_the_authority_accepts_the_server(host: str, tmp_path: Path) -> None:
    """By each of its names and addresses, and by this machine's own."""
    folder = made(tmp_path / "keys").folder
    shake_hands(folder, folder / "bakeries" / FOLDERS[0] / "ca.crt", host)


@pytest.mark.parametrize("host", ["example.org", "www.glean.example.org", "192.0.2.8"])
def test_a_client_refuses_a_server_of_another_name(host: str, tmp_path: Path) -> None:
    """The certificate vouches for the hosts that were given and for no other."""
    folder = made(tmp_path / "keys").folder
    with pytest.raises(ssl.SSLCertVerificationError, match=r"doesn't match|mismatch"):
        shake_hands(folder, folder / "ca.crt", host)


def test_a_client_refuses_another_federation_s_server(tmp_path: Path) -> None:
    """Even one with a certificate for the very host."""
    mine, other = made(tmp_path / "mine").folder, made(tmp_path / "other").folder
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|signature"):
        shake_hands(other, mine / "ca.crt", HOSTS[0])


def test_a_server_s_certificate_makes_no_others(tmp_path: Path) -> None:
    """Who gets hold of it can't vouch for further servers."""
    folder = made(tmp_path / "keys").folder
    authority = (folder / "ca.crt").read_bytes()
    (folder / "ca.crt").write_bytes((folder / "server.pem").read_bytes())
    (folder / "ca.key").write_bytes((folder / "server.key").read_bytes())
    for name in ("server.pem", "server.key"):
        (folder / name).rename(tmp_path / name)
    made(folder, bakeries=[])
    chain = folder / "server.pem"
    chain.write_bytes(chain.read_bytes() + (folder / "ca.crt").read_bytes())
    (tmp_path / "ca.crt").write_bytes(authority)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"invalid CA|purpose|basic constraints"):
        shake_hands(folder, tmp_path / "ca.crt", HOSTS[0])


def test_the_server_gets_a_new_certificate(tmp_path: Path) -> None:
    """Once the old one is moved away: for other hosts, trusted by who has the same `ca.crt`."""
    folder = made(tmp_path / "keys").folder
    for name in ("server.pem", "server.key"):
        (folder / name).rename(tmp_path / name)
    before = contents(folder)
    again = made(folder, hosts=["new.example.org"], bakeries=[])
    assert again.certified
    assert again.server == read_server_certificate((folder / "server.pem").read_bytes())
    assert again.server.hosts == ("new.example.org", *OWN_HOSTS)
    shake_hands(folder, folder / "bakeries" / FOLDERS[0] / "ca.crt", "new.example.org")
    after = contents(folder)
    assert {path: after[path] for path in before} == before


def test_a_new_certificate_needs_the_authority_s_key(tmp_path: Path) -> None:
    """Who keeps it in a drawer is told to fetch it."""
    folder = made(tmp_path / "keys").folder
    for name in ("server.pem", "server.key", "ca.key"):
        (folder / name).rename(tmp_path / name)
    with pytest.raises(CertificateError, match=r"has no ca\.key; .* bring it back"):
        made(folder, bakeries=[])
    assert not (folder / "server.key").exists()
    (tmp_path / "ca.key").rename(folder / "ca.key")
    assert made(folder, bakeries=[]).certified
