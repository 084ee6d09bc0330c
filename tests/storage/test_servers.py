"""Real stores on loopback, S3 by moto, WebDAV by WsgiDAV: wrong, hanging, cut off, killed, back."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from glean.storage.fetching import fetch_run
from glean.storage.run_uploads import RunUploads
from glean.storage.store import Storage, open_storage
from glean.storage.store_errors import StorageAwayError, StorageError, StoredFileMissingError
from glean.storage.upload_thread import UploadThread
from tests.processes import wait_until
from tests.storage.run_folders import NAME, begun, content_of
from tests.stores import BUCKET, S3Server, s3_server, way_to, webdav_server

pytestmark = pytest.mark.slow

URL = f"s3://{BUCKET}/glean"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch) as server:
        yield server


@pytest.fixture(scope="module")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("webdav")
    with pytest.MonkeyPatch.context() as patch, webdav_server(folder, patch) as url:
        yield url


@pytest.fixture(params=["s3", "webdav"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder of its own in each kind of store."""
    server = request.getfixturevalue(request.param)
    root = server if request.param == "webdav" else f"s3://{BUCKET}"
    return open_storage(f"{root}/drive/{tmp_path.name}")


def test_a_run_goes_there_and_comes_back(store: Storage, tmp_path: Path) -> None:
    """While it goes on and in the end; with names that URLs would take for something else."""
    store.check()
    folder = begun(tmp_path / "results", rounds=1)
    (folder / "Bäckerei 1 #%20?.csv").write_text("with a name")
    uploads = RunUploads(store, folder)
    uploads.send()
    begun(tmp_path / "results", rounds=3)
    uploads.send()
    fetched = fetch_run(store, NAME, tmp_path / "elsewhere")
    assert content_of(fetched) == content_of(folder)
    begun(tmp_path / "results", rounds=4, status="completed")
    uploads.send()
    assert content_of(fetch_run(store, NAME, tmp_path / "elsewhere")) == content_of(folder)
    assert not [name for name in store.names(f"runs/{NAME}") if "~" in name]
    with pytest.raises(StoredFileMissingError):
        store.read("runs/nothing")
    assert store.names("nothing") == []
    store.delete("nothing")


@pytest.mark.usefixtures("s3")
def test_no_bucket_is_said_in_plain_words() -> None:
    """Whoever typed it can mend it."""
    with pytest.raises(StorageError, match="found no such bucket at s3://nobody-s/glean"):
        open_storage("s3://nobody-s/glean").check()


@pytest.mark.usefixtures("s3")
def test_no_credentials_are_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the variables that they are wanted in."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID"):
        open_storage(URL).check()


def test_wrong_credentials_of_s3_are_said_and_not_repeated(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto looks at them only once it is told to."""

    def check_from(count: str) -> None:
        where = f"{s3.endpoint}/moto-api/reset-auth"
        kind = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(where, data=count.encode(), headers=kind)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            assert json.load(answer)["status"] == "ok"

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFNOBODY00000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    check_from("0")
    try:
        with pytest.raises(StorageError, match="with these credentials") as told:
            open_storage(URL).check()
    finally:
        check_from("inf")
    assert not isinstance(told.value, StorageAwayError)
    assert "very-secret" not in str(told.value)
    assert "AKIAOFNOBODY" not in str(told.value)


def test_a_wrong_password_of_webdav_is_said_and_not_repeated(
    webdav: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one sent where all can read it on the way."""
    monkeypatch.setenv("WEBDAV_PASSWORD", "very-secret")
    with pytest.raises(StorageError, match="with these credentials") as told:
        open_storage(webdav).check()
    assert "very-secret" not in str(told.value)
    with pytest.raises(StorageError, match="without encryption"):
        open_storage("webdav+http://cloud.example.org/folder")


def test_a_hanging_store_holds_nothing_up(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It takes a connection and never answers: the end of a run waits so long and no longer."""
    folder = begun(tmp_path / "results", status="completed")
    with way_to(s3.port) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")
        way.hangs.set()
        with pytest.raises(StorageAwayError, match="no answer in time"):
            open_storage(URL, answer_s=0.5, pauses_s=()).check()
        patient = open_storage(URL, answer_s=30.0, pauses_s=())
        thread = UploadThread(patient, "run", lambda: folder, stuck_s=1.0)
        thread.start()
        began = time.monotonic()
        assert "took nothing for 1 s" in thread.finish()
        assert time.monotonic() - began < 5


def test_cut_off_in_the_middle_a_run_is_sent_once_the_store_is_back(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After 300 kB the way is closed; meanwhile there is no run, and later the rest follows."""
    folder = begun(tmp_path / "results", status="completed")
    for number in range(1, 6):
        (folder / "models" / f"round_{number:03d}.ubj").write_bytes(b"model" * 20_000 * number)
    with way_to(s3.port) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")
        store = open_storage(f"s3://{BUCKET}/cut", pauses_s=())
        way.left = 300_000
        with pytest.raises(StorageAwayError):
            RunUploads(store, folder).send()
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
        reader = open_storage(f"s3://{BUCKET}/cut")
        assert reader.names(f"runs/{NAME}/models")  # a part of it is there
        with pytest.raises(StorageError, match="found no run"):
            fetch_run(reader, NAME, tmp_path / "elsewhere")
        way.open()
        RunUploads(store, folder).send()
    assert content_of(fetch_run(reader, NAME, tmp_path / "elsewhere")) == content_of(folder)


def test_killed_in_the_middle_and_back_without_anything_all_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """moto loses what it has: what was sent before is missed there and sent anew."""
    with s3_server(monkeypatch) as server:
        folder = begun(tmp_path / "results", rounds=2)
        store = open_storage(URL, pauses_s=(0.1,))
        thread = UploadThread(store, "checkpoint", lambda: folder)
        thread.start()
        wait_until(lambda: thread.sent.files == 5, "the checkpoint is there", limit_s=20)
        server.kill()
        begun(tmp_path / "results", rounds=3)
        with pytest.raises(StorageAwayError):
            store.check()
        server.start()
        begun(tmp_path / "results", rounds=4, status="completed")
        assert thread.finish() == ""
        assert content_of(fetch_run(store, NAME, tmp_path / "elsewhere")) == content_of(folder)
