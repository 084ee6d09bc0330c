"""A service's runs and tables on a store, and runs of workers fetched from there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.errors import GleanError
from glean.service import storage_sync
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.runs.status import RunStatus
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.storage_sync import StorageSync
from glean.service.store.tables import RunRow
from glean.storage.fetching import fetch_run, list_stored_runs
from glean.storage.manifest import read_manifest
from glean.storage.run_uploads import RunUploads
from glean.storage.store import Storage, open_storage
from glean.storage.store_errors import StorageAwayError
from tests.processes import wait_until
from tests.service.served import serving
from tests.storage.run_folders import NAME, begun, content_of, local_store
from tests.stores import BUCKET, s3_server

pytest.importorskip("fsspec", reason="needs glean[storage]")


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return local_store(tmp_path / "store")


@pytest.fixture
def stored(results: Path, store: Storage) -> Iterator[Services]:
    """A service with a store; its thread doesn't look by itself."""
    found = open_services(ServiceSettings(results=results, storage=store.url))
    found.discovery.refresh()
    yield found
    found.workers.close()
    found.database.close()


def sync_of(services: Services) -> StorageSync:
    assert services.storage is not None
    return services.storage


def test_runs_that_have_ended_and_tables_are_sent(
    stored: Services, store: Storage, run_of_command_line: Path, tmp_path: Path
) -> None:
    """Once; and what is deleted here stays there and doesn't come back by itself."""
    dataset = stored.settings.datasets / "d0123"
    dataset.mkdir()
    (dataset / "Bäckerei.csv").write_text("a,b\n")
    begun(stored.settings.results)  # goes on, and waits for its end
    sync_of(stored).look()
    name = run_of_command_line.name
    assert [run.name for run in list_stored_runs(store)] == [name]
    assert content_of(fetch_run(store, name, tmp_path / "there")) == content_of(run_of_command_line)
    manifest = read_manifest(store, "datasets/d0123")
    assert manifest is not None
    assert [file.path for file in manifest.files] == ["Bäckerei.csv"]
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.*")}
    sync_of(stored).look()
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    shutil.rmtree(stored.settings.results / name)
    sync_of(stored).look()
    assert not (stored.settings.results / name).exists()
    assert [run.name for run in list_stored_runs(store)] == [name]


def test_checkpoints_are_sent_where_that_is_wanted(stored: Services, store: Storage) -> None:
    """Each once: while nothing comes nothing is sent."""
    settings = replace(stored.settings, upload="checkpoint")
    sync = StorageSync(stored.database, settings, store)
    for rounds in (1, 2):
        folder = begun(settings.results, rounds=rounds)
        sync.look()
        (run,) = [run for run in list_stored_runs(store) if run.name == NAME]
        assert (run.status, run.files) == ("running", 3 + rounds)
    before = [run.sent_at for run in list_stored_runs(store)]
    (folder / "log").touch()
    sync.look()
    assert [run.sent_at for run in list_stored_runs(store)] == before


@pytest.mark.parametrize("elsewhere", [("host", '"other"'), ("pid", str(2**31))])
def test_a_worker_s_run_is_seen_here_while_it_goes_on(
    stored: Services,
    store: Storage,
    run_of_command_line: Path,
    tmp_path: Path,
    elsewhere: tuple[str, str],
) -> None:
    """Its folder comes from the store and grows; of one that sent nothing yet nothing comes.

    Also where its worker is on this machine, and its process had ended before all was fetched.
    """
    there = tmp_path / "worker" / NAME
    shutil.copytree(run_of_command_line, there)
    completed = (there / "run.json").read_text()
    name, value = elsewhere
    running = re.sub(rf'"{name}": [^,\n]+', f'"{name}": {value}', completed)
    running = running.replace('"completed"', '"running"')
    (there / "run.json").write_text(running)
    with stored.database.transaction() as session:
        for run_id, folder in (("r1", NAME), ("r2", "20261130T101500Z-18")):
            number = folder.rpartition("-")[2]
            facts = {"status": RunStatus.RUNNING, "asked_at": "2026", "worker": "w"}
            session.add(RunRow(id=run_id, folder=folder, flower_id=number, **facts))
    RunUploads(store, there).send()
    sync_of(stored).look()
    here = stored.settings.results / NAME
    assert content_of(here) == content_of(there)
    (there / "run.json").write_text(running.replace('"running"', '"failed"'))
    RunUploads(store, there).send()
    sync_of(stored).look()
    assert content_of(here) == content_of(there)
    stored.discovery.refresh()
    row = stored.queue.find("r1")
    assert stored.queue.run_folder(row) == here
    assert row.status == RunStatus.RUNNING  # its worker says when it has ended


