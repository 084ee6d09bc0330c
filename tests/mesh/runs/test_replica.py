"""What a participant has on disk of a run: a whole version, or the one before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from glean.consensus.memory import Promise
from glean.consensus.state_version import Version
from glean.errors import FederationError
from glean.mesh.runs.manifest import KeptFile, Manifest
from glean.mesh.runs.promise_file import PromiseFile
from glean.mesh.runs.replica import Replica, StoredVersion
from glean.mesh.runs.run_end import RunEnd
from glean.mesh.runs.run_errors import LocalFailureError


def manifest(**contents: bytes) -> Manifest:
    """Files of these contents; "_" in a name stands for a dot."""
    return Manifest(
        {
            name.replace("_", "."): KeptFile(hashlib.sha256(c).hexdigest(), len(c))
            for name, c in contents.items()
        }
    )


FIRST = StoredVersion(Version(1, 1), manifest(rounds_csv=b"1", model_ubj=b"tree"))
SECOND = StoredVersion(
    Version(2, 2), manifest(rounds_csv=b"12", model_ubj=b"tree"), RunEnd("completed")
)


def test_a_version_is_there_whole(tmp_path: Path) -> None:
    """Also for the next process; contents of the version before are forgotten."""
    replica = Replica(tmp_path)
    assert len(replica.missing(FIRST.manifest)) == 2
    assert replica.add([b"1", b"tree"]) == 2
    replica.keep(FIRST)
    replica.missing(SECOND.manifest)
    replica.add([b"12"])
    assert Replica(tmp_path).stored == FIRST  # a kill here leaves the one before
    replica.keep(SECOND)
    assert Replica(tmp_path).stored == SECOND
    assert len([*(tmp_path / "contents").iterdir()]) == 2
    replica.restore(tmp_path / "run")
    assert (tmp_path / "run" / "rounds.csv").read_bytes() == b"12"


def test_nothing_is_kept_that_lacks_contents(tmp_path: Path) -> None:
    """Or that nobody has asked for, or of another digest."""
    replica = Replica(tmp_path)
    assert replica.add([b"1", b"tree"]) == 0
    replica.missing(FIRST.manifest)
    assert replica.add([b"1", b"TREE", b"tree and more"]) == 1
    with pytest.raises(FederationError, match="found no contents of 1 files"):
        replica.keep(FIRST)
    assert Replica(tmp_path).stored == StoredVersion()


def test_what_is_damaged_isn_t_given_away(tmp_path: Path) -> None:
    """Neither to another peer, nor to a ServerApp that would go on from it."""
    replica = Replica(tmp_path)
    replica.missing(FIRST.manifest)
    replica.add([b"1", b"tree"])
    replica.keep(FIRST)
    digest = hashlib.sha256(b"tree").hexdigest()
    (tmp_path / "contents" / digest).write_bytes(b"weed")
    with pytest.raises(LocalFailureError, match="is damaged"):
        replica.content(digest)
    with pytest.raises(LocalFailureError, match="is damaged"):
        replica.restore(tmp_path / "run")
    (tmp_path / "contents" / digest).unlink()
    with pytest.raises(LocalFailureError, match="can't be read"):
        replica.content(digest)
    with pytest.raises(FederationError, match="wanted a SHA-256"):
        replica.content("../version.json")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"term": 1}', '{"term": 1, "index": 1, "files": {"../x": ["", 1]}, "ended": 0}'],
)
def test_what_can_t_be_read_is_named(tmp_path: Path, text: str) -> None:
    """It mustn't be taken for nothing: a majority may count on it."""
    (tmp_path / "version.json").write_text(text)
    with pytest.raises(LocalFailureError, match=r"version\.json can't be read"):
        Replica(tmp_path)


def test_a_promise_is_kept(tmp_path: Path) -> None:
    """One that can't be read isn't taken for none: this peer might vote twice."""
    path = tmp_path / "promise.json"
    assert PromiseFile(path).load() == Promise()
    PromiseFile(path).save(Promise(3, "Ost", Version(2, 5)))
    assert PromiseFile(path).load() == Promise(3, "Ost", Version(2, 5))
    path.write_text("{}")
    with pytest.raises(LocalFailureError, match=r"promise\.json can't be read"):
        PromiseFile(path).load()
