"""Manifests: whole or not there, and never leading out of the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.storage.folder_uploads import plain_name
from glean.storage.manifest import (
    MANIFEST,
    SUCCESSOR,
    DamagedManifestError,
    Manifest,
    StoredFile,
    _digest,
    is_safe_name,
    read_manifest,
    write_manifest,
)
from glean.storage.store_errors import StorageError
from tests.storage.run_folders import local_store

pytest.importorskip("fsspec", reason="needs glean[storage]")

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
SHA256 = "0" * 64
HOSTILE = [
    "../escaped", "/etc/passwd", "a/../../b", "..", ".", "", "a//b", "./a", ".hidden", "a/.b",
    "C:\\x", "c:x", "a\\b", "a\nb", "a\0b", "x" * 501, "a/" + "y" * 201, "a ", "a.",
]  # fmt: skip


def file(path: str, stored: str = "") -> StoredFile:
    return StoredFile(path, SHA256, 0, stored or path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """With the status and the time; a folder without one has none."""
    store = local_store(tmp_path)
    manifest = Manifest((file("a/b.csv"), file("run.json", "run.json~1")), "running", "now")
    write_manifest(store, "runs/x", manifest)
    assert read_manifest(store, "runs/x") == manifest
    assert read_manifest(store, "runs/y") is None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str, tmp_path: Path) -> None:
    """As the place of a file here and as the name of its bytes there."""
    store = local_store(tmp_path)
    assert not is_safe_name(name)
    for entry in (file(name, "x"), file("x", name or "../")):
        write_manifest(store, "runs/x", Manifest((entry,)))
        with pytest.raises(StorageError, match="Nothing was fetched"):
            read_manifest(store, "runs/x")


@pytest.mark.parametrize(
    "rows",
    [
        [{"path": "a"}],
        ["a"],
        [{"path": "a", "sha256": SHA256[1:], "bytes": 1, "object": "a"}],
        [{"path": "a", "sha256": SHA256, "bytes": -1, "object": "a"}],
        [{"path": "a", "sha256": SHA256, "bytes": True, "object": "a"}],
        [{"path": name, "sha256": SHA256, "bytes": 0, "object": name} for name in ("a", "A")],
    ],
)
def test_rows_that_are_none_are_refused(rows: list[object], tmp_path: Path) -> None:
    """Without size or SHA-256, or the same file twice, which some systems can't keep apart."""
    store = local_store(tmp_path)
    content = {"format": 1, "status": "", "sent_at": "", "files": rows}
    text = json.dumps({"sha256": _digest(content), "manifest": content})
    store.write(f"runs/x/{MANIFEST}", text.encode())
    with pytest.raises(StorageError, match="ask whoever keeps the store"):
        read_manifest(store, "runs/x")


def test_a_cut_off_manifest_is_replaced_by_its_successor(tmp_path: Path) -> None:
    """Not every store writes a file as a whole; where both are damaged that is said."""
    store = local_store(tmp_path)
    manifest = Manifest((file("run.json"),), "completed", "now")
    write_manifest(store, "runs/x", manifest)
    whole = store.read(f"runs/x/{MANIFEST}")
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        store.write(f"runs/x/{MANIFEST}", whole[:cut])
        assert read_manifest(store, "runs/x") == manifest
    store.write(f"runs/x/{SUCCESSOR}", whole[:-1])
    with pytest.raises(DamagedManifestError, match="send the folder anew"):
        read_manifest(store, "runs/x")
    store.delete(f"runs/x/{MANIFEST}")
    assert read_manifest(store, "runs/x") is None  # the first one was cut off


@given(TEXTS, TEXTS)
def test_plain_names_tell_files_apart(one: str, other: str) -> None:
    """And are of letters that every store takes as they are."""
    if one != other:
        assert plain_name(one) != plain_name(other)
    assert plain_name(one).isascii()
    assert not set(plain_name(one)) & set(" %#?&+:\\~*[]") - {"~"}
