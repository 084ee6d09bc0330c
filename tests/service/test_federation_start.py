"""A served federation's keys: made once, kept, and of the name by which bakeries come."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from glean.errors import CertificateError, SettingsError
from glean.federation_folder import FederationFolder
from glean.privacy import certificate_folder
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.certificates import authority_fingerprint, read_server_certificate
from glean.privacy.key_files import write_new
from glean.privacy.members import new_keys
from glean.service.membership.members import Members
from glean.service.superlink.federation_start import FederationStart, begin_federation, say_address
from glean.service.superlink.public_name import PublicName


@pytest.fixture
def folder(tmp_path: Path) -> FederationFolder:
    """None is there yet."""
    return FederationFolder(tmp_path / ".service" / "federation")


def start(name: str = "glean.example.org", **more: Path) -> FederationStart:
    """As `--public` was typed."""
    return FederationStart(PublicName.read(name), **more)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("glean.example.org", "glean.example.org:8700"),
        ("Glean.example.org:443", "glean.example.org:443"),
        ("192.0.2.7", "192.0.2.7:8700"),
        ("2001:db8::1", "[2001:db8::1]:8700"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
    ],
)
def test_a_name_may_have_a_port(text: str, address: str) -> None:
    """By default the one that the service listens at."""
    assert PublicName.read(text).address(8700) == address


@pytest.mark.parametrize("text", ["https://a.example", "a b", "a.example:x", "a.example:0", "1.2"])
def test_what_is_no_name_is_refused(text: str) -> None:
    """In words."""
    with pytest.raises(SettingsError, match="--public: found"):
        PublicName.read(text)


def test_keys_are_made_once(folder: FederationFolder) -> None:
    """The next start keeps them; the address is that of then."""
    assert begin_federation(folder, start())
    before = folder.authority.read_bytes(), folder.model_key.read_bytes()
    assert not begin_federation(folder, start())
    assert (folder.authority.read_bytes(), folder.model_key.read_bytes()) == before
    assert say_address(folder, start(), 8700) == "glean.example.org:8700"
    facts = json.loads(folder.facts.read_bytes())
    assert facts["name"] == "glean.example.org"
    pinned = authority_fingerprint(folder.authority.read_bytes())
    assert pinned is not None
    assert facts["authority"] == pinned.hex()


def test_a_further_name_is_certified_by_the_same_authority(folder: FederationFolder) -> None:
    """Bakeries that were there keep their ca.crt; without ca.key it is asked for."""
    begin_federation(folder, start())
    authority = folder.authority.read_bytes()
    begin_federation(folder, start("192.0.2.7"))
    hosts = read_server_certificate(folder.certificate.read_bytes()).hosts
    assert {"192.0.2.7", "glean.example.org"} <= set(hosts)
    assert folder.authority.read_bytes() == authority
    (folder.path / "ca.key").unlink()
    with pytest.raises(CertificateError, match=r"wanted one for other\.example: bring ca\.key"):
        begin_federation(folder, start("other.example"))


def test_a_folder_of_glean_certificates_is_taken_over(
    folder: FederationFolder, tmp_path: Path
) -> None:
    """With its members; what is missing in it is named."""
    own = new_keys("Hafen").member
    made = make_certificates(tmp_path / "keys", hosts=["glean.example.org"], members=[own])
    begin_federation(folder, start(certificates=made.folder))
    assert folder.certificate.read_bytes() == (made.folder / "server.pem").read_bytes()
    members = Members(folder)
    members.settle()
    assert members.of_node_key(own.node_key) == "Hafen"
    assert not members.joined_by_invitation("Hafen")
    (made.folder / "server.key").unlink()
    other = FederationFolder(tmp_path / "other" / "federation")
    with pytest.raises(SettingsError, match=r"found no server\.key"):
        begin_federation(other, start(certificates=made.folder))


class _PowerCutError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("at", [1, 2])
def test_a_power_cut_while_a_certificate_is_made_anew_is_mended(
    folder: FederationFolder, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Before each rename: the next start has a certificate and a key that fit."""
    begin_federation(folder, start())
    authority, replace, left = folder.authority.read_bytes(), Path.replace, [at]

    def cut(path: Path, target: Path) -> Path:
        if target in (folder.private_key, folder.certificate):
            left[0] -= 1
            if not left[0]:
                raise _PowerCutError
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(_PowerCutError):
            begin_federation(folder, start("192.0.2.7"))
    begin_federation(folder, start("192.0.2.7"))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder.certificate, folder.private_key)
    assert "192.0.2.7" in read_server_certificate(folder.certificate.read_bytes()).hosts
    assert folder.authority.read_bytes() == authority


@pytest.mark.parametrize("name", ["ca.key", "ca.crt", "server.key", "server.pem", "model-key"])
def test_a_power_cut_at_the_first_start_is_mended(
    folder: FederationFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whichever file was the last: the folder is there whole or not at all."""
    write = write_new

    def cut(path: Path, content: bytes) -> None:
        write(path, content)
        if path.name == name:
            raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(certificate_folder, "write_new", cut)
        with pytest.raises(_PowerCutError):
            begin_federation(folder, start())
    assert begin_federation(folder, start())
    assert not begin_federation(folder, start())
    assert folder.model_key.exists()
