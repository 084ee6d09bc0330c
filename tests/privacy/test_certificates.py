"""What each bakery gets, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_ssh_private_key,
    load_ssh_public_key,
)

from glean.errors import CertificateError
from glean.privacy.members import read_members
from tests.privacy.made_certificates import BAKERIES, FOLDERS, OF_A_BAKERY, contents, made


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_private_keys_are_their_owner_s(umask: int, tmp_path: Path) -> None:
    """0600 for keys, 0700 for folders, whatever the umask; the rest may be read."""
    before = os.umask(umask)
    try:
        folder = made(tmp_path / "keys").folder
    finally:
        os.umask(before)
    modes = {
        path.relative_to(folder): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private = {path.name for path, mode in modes.items() if mode == 0o600}
    assert private == {"ca.key", "server.key", "node-key", "signing-key", "model-key"}
    assert {mode for path, mode in modes.items() if path.name in private} == {0o600}
    assert {mode for path, mode in modes.items() if (folder / path).is_dir()} == {0o700}


def test_every_bakery_gets_what_it_needs_and_no_more(tmp_path: Path) -> None:
    """Its two keys, the authority's certificate and the list; folders are named for people."""
    folder = made(tmp_path / "keys").folder
    own = {path.name for path in folder.iterdir()}
    assert own == {
        *("ca.crt", "ca.key", "server.pem", "server.key", "model-key", "model-key.pub"),
        *("members.json", "bakeries"),
    }
    assert {path.name for path in (folder / "bakeries").iterdir()} == set(FOLDERS)
    for home in (folder / "bakeries").iterdir():
        assert {path.name for path in home.iterdir()} == OF_A_BAKERY
        for name in ("ca.crt", "members.json", "model-key.pub"):
            assert (home / name).read_bytes() == (folder / name).read_bytes()


def test_the_list_has_the_public_part_of_every_key(tmp_path: Path) -> None:
    """What a bakery signs is verified by its line; its node key is as Flower wants it.

    No private key is in the list, and none is used twice.
    """
    folder = made(tmp_path / "keys").folder
    members = read_members((folder / "members.json").read_bytes())
    assert [member.bakery for member in members] == sorted(BAKERIES)
    for member in members:
        home = folder / "bakeries" / dict(zip(BAKERIES, FOLDERS, strict=True))[member.bakery]
        signing = load_pem_private_key((home / "signing-key").read_bytes(), password=None)
        assert isinstance(signing, ed25519.Ed25519PrivateKey)
        listed = load_ssh_public_key(member.signing_key.encode())
        assert isinstance(listed, ed25519.Ed25519PublicKey)
        listed.verify(signing.sign(b"round 1"), b"round 1")
        node = load_ssh_private_key((home / "node-key").read_bytes(), password=None)
        assert isinstance(node, ec.EllipticCurvePrivateKey)
        assert node.curve.name == "secp256r1"
        assert node.public_key() == load_ssh_public_key(member.node_key.encode())
        assert (home / "node-key.pub").read_text() == member.node_key + "\n"
    keys = [key for member in members for key in (member.signing_key, member.node_key)]
    assert len(set(keys)) == 2 * len(BAKERIES)
    assert "PRIVATE" not in (folder / "members.json").read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """What is there is named, and stays as it was to the byte; nothing else is begun."""
    folder = made(tmp_path / "keys").folder
    before = contents(folder)
    with pytest.raises(CertificateError) as refused:
        made(folder, bakeries=["Rue Mouffetard", "New"])
    for name in ("'Rue Mouffetard' is a member already", "server.pem", "server.key"):
        assert name in str(refused.value)
    assert "ca.key" not in str(refused.value)
    assert contents(folder) == before


