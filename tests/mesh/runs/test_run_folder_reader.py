"""What of a run's folder others are sent: what has changed, and nothing that isn't the run's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.mesh.runs.manifest import MOST_FILE_BYTES
from glean.mesh.runs.run_folder_reader import RunFolderReader, binds
from glean.runs.folder import write_whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder after a round."""
    run = tmp_path / "run"
    (run / "models").mkdir(parents=True)
    write_whole(run / "rounds.csv", b"round\n1\n")
    write_whole(run / "models" / "round_001.ubj", b"a model")
    return run


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_only_what_isn_t_had_is_given(folder: Path) -> None:
    """By its content, not by its name."""
    reader = RunFolderReader(folder)
    first, contents = reader.read(())
    assert set(first.files) == {"rounds.csv", "models/round_001.ubj"}
    assert contents == {digest(c): c for c in (b"round\n1\n", b"a model")}
    write_whole(folder / "rounds.csv", b"round\n1\n2\n")
    write_whole(folder / "models" / "round_002.ubj", b"a model")
    second, contents = reader.read(first.digests)
    assert contents == {digest(b"round\n1\n2\n"): b"round\n1\n2\n"}
    assert second.files["models/round_002.ubj"] == first.files["models/round_001.ubj"]


def test_what_wasn_t_kept_is_given_again(folder: Path) -> None:
    """Nobody may have had it."""
    reader = RunFolderReader(folder)
    assert reader.read(()) == reader.read(())


def test_links_and_half_written_files_stay_out(folder: Path, tmp_path: Path) -> None:
    """A link could lead to a key."""
    (tmp_path / "key").write_text("secret")
    (folder / "key").symlink_to(tmp_path / "key")
    (folder / "others").symlink_to(tmp_path)
    (folder / ".rounds.csv-01234567").write_text("half")
    (folder / "server.log").write_text("a line")
    assert set(RunFolderReader(folder).read(())[0].files) == {"rounds.csv", "models/round_001.ubj"}


def test_a_file_that_no_message_can_carry_is_named(folder: Path) -> None:
    """Without reading it to its end."""
    with (folder / "models" / "huge.npz").open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)
    with pytest.raises(FederationError, match=r"'models/huge\.npz' of the run has more than"):
        RunFolderReader(folder).read(())


def test_an_event_alone_binds_nobody(folder: Path) -> None:
    """It goes with what changes next."""
    reader = RunFolderReader(folder)
    before, _ = reader.read(())
    (folder / "events.jsonl").write_text("{}\n")
    after, _ = reader.read(())
    assert after != before
    assert not binds(before, after)
    write_whole(folder / "rounds.csv", b"round\n1\n2\n")
    assert binds(after, reader.read(())[0])
