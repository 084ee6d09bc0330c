"""`glean worker --storage`: no folder in common with the service, nor with each other."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from glean.runs.index import find_run
from glean.storage.fetching import list_stored_runs
from tests.processes import BIN, REPOSITORY, environment, run, wait_until
from tests.service.databases import url_for
from tests.service.served import Served, serving
from tests.service.working import working
from tests.storage.run_folders import local_store

pytest.importorskip("fsspec", reason="needs glean[storage]")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
]

MANY: dict[str, Any] = {"num-server-rounds": 30, "max-depth": 2, "baselines": False}


def uploaded(served: Served, table: Path) -> str:
    content, name = table.read_bytes(), {"file": table.name}
    answer = served.http.post("/api/v1/datasets", content=content, params=name)
    assert answer.status_code == 201, answer.text
    dataset: str = answer.json()["id"]
    return dataset


def asked(served: Served, dataset: str) -> str:
    body = {"engine": "inprocess", "dataset": dataset, "settings": {**MANY, "test-days": 14}}
    answer = served.http.post("/api/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["id"]
    return run_id


def test_a_killed_worker_s_run_goes_on_on_another_machine_to_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """By the store alone; the service has the folder of each run, and the table was its own."""
    url, store = f"file://{tmp_path}/store", local_store(tmp_path / "store")
    first, second = tmp_path / "first", tmp_path / "second"
    with serving(tmp_path, "--runs-at-once", "0", "--storage", url) as served:
        run_id = asked(served, uploaded(served, Path(three_bakeries)))
        with working(tmp_path, "first", results=first, storage=url) as killed:

            def checkpoint_is_stored() -> bool:
                return any(one.files > 12 for one in list_stored_runs(store))

            wait_until(checkpoint_is_stored, "a checkpoint is stored", limit_s=90)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        first.rename(tmp_path / "gone")
        whole = asked(served, served.run(run_id)["settings"]["sales"].split("/")[-2])
        with working(tmp_path, "second", results=second, storage=url):
            found = served.wait(run_id, "completed", "failed")
            served.wait(whole, "completed", "failed")
        assert (found["status"], found["worker"], found["attempt"]) == ("completed", "second", 2)
        assert found["settings"]["resume"]

        def model_of(asked_for: str) -> bytes:
            folder = find_run(tmp_path / "results", served.run(asked_for)["flower_id"])
            model = None if folder is None else folder / "model.ubj"
            # The service's folder follows the store's: the last of a run comes a moment later.
            return model.read_bytes() if model is not None and model.is_file() else b""

        wait_until(lambda: bool(model_of(run_id) and model_of(whole)), "both are here", limit_s=120)
        assert model_of(run_id) == model_of(whole)
        listed = served.http.get("/api/v1/runs").json()["runs"]
        assert sorted(one["id"] for one in listed) == sorted([run_id, whole])


def test_without_a_store_a_folder_of_its_own_is_refused(tmp_path: Path) -> None:
    """With what would do."""
    with serving(tmp_path, "--runs-at-once", "0"):
        home = tmp_path / "results" / ".service"
        database = url_for(home) or f"sqlite:///{home}/service.db"
        env = environment(tmp_path / "flower", PYTHONPATH=str(REPOSITORY))
        words = ("worker", "--database", database, "--results", "mine")
        refused = run(BIN / "glean", *words, cwd=tmp_path, env=env, limit_s=60)
    assert refused.returncode == 2
    assert "a folder of its own and the service's --storage URL" in refused.stderr