@pytest.mark.parametrize(
    "name", ["ca.key", "ca.crt", "server.key", "model-key", "bakeries/Rue-Mouffetard"]
)
def test_a_stranger_s_file_is_not_overwritten(name: str, tmp_path: Path) -> None:
    """In a folder that holds no federation yet; a link that leads nowhere counts as a file."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CertificateError, match=f"{name} is there already"):
        made(tmp_path)
    assert [entry for entry in tmp_path.rglob("*") if not entry.is_dir()] == [path]


def test_a_bakery_joins_later(tmp_path: Path) -> None:
    """Only the lists change: in all folders, and to the same one.

    Nor is there any need of the authority's key, or of a folder that was handed over and deleted.
    """
    folder = made(tmp_path / "keys").folder
    (folder / "ca.key").rename(tmp_path / "ca.key")
    for path in (folder / "bakeries" / "L-Atelier").iterdir():
        path.unlink()
    (folder / "bakeries" / "L-Atelier").rmdir()
    before = contents(folder)
    added = made(folder, hosts=[], bakeries=["Café 3"])
    assert (added.new, added.certified, list(added.bakeries)) == (False, False, ["Café 3"])
    after = contents(folder)
    home = folder / "bakeries" / "Café-3"
    assert {path.name for path in home.iterdir()} == OF_A_BAKERY
    kept = [path for path in before if path.name != "members.json"]
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert after.keys() - before.keys() == {home / name for name in OF_A_BAKERY}
    lists = [content for path, content in after.items() if path.name == "members.json"]
    assert len(lists) == 4
    assert set(lists) == {lists[0]}
    names = [member.bakery for member in read_members(lists[0])]
    assert names == sorted([*BAKERIES, "Café 3"])
    earlier = read_members(before[folder / "members.json"])
    assert set(earlier) < set(read_members(lists[0]))


def test_a_federation_of_an_earlier_version_gets_its_key_for_models(tmp_path: Path) -> None:
    """Once, by a call that asks for nothing else; each bakery's folder has the public half."""
    folder = made(tmp_path / "keys").folder
    for path in list(folder.rglob("model-key*")):
        path.unlink()
    before = contents(folder)
    added = made(folder, hosts=[], bakeries=[])
    assert (added.new, added.certified, added.model_key, added.bakeries) == (False, False, True, {})
    after = contents(folder)
    assert {path: after[path] for path in before} == before
    new = {path.relative_to(folder).as_posix() for path in after.keys() - before.keys()}
    homes = {f"bakeries/{name}/model-key.pub" for name in FOLDERS}
    assert new == {"model-key", "model-key.pub", *homes}
    assert len({after[folder / name] for name in new - {"model-key"}}) == 1
    with pytest.raises(CertificateError, match="is complete"):
        made(folder, hosts=[], bakeries=[])


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
def test_a_damaged_authority_is_refused(name: str, tmp_path: Path) -> None:
    """It would certify a server that nobody trusts."""
    folder = made(tmp_path / "keys").folder
    other = made(tmp_path / "other").folder
    for gone in ("server.pem", "server.key"):
        (folder / gone).rename(tmp_path / gone)
    for content in (b"nonsense", (other / name).read_bytes()):
        (folder / name).write_bytes(content)
        with pytest.raises(CertificateError, match=r"ca\.crt"):
            made(folder, bakeries=[])
    assert not (folder / "server.pem").exists()


