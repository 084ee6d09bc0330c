"""A worker with a results folder of its own: runs and tables go and come by a store."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from unittest import mock

import pytest

from glean.service.worker import stored_results
from glean.service.worker.stored_results import StoredResults
from glean.settings import ConfigValue
from glean.storage.fetching import list_stored_runs
from glean.storage.folder_uploads import FolderUploads
from glean.storage.store import Storage
from glean.storage.store_errors import StorageAwayError, StorageError
from tests.inprocess_runs import config_of, cut_off, facts_of
from tests.processes import wait_until
from tests.storage.run_folders import NAME, begun, content_of, local_store

pytest.importorskip("fsspec", reason="needs glean[storage]")

NUMBER = NAME.rpartition("-")[2]


def always() -> bool:
    """Nobody wants it to end."""
    return True


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    return local_store(tmp_path / "store")


def test_an_attempt_that_was_cut_off_is_at_hand_for_another_worker(
    store: Storage, tmp_path: Path
) -> None:
    """As far as its last checkpoint came; one that nobody has sent isn't."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    exchange = StoredResults(mine, store)
    folder = begun(mine, rounds=2)
    assert exchange.fetch(NUMBER) == folder
    exchange.send(folder)
    wait_until(lambda: bool(list_stored_runs(store)), "the checkpoint is there", limit_s=20)
    shutil.rmtree(mine)
    found = StoredResults(other, store).fetch(NUMBER)
    assert found == other / NAME
    assert found is not None
    assert (found / "models" / "round_002.ubj").is_file()
    assert StoredResults(other, store).fetch("18") is None
    assert StoredResults(other, store).fetch("") is None


def test_the_last_of_a_run_is_waited_for(store: Storage, tmp_path: Path) -> None:
    """All that its folder has is in the store by then."""
    exchange = StoredResults(tmp_path / "mine", store)
    folder = begun(tmp_path / "mine", rounds=1)
    exchange.send(folder)
    begun(tmp_path / "mine", rounds=3, status="completed")
    exchange.send_last(folder)
    (run,) = list_stored_runs(store)
    assert (run.status, run.files) == ("completed", 6)


def test_what_a_store_that_is_down_lacks_goes_with_the_next_run(tmp_path: Path) -> None:
    """A worker goes on with the next one meanwhile."""
    (tmp_path / "store").touch()
    store = local_store(tmp_path / "store")
    exchange = StoredResults(tmp_path / "mine", store)
    first = begun(tmp_path / "mine", status="completed")
    exchange.send_last(first)
    (tmp_path / "store").unlink()
    second = first.with_name("20261130T111500Z-18")
    shutil.copytree(first, second)
    exchange.send_last(second)
    assert {run.name for run in list_stored_runs(store)} == {first.name, second.name}


def test_a_run_goes_on_with_the_table_of_the_service_by_its_path_here(
    store: Storage, tmp_path: Path, three_bakeries: str
) -> None:
    """The other worker had it below its own results folder, which isn't on this machine."""
    dataset = tmp_path / "service" / ".service" / "datasets" / "d0123"
    dataset.mkdir(parents=True)
    shutil.copy(three_bakeries, dataset / "three.csv")
    FolderUploads(store, dataset, "datasets/d0123").send()
    other, mine = tmp_path / "other", tmp_path / "mine"
    table = other / ".service" / "datasets" / "d0123" / "three.csv"
    settings: dict[str, ConfigValue] = {"sales": str(table), "seed": 3}
    StoredResults(other, store).bring(settings, always)
    assert table.read_bytes() == Path(three_bakeries).read_bytes()
    old = cut_off(other, config_of(str(table), num_server_rounds=2), round_number=2)
    StoredResults(other, store).send_last(old)
    shutil.rmtree(other)
    found = StoredResults(mine, store).fetch(old.name.rpartition("-")[2])
    assert found == mine / old.name
    here = mine / ".service" / "datasets" / "d0123" / "three.csv"
    assert facts_of(mine / old.name)["settings"]["sales"] == str(here)
    assert here.read_bytes() == Path(three_bakeries).read_bytes()


def test_a_table_that_comes_late_is_waited_for(
    store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service sends it at its next look; one that never comes is said in the end."""
    dataset = tmp_path / "service" / "d0123"
    dataset.mkdir(parents=True)
    (dataset / "t.csv").write_text("a,b\n")
    table = tmp_path / "mine" / ".service" / "datasets" / "d0123" / "t.csv"
    send = FolderUploads(store, dataset, "datasets/d0123").send
    late = threading.Timer(0.5, send)
    late.start()
    StoredResults(tmp_path / "mine", store).bring({"sales": str(table)}, always)
    assert table.is_file()
    late.join()
    monkeypatch.setattr(stored_results, "BROUGHT_WITHIN_S", 0.1)
    never = table.parent.with_name("d0fff") / "t.csv"
    with pytest.raises(StorageError, match="what the run learns from can't be had"):
        StoredResults(tmp_path / "mine", store).bring({"sales": str(never)}, always)


def test_a_store_that_is_away_is_waited_for_as_long_as_the_run_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Longer than for a table that it lacks: an outage would fail every run that waits."""
    away = mock.Mock(side_effect=[StorageAwayError("no answer")] * 3 + [None])
    monkeypatch.setattr(stored_results, "bring_named", away)
    monkeypatch.setattr(stored_results, "BROUGHT_WITHIN_S", -1.0)
    monkeypatch.setattr(stored_results, "_LOOK_S", 0.01)
    exchange = StoredResults(tmp_path / "mine", mock.Mock())
    exchange.bring({"sales": "d0123/t.csv"}, always)
    assert away.call_count == 4
    assert len(caplog.records) == 1
    assert "waited for: no answer" in caplog.text
    away.side_effect = StorageAwayError("no answer")
    exchange.bring({"sales": "d0123/t.csv"}, iter((True, False)).__next__)
    assert away.call_count == 5


def test_a_store_that_is_away_is_waited_for_by_who_would_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And by nobody else; after a while it begins anew all the same."""
    store = local_store(tmp_path / "store")
    mine = StoredResults(tmp_path / "mine", store)
    mine.send_last(begun(tmp_path / "mine", rounds=2))
    kept = (tmp_path / "store").rename(tmp_path / "kept")
    (tmp_path / "store").touch()
    other = StoredResults(tmp_path / "other", store)
    assert other.fetch(NUMBER) is None

    def is_back() -> None:
        (tmp_path / "store").unlink()
        kept.rename(tmp_path / "store")

    back = threading.Timer(0.5, is_back)
    back.start()
    assert other.fetch(NUMBER, wait_while=lambda: True) == tmp_path / "other" / NAME
    back.join()
    kept = (tmp_path / "store").rename(tmp_path / "kept")
    (tmp_path / "store").touch()
    third = StoredResults(tmp_path / "third", store)
    assert third.fetch(NUMBER, wait_while=lambda: False) is None
    monkeypatch.setattr(stored_results, "BROUGHT_WITHIN_S", 0.1)
    assert third.fetch(NUMBER, wait_while=lambda: True) is None


def test_a_run_of_which_only_the_record_is_damaged_isn_t_gone_on_with(
    store: Storage, tmp_path: Path
) -> None:
    """It begins anew then, and the worker says why."""
    folder = begun(tmp_path / "mine", status="failed")
    StoredResults(tmp_path / "mine", store).send_last(folder)
    assert content_of(folder)
    store.write(f"runs/{NAME}/run.json", json.dumps({"status": "other"}).encode())
    assert StoredResults(tmp_path / "other", store).fetch(NUMBER) is None
