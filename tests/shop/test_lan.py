"""The page on the shop's network: certificate, names, token, and an app that works offline."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import ipaddress
import ssl
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509
from starlette.testclient import TestClient

from glean.errors import CertificateError
from glean.privacy.certificates import Authority
from glean.privacy.key_files import write_new
from glean.shop.app import create_app
from glean.shop.lan import certificate as module
from glean.shop.lan.addresses import lan_hosts
from glean.shop.lan.certificate import RENEW_DAYS, HomeCertificate
from glean.shop.lan.token import DeviceToken, entry_link
from glean.shop.parts import Lan, Shop
from tests.shop.conftest import NOW

HOSTS = ["192.168.2.7", "bakery", "bakery.local"]
LAN = "https://192.168.2.7:8701"


@pytest.fixture
def certificate(tmp_path: Path) -> HomeCertificate:
    found = HomeCertificate(tmp_path / "tls")
    found.vouch_for(HOSTS, NOW.date())
    return found


def test_the_root_vouches_for_the_page_and_stays(certificate: HomeCertificate) -> None:
    """Two years or so, for a server, by the root; as phones want it."""
    root = x509.load_pem_x509_certificate(certificate.root.read_bytes())
    leaf = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.168.2.7") in names.get_values_for_type(x509.IPAddress)
    assert "bakery.local" in names.get_values_for_type(x509.DNSName)
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days <= 826
    before = [path.read_bytes() for path in (certificate.root, certificate.certificate)]
    certificate.vouch_for(HOSTS[:2], NOW.date())
    assert [path.read_bytes() for path in (certificate.root, certificate.certificate)] == before
    certificate.vouch_for([*HOSTS, "192.168.2.8"], NOW.date())
    assert certificate.root.read_bytes() == before[0]
    assert certificate.certificate.read_bytes() != before[1]


def test_it_is_made_anew_before_it_ends(certificate: HomeCertificate) -> None:
    leaf = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
    last = leaf.not_valid_after_utc.date()
    for days, anew in ((RENEW_DAYS + 1, False), (RENEW_DAYS, True)):
        before = certificate.certificate.read_bytes()
        certificate.vouch_for(HOSTS, last - dt.timedelta(days=days))
        assert (certificate.certificate.read_bytes() != before) == anew


def test_a_root_that_lost_its_half_is_made_anew(certificate: HomeCertificate) -> None:
    before = certificate.root.read_bytes()
    certificate.root.unlink()
    certificate.vouch_for(HOSTS, NOW.date())
    root = x509.load_pem_x509_certificate(certificate.root.read_bytes())
    leaf = x509.load_pem_x509_certificate(certificate.certificate.read_bytes())
    leaf.verify_directly_issued_by(root)
    assert certificate.root.read_bytes() != before


class Cut(BaseException):
    """The power is gone."""


@pytest.mark.parametrize("root", [True, False], ids=["with-its-root", "without"])
@pytest.mark.parametrize("files", range(4))
def test_a_power_cut_at_any_file_is_made_up_for(
    certificate: HomeCertificate, monkeypatch: pytest.MonkeyPatch, files: int, *, root: bool
) -> None:
    """The next start has a certificate with its key; one that is half written counts for none."""
    if not root:
        certificate.root.unlink()
    hosts, left = [*HOSTS, "192.168.2.9"], files

    def write(path: Path, content: bytes) -> None:
        nonlocal left
        write_new(path, content if left else content[:40])
        left -= 1
        if left < 0:
            raise Cut

    monkeypatch.setattr(module, "write_new", write)
    with contextlib.suppress(Cut):
        certificate.vouch_for(hosts, NOW.date())
    monkeypatch.undo()
    certificate.vouch_for(hosts, NOW.date())
    assert shakes_hands(certificate, "192.168.2.9")
    assert sorted(path.name for path in certificate.root.parent.iterdir()) == [
        "ca.crt", "ca.key", "server.key", "server.pem"
    ]  # fmt: skip


def test_a_half_that_does_not_fit_is_made_anew(certificate: HomeCertificate) -> None:
    """Empty after a power cut, of another certificate, or gone."""
    other = Authority.create().certify_server(["bakery"])[1]
    for content in (b"", b"no key", other):
        certificate.private_key.write_bytes(content)
        certificate.vouch_for(HOSTS, NOW.date())
        assert shakes_hands(certificate, "bakery.local")
    for path in (certificate.private_key, certificate.certificate):
        path.unlink()
        certificate.vouch_for(HOSTS, NOW.date())
        assert shakes_hands(certificate, "bakery.local")


def shakes_hands(certificate: HomeCertificate, host: str) -> bool:
    """Whether a client that trusts the root takes the page for this host."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.certificate, certificate.private_key)
    client = ssl.create_default_context(cafile=str(certificate.root))
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=host),
        server.wrap_bio(there, back, server_side=True),
    )
    done = [False, False]
    for _ in range(10):
        for index, end in enumerate(ends):
            try:
                end.do_handshake()
                done[index] = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return all(done)