@pytest.mark.parametrize(
    "host",
    [
        "https://glean.example.org", "glean.example.org:443", "[::1]", "*.example.org", "",
        "a..b", "-a.example.org", "glean example", "bäckerei.example.org", "192.0.2.700", "a" * 64,
        "glean.example.org/",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(host: str, tmp_path: Path) -> None:
    """With the value, and before anything is written."""
    with pytest.raises(CertificateError, match=r"wanted a name like glean\.example") as refused:
        made(tmp_path / "keys", hosts=["good.example.org", host])
    assert repr(host) in str(refused.value)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    "bakery",
    [
        *("", "  ", "...", "-", " Nord", "Nord ", "a\nb", "a\tb", 'Le "Four"', "a\\b", "x" * 81),
        *("../../etc", "/root", "Nord/Süd", "Nord/"),
    ],
)
def test_what_is_no_name_is_refused(bakery: str, tmp_path: Path) -> None:
    """With the value, and before anything is written."""
    with pytest.raises(CertificateError, match="wanted a name of at most 80") as refused:
        made(tmp_path / "keys", bakeries=["Nord", bakery])
    assert repr(bakery) in str(refused.value)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("bakeries", "words"),
    [
        (["Nord", "Süd", "Nord"], "found 'Nord' twice"),
        (["Rue Nord", "Rue-Nord"], "'Rue-Nord' and 'Rue Nord', which would share a folder"),
        (["Nord", "NORD"], "'NORD' and 'Nord', which would share a folder"),
        (["..etc", "etc"], "would share a folder"),
    ],
)
def test_names_that_can_not_stand_side_by_side(
    bakeries: list[str], words: str, tmp_path: Path
) -> None:
    """At once or one after the other; some systems take NORD and Nord for the same folder."""
    with pytest.raises(CertificateError, match=words):
        made(tmp_path / "keys", bakeries=bakeries)
    assert not (tmp_path / "keys").exists()
    if len(bakeries) == 2:
        folder = made(tmp_path / "keys", bakeries=bakeries[:1]).folder
        before = contents(folder)
        with pytest.raises(CertificateError, match="would share a folder"):
            made(folder, hosts=[], bakeries=bakeries[1:])
        assert contents(folder) == before


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Dots at the ends aren't part of a folder's name, and parts of a path are refused."""
    folder = made(tmp_path / "keys", bakeries=["..up", ".hidden", ".a"])
    assert {path.parent for path in folder.bakeries.values()} == {tmp_path / "keys" / "bakeries"}
    assert {path.name for path in folder.bakeries.values()} == {"up", "hidden", "a"}
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_a_call_that_asks_for_nothing_is_refused(tmp_path: Path) -> None:
    """A new folder needs a host; one that is complete, a bakery or a host."""
    with pytest.raises(CertificateError, match=r"holds no federation yet; wanted .* --host"):
        made(tmp_path / "keys", hosts=[])
    assert not (tmp_path / "keys").exists()
    folder = made(tmp_path / "keys").folder
    with pytest.raises(CertificateError, match="wanted a new bakery by --member or --bakery"):
        made(folder, hosts=[], bakeries=[])


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    """The error names what is in the way."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CertificateError, match=r"file.*can't be used.*wanted a folder"):
        made(tmp_path / "file" / "keys")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 2, "members": []}', b"\xff",
     b'{"format": 1, "members": [{"bakery": "Nord"}]}', b'{"format": 1, "members": [3]}'],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(content: bytes) -> None:
    """Damaged, or of a later version."""
    with pytest.raises(CertificateError, match=r"members\.json"):
        read_members(content)


def failing(fsync: Callable[[int], None], *, at: int) -> Callable[[int], None]:
    """Do as asked, but for the call of that number."""
    calls = itertools.count(1)

    def write_through(file: int) -> None:
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        fsync(file)

    return write_through


def test_a_full_disk_leaves_whole_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever write fails: the lists are old or new, a bakery's folder is whole or not there.

    Nothing half-written stays, and every key that was there is as it was.
    """
    fsync = os.fsync
    for fails_at in range(1, 30):
        folder = made(tmp_path / str(fails_at), bakeries=["Nord"]).folder
        before = contents(folder)
        monkeypatch.setattr(os, "fsync", failing(fsync, at=fails_at))
        complete, words = True, "No space left on device"
        try:
            made(folder, hosts=[], bakeries=["Ost", "West"])
        except CertificateError as error:
            complete, words = False, str(error)
        assert "No space left on device" in words
        monkeypatch.setattr(os, "fsync", fsync)
        for home in (folder / "bakeries").iterdir():
            assert {path.name for path in home.iterdir()} == OF_A_BAKERY
        after = contents(folder)
        assert not [path for path in after if path.name.startswith(".")]
        assert all(after[p] == before[p] for p in before if p.name != "members.json")
        for path in (path for path in after if path.name == "members.json"):
            names = [member["bakery"] for member in json.loads(after[path])["members"]]
            assert names in (["Nord"], ["Nord", "Ost", "West"])
        if complete:
            assert fails_at > 10
            return
    raise AssertionError("it never came to its end")