def test_what_is_wrong_with_one_folder_leaves_the_others(
    stored: Services, store: Storage, run_of_command_line: Path
) -> None:
    """It is told; the runs behind it are sent, and what workers have is fetched."""
    name = run_of_command_line.name
    odd = stored.settings.results / "20250101T000000Z-1"
    shutil.copytree(run_of_command_line, odd)
    (odd / "a:b.txt").touch()
    dataset = stored.settings.datasets / "d0123"
    dataset.mkdir()
    (dataset / "a:b.csv").touch()
    for _ in range(2):
        with pytest.raises(GleanError, match="a:b"):
            sync_of(stored).look()
        assert [run.name for run in list_stored_runs(store)] == [name]
    (odd / "a:b.txt").unlink()
    shutil.rmtree(dataset)
    sync_of(stored).look()
    assert {run.name for run in list_stored_runs(store)} == {odd.name, name}


def test_a_store_that_is_away_when_it_is_only_asked_is_told(stored: Services) -> None:
    """Where there is nothing to send, and runs of workers to fetch; a few tries end the look."""
    with stored.database.transaction() as session:
        for number in range(5):
            facts = {"status": RunStatus.RUNNING, "asked_at": "2026", "worker": "w"}
            folder = f"20261130T101500Z-{number}"
            session.add(RunRow(id=f"r{number}", folder=folder, flower_id=str(number), **facts))
    shutil.rmtree(stored.settings.results / next(stored.settings.results.glob("2*")).name)
    asked: list[str] = []

    def away(_: Storage, name: str) -> bytes:
        asked.append(name)
        raise StorageAwayError("it can't be reached")

    with (
        mock.patch.object(Storage, "read", away),
        pytest.raises(StorageAwayError),
    ):
        sync_of(stored).look()
    assert len(asked) == 2


def test_a_store_that_is_down_is_told_and_the_service_is_ready(
    stored: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it doesn't take it is given once it is back."""
    monkeypatch.setattr(storage_sync, "AWAY_S", 0.2)
    (tmp_path / "store").touch()
    with TestClient(create_app(stored)) as client:
        wait_until(lambda: client.get("/readyz").json()["storage"] != "", "it is told", limit_s=20)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (HTTPStatus.OK, True)
        (tmp_path / "store").unlink()
        wait_until(lambda: client.get("/readyz").json()["storage"] == "", "it is back", limit_s=20)
        assert len(list_stored_runs(local_store(tmp_path / "store"))) == 1


def test_a_run_may_begin_with_files_of_the_service_s_own_store_only(
    stored: Services, run_of_command_line: Path
) -> None:
    """Any other address it would ask for with its own credentials, within its own network."""
    sync_of(stored).look()
    url = stored.settings.storage
    model = f"{url}/runs/{run_of_command_line.name}/model.ubj"
    _, text = stored.tokens.create("somebody", Scope.RUN)
    headers = {"Authorization": f"Bearer {text}"}
    # Threads are left alone: nothing shall be started here.
    client = TestClient(create_app(stored), raise_server_exceptions=False)

    def ask(start: str) -> tuple[int, str]:
        settings = {"start-from": start, "num-server-rounds": 1}
        body = {"engine": "inprocess", "bakeries": 3, "settings": settings}
        answer = client.post("/api/v1/runs", json=body, headers=headers)
        return answer.status_code, answer.text

    code, said = ask(model)
    assert code == HTTPStatus.CREATED, said
    assert f'"start-from":"{model}"' in said
    for other in (
        "http://169.254.169.254/latest/meta-data",
        f"{url}2/model.ubj",
        f"{url}/../secret",
        f"{url}/runs/none.ubj",
        url,
    ):
        code, said = ask(other)
        assert code == HTTPStatus.UNPROCESSABLE_ENTITY, (other, said)


@pytest.mark.slow
def test_served_with_s3_a_run_that_is_asked_for_ends_up_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As typed: `glean serve --storage s3://...`; with the model that the service has."""
    url = f"s3://{BUCKET}/glean"
    with s3_server(monkeypatch) as server:
        words = ("--storage", url, "--upload", "checkpoint")
        with serving(tmp_path, *words, env=server.environment) as served:
            small = {"num-server-rounds": 2, "max-depth": 3, "baselines": False}
            served.wait(served.ask(**small), "completed")
            store = open_storage(url)

            def is_there() -> bool:
                return [one.status for one in list_stored_runs(store)] == ["completed"]

            wait_until(is_there, "the run is in the store", limit_s=30)
            assert served.http.get("/readyz").json()["storage"] == ""
        (run_there,) = list_stored_runs(store)
        model = store.read(f"runs/{run_there.name}/model.ubj")
        assert model == (tmp_path / "results" / run_there.name / "model.ubj").read_bytes()
