"""Runs sent to a store and fetched from it, also where one is cut off in between."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from unittest import mock

import pytest

from glean.errors import GleanError
from glean.runs.folder_lock import folder_lock
from glean.runs.index import run_folders
from glean.storage import fetched_files
from glean.storage.address import RUNS
from glean.storage.fetched_files import fetch_file
from glean.storage.fetching import fetch_dataset, fetch_run, list_stored_runs
from glean.storage.folder_uploads import FolderUploads
from glean.storage.manifest import (
    MANIFEST,
    SUCCESSOR,
    Manifest,
    StoredFile,
    read_manifest,
    write_manifest,
)
from glean.storage.run_uploads import RunUploads
from glean.storage.sent_marker import is_sent, unsent_runs
from glean.storage.store import Storage
from glean.storage.store_errors import StorageError
from glean.storage.upload_thread import UploadThread
from tests.processes import wait_until
from tests.storage.run_folders import NAME, KilledError, begun, breaking, content_of, local_store

pytest.importorskip("fsspec", reason="needs glean[storage]")


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return local_store(tmp_path / "store")


def test_a_run_comes_back_as_it_was_sent(store: Storage, tmp_path: Path) -> None:
    """Byte for byte and under its own names in the store; hidden files aren't sent, nor links."""
    folder = begun(tmp_path / "results", rounds=3, status="completed")
    (folder / "Bäckerei 1 #%20?.csv").write_text("with a name")
    (folder / "empty.log").touch()
    (folder / "outside").symlink_to("/etc/passwd")
    sent = RunUploads(store, folder).send()
    assert sent.files == 8
    fetched = fetch_run(store, NAME, tmp_path / "elsewhere")
    wanted = content_of(folder)
    del wanted["outside"]
    assert content_of(fetched) == wanted
    assert (tmp_path / "store" / RUNS / NAME / "models" / "round_003.ubj").is_file()
    (stored,) = list_stored_runs(store)
    assert (stored.name, stored.status, stored.files) == (NAME, "completed", 8)


def test_only_what_is_new_is_sent(store: Storage, tmp_path: Path) -> None:
    """Of a further round its model and the files that grew; of nothing new nothing."""
    folder = begun(tmp_path / "results", rounds=2)
    uploads = RunUploads(store, folder)
    assert uploads.send().files == 5
    assert uploads.send().files == 0
    begun(tmp_path / "results", rounds=3)
    assert uploads.send().files == 4
    assert RunUploads(store, folder).send().files == 0  # another process knows as much


def test_in_the_end_each_file_has_its_own_name(store: Storage, tmp_path: Path) -> None:
    """While a run goes on what grows lies beside what a reader may be reading; then no more."""
    uploads = None
    for rounds in (1, 2, 3, 4):
        folder = begun(tmp_path / "results", rounds=rounds)
        uploads = uploads or RunUploads(store, folder)
        uploads.send()
    begun(tmp_path / "results", rounds=4, status="completed")
    assert uploads is not None
    uploads.send()
    there = {name.partition("~")[0] for name in store.names(f"{RUNS}/{NAME}")}
    assert there == set(store.names(f"{RUNS}/{NAME}"))
    manifest = read_manifest(store, f"{RUNS}/{NAME}")
    assert manifest is not None
    assert all(file.object == file.path for file in manifest.files)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_killed_at_any_write_a_reader_has_the_old_run_or_the_new_one(
    before: int, tmp_path: Path
) -> None:
    """And never half of one: the file at which it is killed is half there."""
    results = tmp_path / "results"
    for writes in range(20):
        store = local_store(tmp_path / f"store {writes}")
        old = {}
        if before:
            old = content_of(folder := begun(results, rounds=before))
            RunUploads(store, folder).send()
        folder = begun(results, rounds=before + 1, status="completed")
        new = content_of(folder)
        killed = True
        try:
            RunUploads(breaking(store, writes=writes), folder).send()
            killed = False
        except KilledError:
            pass
        reader = tmp_path / f"reader {writes}"
        if before or not killed or list_stored_runs(store):
            assert content_of(fetch_run(store, NAME, reader)) in ([old, new] if killed else [new])
        else:
            with pytest.raises(StorageError, match="found no run"):
                fetch_run(store, NAME, reader)
        RunUploads(store, folder).send()  # what goes on after the kill
        assert content_of(fetch_run(store, NAME, tmp_path / f"later {writes}")) == new
        if not killed:
            assert writes > 4
            return
    raise AssertionError("it was killed at each of 20 writes")