def test_the_root_reaches_no_further_than_the_shop(certificate: HomeCertificate) -> None:
    """What it vouches for by private addresses and own names is believed, and no other site."""
    for host in (*HOSTS, "127.0.0.1", "localhost"):
        assert shakes_hands(certificate, host), host
    root = x509.load_pem_x509_certificate(certificate.root.read_bytes())
    assert root.extensions.get_extension_for_class(x509.NameConstraints).critical
    key = (certificate.root.parent / "ca.key").read_bytes()
    authority = Authority.load(certificate=certificate.root.read_bytes(), key=key)
    for host, believed in (
        ("10.1.2.3", True), ("oven.local", True), ("www.bank.example", False),
        ("notlocal", False), ("8.8.8.8", False), ("2001:db8::1", False),
    ):  # fmt: skip
        made, private = authority.certify_server([host])
        certificate.certificate.write_bytes(made)
        certificate.private_key.write_bytes(private)
        assert shakes_hands(certificate, host) == believed, host
        assert authority.may_vouch_for(host) == believed, host


def test_a_new_name_of_the_computer_does_not_spoil_the_rest(certificate: HomeCertificate) -> None:
    """It is left out, as clients would refuse the whole; and the root stays."""
    root = certificate.root.read_bytes()
    certificate.vouch_for([*HOSTS, "renamed", "renamed.local", "8.8.8.8"], NOW.date())
    assert certificate.root.read_bytes() == root
    assert shakes_hands(certificate, "renamed.local")
    assert not shakes_hands(certificate, "renamed")


def test_a_root_without_bounds_is_made_anew(certificate: HomeCertificate) -> None:
    """As the first versions made it."""
    unbound = Authority.create()
    certificate.root.write_bytes(unbound.certificate_pem)
    (certificate.root.parent / "ca.key").write_bytes(unbound.key_pem)
    certificate.vouch_for(HOSTS, NOW.date())
    assert certificate.root.read_bytes() != unbound.certificate_pem
    assert shakes_hands(certificate, "bakery.local")


def test_a_damaged_root_is_refused(certificate: HomeCertificate) -> None:
    certificate.root.write_text("no certificate", "utf-8")
    with pytest.raises(CertificateError):
        certificate.vouch_for(HOSTS, NOW.date())


@pytest.mark.skipif(sys.platform == "win32", reason="rights are POSIX's")
def test_secrets_are_the_owner_s(certificate: HomeCertificate, tmp_path: Path) -> None:
    DeviceToken(tmp_path / "token")
    for path in (certificate.private_key, tmp_path / "tls" / "ca.key", tmp_path / "token"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_token_stays_until_it_is_renewed(tmp_path: Path) -> None:
    """128 bits, not the same twice."""
    first = DeviceToken(tmp_path / "token")
    assert DeviceToken(tmp_path / "token")() == first()
    assert len(first()) >= 22
    old = first()
    assert first.renew() != old
    assert DeviceToken(tmp_path / "token")() == first() != old


def test_a_link_has_the_token(tmp_path: Path) -> None:
    link = entry_link(LAN, DeviceToken(tmp_path / "token")())
    assert link.startswith(f"{LAN}/enter/")


def test_own_addresses_are_no_loopback() -> None:
    for host in lan_hosts():
        assert host
        assert not host.startswith("127.")


@pytest.fixture
def phone(shop: Shop, certificate: HomeCertificate, tmp_path: Path) -> TestClient:
    """A phone that was let in."""
    lan = Lan((LAN,), DeviceToken(tmp_path / "token"), certificate)
    app = create_app(dataclasses.replace(shop, lan=lan), origins=[LAN], token=lan.token)
    found = TestClient(app, base_url=LAN, headers={"Origin": LAN})
    found.get(f"/enter/{lan.token()}")
    return found


def test_a_phone_gets_the_root_and_the_code(
    phone: TestClient, certificate: HomeCertificate
) -> None:
    text = phone.get("/phone").text
    assert "<svg" in text
    answer = phone.get("/root.crt")
    assert answer.content == certificate.root.read_bytes()
    assert answer.headers["content-type"] == "application/x-x509-ca-cert"


def test_a_new_code_lets_this_device_in_and_others_out(phone: TestClient) -> None:
    other = TestClient(phone.app, base_url=LAN, cookies=dict(phone.cookies))
    assert other.get("/").status_code == 200
    assert phone.post("/phone/renew").status_code == 200
    assert phone.get("/").status_code == 200
    assert other.get("/").status_code == 404


def test_on_this_machine_alone_there_is_no_code(client: TestClient) -> None:
    assert "--lan" in client.get("/phone").text
    assert client.get("/root.crt").status_code == 404


def test_it_can_be_installed(client: TestClient) -> None:
    """The manifest's icons are there, and the worker looks after all pages."""
    manifest = client.get("/manifest.webmanifest").json()
    assert (manifest["start_url"], manifest["scope"], manifest["name"]) == ("/", "/", "Hansen")
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).headers["content-type"] == icon["type"]
    worker = client.get("/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert client.get("/alive").status_code == 204
