"""Several runs sent one after the other: what is wrong with one leaves the others, and the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NoReturn
from unittest import mock

import pytest

from glean.operations.registry.following import following_registry
from glean.operations.registry.sending import Registry, send_runs
from glean.operations.worker_pool import WorkerPool
from glean.registry.system_metrics import SAMPLES_FILE, read_samples
from glean.runs.index import StoredRun
from glean.runs.process_tree import this_process
from tests.registry.scripted_mlflow import ScriptedMlflow, packaged, served_by

exceptions = pytest.importorskip("mlflow.exceptions")

REGISTRY = Registry("http://me:secret@registry.example.org")


@pytest.fixture
def folders(iris_results: Path, tmp_path: Path) -> list[Path]:
    """Three runs, the oldest first."""
    first = next(iris_results.glob("2*"))
    names = [f"20260101T00000{number}Z-{number}" for number in (1, 2, 3)]
    return [Path(shutil.copytree(first, tmp_path / name)) for name in names]


def test_what_nobody_thought_of_in_one_run_leaves_the_others(folders: list[Path]) -> None:
    """As of MLflow's own, or of a record that isn't as Glean writes it; it is told by its kind."""

    def write(run: StoredRun, folder: Path) -> None:
        if run.folder == folders[0]:
            raise exceptions.MlflowException("http://me:secret@registry.example.org won't do")
        packaged(run, folder)

    facts = json.loads((folders[1] / "run.json").read_text())
    (folders[1] / "run.json").write_text(json.dumps({**facts, "bakeries": 3}))
    server = ScriptedMlflow()
    with served_by(server), mock.patch("glean.registry.run_sender.write_package", write):
        sent = send_runs(folders, REGISTRY)
    assert sent.done == (folders[2].name,)
    assert [name for name, _ in sent.refused] == [folder.name for folder in folders[:2]]
    assert sent.refused[0][1] == "MlflowException: http://registry.example.org won't do"
    assert "TypeError" in sent.refused[1][1]
    assert server.runs_of("glean") == ["3"]


def test_a_look_ends_after_its_time(folders: list[Path]) -> None:
    """With one run at least, so that all come in the end."""
    server = ScriptedMlflow()
    with served_by(server), mock.patch("glean.registry.run_sender.write_package", packaged):
        for number in (1, 2, 3):
            left = [folder for folder in folders if folder.name[-1] not in server.runs_of("glean")]
            assert len(send_runs(left, REGISTRY, limit_s=-1.0).done) == 1
            assert len(server.runs_of("glean")) == number


def test_runs_are_looked_at_while_the_registry_is_down(folders: list[Path]) -> None:
    """Each of them: what isn't seen while it goes on can't be sent later."""
    for folder in folders:
        (folder / SAMPLES_FILE).unlink(missing_ok=True)  # another test's
        facts = json.loads((folder / "run.json").read_text())
        going = {**facts, "status": "running", "process": this_process()}
        (folder / "run.json").write_text(json.dumps(going))
    server = ScriptedMlflow()
    server.fails_from(0)
    with served_by(server):
        assert send_runs(folders, REGISTRY).down
    assert [len(read_samples(folder)) for folder in folders] == [1, 1, 1]


def test_nothing_that_goes_wrong_beside_a_run_ends_it(folders: list[Path]) -> None:
    """No process to be had, say: it is told at the end, once."""
    told: list[str] = []

    def none(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with (
        mock.patch.object(WorkerPool, "run", none),
        following_registry(REGISTRY, folders[0].parent, unsent=told.append) as started,
    ):
        started(1)
    assert told == ["RuntimeError"]