def test_a_fetched_run_is_brought_up_to_date(store: Storage, tmp_path: Path) -> None:
    """What came since is fetched into the same folder; a run that was made here isn't touched."""
    folder = begun(tmp_path / "results", rounds=1)
    RunUploads(store, folder).send()
    fetched = fetch_run(store, NAME, tmp_path / "elsewhere")
    begun(tmp_path / "results", rounds=2, status="completed")
    RunUploads(store, folder).send()
    assert fetch_run(store, NAME, tmp_path / "elsewhere") == fetched
    assert content_of(fetched) == content_of(folder)
    begun(tmp_path / "results", rounds=3)
    assert fetch_run(store, NAME, tmp_path / "results") == folder
    assert (folder / "models" / "round_003.ubj").is_file()


def test_what_a_kill_left_of_a_fetch_is_no_run(store: Storage, tmp_path: Path) -> None:
    """Nor what is being fetched, up to the moment at which it has its name."""
    folder = begun(tmp_path / "results", status="completed")
    RunUploads(store, folder).send()
    seen: list[list[Path]] = []

    def killed(scratch: Path, _target: Path) -> None:
        shutil.copytree(scratch, tmp_path / "elsewhere" / f"{scratch.name}0")
        seen.append(run_folders(tmp_path / "elsewhere"))
        raise KilledError

    with mock.patch.object(Path, "rename", killed), pytest.raises(KilledError):
        fetch_run(store, NAME, tmp_path / "elsewhere")
    assert seen == [[]]
    fetched = fetch_run(store, NAME, tmp_path / "elsewhere")
    assert run_folders(tmp_path / "elsewhere") == [fetched]


@pytest.mark.parametrize("harm", ["changed", "shorter", "gone"])
def test_a_run_that_was_damaged_there_is_no_run_here(
    harm: str, store: Storage, tmp_path: Path
) -> None:
    """Each file has the SHA-256 that was sent, or nothing is fetched."""
    folder = begun(tmp_path / "results", status="completed")
    RunUploads(store, folder).send()
    model = f"{RUNS}/{NAME}/models/round_001.ubj"
    if harm == "gone":
        store.delete(model)
    else:
        content = store.read(model)
        store.write(model, content[:-1] + (b"!" if harm == "changed" else b""))
    with pytest.raises(StorageError, match="isn't whole"):
        fetch_run(store, NAME, tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_hostile_names_write_nothing(store: Storage, tmp_path: Path) -> None:
    """A manifest that leads out of the folder, and a run whose name does."""
    store.write("runs/escaped", b"")
    hostile = StoredFile("../../escaped", "0" * 64, 0, "run.json")
    write_manifest(store, f"{RUNS}/{NAME}", Manifest((hostile,)))
    with pytest.raises(StorageError, match="Nothing was fetched"):
        fetch_run(store, NAME, tmp_path / "elsewhere")
    for name in ("../x", "/etc", "latest", f"{NAME}/..", ""):
        with pytest.raises(StorageError, match="wanted one like"):
            fetch_run(store, name, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "escaped").exists()


def test_a_dataset_comes_as_a_whole_or_not_at_all(store: Storage, tmp_path: Path) -> None:
    """And under its own id only."""
    table = tmp_path / "here" / "d0123" / "Bäckerei.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a,b\n")
    FolderUploads(store, table.parent, "datasets/d0123").send()
    there = tmp_path / "there" / "d0123"
    fetch_dataset(store, "d0123", there)
    assert content_of(there) == {"Bäckerei.csv": b"a,b\n"}
    store.write("datasets/d0123/B=C3=A4ckerei.csv", b"a,c\n")
    with pytest.raises(StorageError, match="other bytes"):
        fetch_dataset(store, "d0123", tmp_path / "again" / "d0123")
    assert list((tmp_path / "again").iterdir()) == []
    for name in ("..", "../runs", "", "d", "latest"):
        with pytest.raises(StorageError, match="wanted its id"):
            fetch_dataset(store, name, there)
    assert there.is_dir()


def test_a_folder_that_is_no_run_s_is_none(store: Storage, tmp_path: Path) -> None:
    """Neither to fetch nor to send."""
    write_manifest(store, f"{RUNS}/{NAME}", Manifest((StoredFile("a", "0" * 64, 0, "a"),)))
    with pytest.raises(StorageError, match="no run's folder"):
        fetch_run(store, NAME, tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(GleanError, match=r"found no run\.json"):
        RunUploads(store, tmp_path / "folder").send()


def test_two_that_send_a_run_at_once_wait_for_each_other(store: Storage, tmp_path: Path) -> None:
    """As a command and a service: each would delete what the other's manifest still names."""
    folder = begun(tmp_path / "results", status="completed")
    sender = threading.Thread(target=RunUploads(store, folder).send)
    with folder_lock(folder, ".storage.lock", wait=True):
        sender.start()
        sender.join(0.5)
        assert sender.is_alive()
        assert store.names(RUNS) == []
    sender.join(20)
    assert content_of(fetch_run(store, NAME, tmp_path / "elsewhere")) == content_of(folder)


def test_what_is_wrong_with_an_earlier_run_leaves_this_one_and_others(
    store: Storage, tmp_path: Path
) -> None:
    """A damaged record, and a file that no store can have: the runs behind them are sent."""
    results = tmp_path / "results"
    folder = begun(results, status="completed")
    for number in (1, 2, 3):
        earlier = shutil.copytree(folder, results / f"20260101T00000{number}Z-{number}")
        RunUploads(store, earlier).want()
    (results / "20260101T000001Z-1" / "run.json").write_text("{")
    (results / "20260101T000002Z-2" / "a:b.txt").touch()
    thread = UploadThread(store, "run", lambda: folder, results=results)
    thread.start()
    assert thread.finish() == ""
    assert {run.name for run in list_stored_runs(store)} == {NAME, "20260101T000003Z-3"}


def test_a_look_at_a_folder_that_fails_is_told_and_made_again(
    store: Storage, tmp_path: Path
) -> None:
    """The thread doesn't end by it, and no run that isn't there is said to be sent."""
    folder = begun(tmp_path / "results", status="completed")
    looks: list[bool] = []

    def find() -> Path:
        looks.append(True)
        if len(looks) < fails:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return folder

    fails = 3
    thread = UploadThread(store, "run", find)
    thread.start()
    wait_until(lambda: len(looks) >= fails, "it looks again", limit_s=20)
    assert thread.finish() == ""
    assert [run.name for run in list_stored_runs(store)] == [NAME]
    fails = 1000
    thread = UploadThread(store, "run", find)
    thread.start()
    assert "Permission denied" in thread.finish()


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its size as the store has it, or as the manifest of its run says."""
    folder = begun(tmp_path / "results", status="completed")
    RunUploads(store, folder).send()
    store.write("tables/large.csv", b"a" * 1001)
    read: list[str] = []
    honest = Storage.read

    def noted(self: Storage, name: str) -> bytes:
        read.append(name)
        return honest(self, name)

    monkeypatch.setattr(Storage, "read", noted)
    monkeypatch.setattr(fetched_files, "MOST_BYTES", 400)
    for url in ("tables/large.csv", f"runs/{NAME}/models/round_001.ubj"):
        with pytest.raises(StorageError, match="larger than"):
            fetch_file(f"{store.url}/{url}", tmp_path / "there")
    assert set(read) <= {f"{RUNS}/{NAME}/{MANIFEST}"}


def test_a_damaged_manifest_is_shown_and_mended(store: Storage, tmp_path: Path) -> None:
    """Other runs are listed all the same; sent anew the run is whole."""
    folder = begun(tmp_path / "results", status="completed")
    RunUploads(store, folder).send()
    for name in (MANIFEST, SUCCESSOR):
        store.write(f"{RUNS}/{NAME}/{name}", b"{")
    assert [run.status for run in list_stored_runs(store)] == ["damaged"]
    RunUploads(store, folder).send()
    assert content_of(fetch_run(store, NAME, tmp_path / "elsewhere")) == content_of(folder)


def test_what_wasn_t_sent_is_known(store: Storage, tmp_path: Path) -> None:
    """Until all of it is there; and again when the run's files change after that."""
    folder = begun(tmp_path / "results")
    uploads = RunUploads(store, folder)
    assert unsent_runs(tmp_path / "results") == []
    uploads.want()
    assert unsent_runs(tmp_path / "results") == [(folder, store.url)]
    uploads.send()
    assert not is_sent(folder, store.url)  # it goes on
    begun(tmp_path / "results", status="failed")
    uploads.send()
    assert is_sent(folder, store.url)
    assert unsent_runs(tmp_path / "results") == []
    store.delete(f"{RUNS}/{NAME}/{MANIFEST}")
    begun(tmp_path / "results", rounds=2, status="completed")
    assert unsent_runs(tmp_path / "results") == [(folder, store.url)]
