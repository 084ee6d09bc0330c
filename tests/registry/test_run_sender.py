"""A run is sent in order and once, wherever the registry fails: against a scripted MLflow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.registry.progress_file import FILE, send_lock
from glean.registry.registry_address import RegistryDownError, shown_address
from glean.registry.run_content import files_of
from glean.registry.run_sender import RunSender
from glean.registry.system_metrics import SAMPLES_FILE
from glean.registry.tracking_server import TrackingServer
from glean.runs.index import read_run
from tests.registry.scripted_mlflow import ScriptedMlflow, packaged

RestException = pytest.importorskip("mlflow.exceptions").RestException

MOST_TRIES = 100


@pytest.fixture(scope="module")
def finished(iris_results: Path) -> Path:
    """A run of irises, with looks at its processes."""
    folder = next(iris_results.glob("2*"))
    rows = [
        {"time": f"2026-05-01T12:00:{10 * k:02}+00:00", "memory_mb": 100.0 + k, "cpu_s": 2.0 * k}
        for k in range(3)
    ]
    (folder / SAMPLES_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def sent_by(folder: Path, server: ScriptedMlflow) -> bool:
    """Send as a process does that was started for it."""
    tracking = TrackingServer("http://registry.example.org", server)
    return RunSender(tracking, folder, model="glean", write_model=packaged).send()


def try_until_done(folder: Path, server: ScriptedMlflow) -> int:
    """Send again and again; how many tries failed."""
    for tries in range(MOST_TRIES):
        try:
            assert sent_by(folder, server)
        except RegistryDownError:
            continue
        return tries
    raise AssertionError("never done")


@pytest.fixture(scope="module")
def undisturbed(finished: Path) -> Iterator[ScriptedMlflow]:
    """What a registry has that always answers."""
    server = ScriptedMlflow()
    with TemporaryDirectory() as scratch:
        folder = shutil.copytree(finished, Path(scratch) / finished.name)
        assert try_until_done(folder, server) == 0
        yield server


def test_what_is_sent_comes_in_order(undisturbed: ScriptedMlflow) -> None:
    """The run, its numbers, its files, its version, its alias, its end."""
    calls = undisturbed.calls
    order = [
        "create_run", "log_batch", "log_artifact", "log_artifacts", "create_model_version",
        "set_registered_model_alias", "set_terminated",
    ]  # fmt: skip
    assert [calls.index(name) for name in order] == sorted(calls.index(name) for name in order)
    (run,) = undisturbed.runs
    assert run.status == "FINISHED"
    assert run.params["workload"] == "iris"
    steps = {(name, step): value for name, value, _, step in run.metrics}
    assert steps["system/run_cpu_percentage", 1] == 20.0
    assert ("system/run_cpu_percentage", 0) not in steps
    assert ("validation_log_loss", 2) in steps


@pytest.mark.parametrize("failure", ["away", "lost"])
def test_each_single_call_may_fail(
    finished: Path, undisturbed: ScriptedMlflow, tmp_path: Path, failure: str
) -> None:
    """Before it is heard or after: what is there in the end is the same."""
    for number in range(len(undisturbed.calls)):
        server = ScriptedMlflow([""] * number + [failure])
        folder = shutil.copytree(finished, tmp_path / str(number) / finished.name)
        assert try_until_done(folder, server) == 1
        assert holds_the_same(server, undisturbed), (number, undisturbed.calls[number])


@given(failures=st.lists(st.sampled_from(["", "", "away", "lost"]), max_size=60))
@settings(max_examples=60)
def test_any_calls_may_fail(
    finished: Path, undisturbed: ScriptedMlflow, failures: list[str]
) -> None:
    """One run, one version, each number once, whatever was lost, and however often."""
    server = ScriptedMlflow(failures)
    with TemporaryDirectory() as scratch:
        folder = shutil.copytree(finished, Path(scratch) / finished.name)
        try_until_done(folder, server)
        assert holds_the_same(server, undisturbed)
        before = len(server.calls)
        assert sent_by(folder, server)
        assert len(server.calls) == before, "what is done isn't asked for again"


@given(failures=st.lists(st.sampled_from(["", "away", "lost"]), max_size=40))
@settings(max_examples=30)
def test_a_run_that_goes_on_comes_out_the_same(
    finished: Path, undisturbed: ScriptedMlflow, failures: list[str]
) -> None:
    """Sent after each line of its events, with failures in between."""
    server = ScriptedMlflow(failures)
    with TemporaryDirectory() as scratch:
        folder = shutil.copytree(finished, Path(scratch) / finished.name)
        lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
        facts = json.loads((folder / "run.json").read_bytes())
        process = {"host": "elsewhere", "pid": 1, "began": 0.0}
        going = {**facts, "status": "running", "end": None, "process": process}
        (folder / "run.json").write_text(json.dumps(going))
        for count in range(len(lines)):
            (folder / "events.jsonl").write_bytes(b"".join(lines[: count + 1]))
            try:
                assert not sent_by(folder, server)
            except RegistryDownError:
                continue
        (folder / "run.json").write_text(json.dumps(facts))
        try_until_done(folder, server)
        assert holds_the_same(server, undisturbed)


def holds_the_same(server: ScriptedMlflow, other: ScriptedMlflow) -> bool:
    """Whether two registries have the same, but for numbers that were deleted in between."""
    (run,) = [run for run in server.runs if not run.deleted]
    (wanted,) = other.runs
    (version,) = [version for version in server.versions if not version.deleted]
    assert run.metrics == wanted.metrics
    assert (run.params, run.tags) == (wanted.params, wanted.tags)
    assert (run.files, run.status) == (wanted.files, wanted.status)
    assert version.tags == other.versions[0].tags
    assert server.aliases == {"candidate": version.number}
    return True


def test_a_registry_that_lost_a_run_gets_all_of_it_again(
    finished: Path, undisturbed: ScriptedMlflow, tmp_path: Path
) -> None:
    """As one whose database was made anew; progress with another registry counts for nothing."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    assert sent_by(folder, ScriptedMlflow())
    (folder / FILE).write_text((folder / FILE).read_text().replace("registry", "other"))
    server = ScriptedMlflow()
    assert sent_by(folder, server)
    assert holds_the_same(server, undisturbed)


@pytest.mark.parametrize("calls", [1, 4, 6, 8])
def test_a_registry_that_forgot_a_run_in_the_middle_gets_all_of_it_again(
    finished: Path, undisturbed: ScriptedMlflow, tmp_path: Path, calls: int
) -> None:
    """At the same address, without what it was told: it knows no such run."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    before = ScriptedMlflow()
    before.fails_from(calls)
    with pytest.raises(RegistryDownError):
        sent_by(folder, before)
    server = ScriptedMlflow()
    assert sent_by(folder, server)
    assert holds_the_same(server, undisturbed)


def test_a_file_that_comes_between_two_tries_is_sent_too(
    finished: Path, undisturbed: ScriptedMlflow, tmp_path: Path
) -> None:
    """As a report that is made anew, while half of the files are there."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    report = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    server = ScriptedMlflow()
    last = [k for k, name in enumerate(undisturbed.calls) if name == "log_artifact"][-2]
    server.fails_from(last)
    with pytest.raises(RegistryDownError):
        sent_by(folder, server)
    (folder / "report.html").write_bytes(report)
    server.is_back()
    assert sent_by(folder, server)
    assert holds_the_same(server, undisturbed)


@pytest.mark.parametrize("call", ["get_experiment_by_name", "get_registered_model"])
def test_somebody_who_was_quicker_is_no_refusal(
    finished: Path, undisturbed: ScriptedMlflow, tmp_path: Path, call: str
) -> None:
    """Two that make the same experiment or model at once: the later one finds it the next time."""
    server = ScriptedMlflow()
    server.experiments["glean"] = "1"
    server.models.add("glean")
    folder = shutil.copytree(finished, tmp_path / finished.name)
    absent = RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not yet"})
    missed: dict[str, Any] = {"get_registered_model": {"side_effect": absent}}.get(
        call, {"return_value": None}
    )
    with (
        mock.patch.object(ScriptedMlflow, f"do_{call}", **missed),
        pytest.raises(RegistryDownError),
    ):
        sent_by(folder, server)
    assert sent_by(folder, server)
    assert holds_the_same(server, undisturbed)


def test_one_sends_a_run_at_a_time(tmp_path: Path) -> None:
    """A service and a command don't make two of it."""
    with send_lock(tmp_path) as mine:
        assert mine
        with send_lock(tmp_path) as theirs:
            assert not theirs
    with send_lock(tmp_path) as again:
        assert again


def test_files_that_may_show_rows_of_somebody_s_stay(finished: Path, tmp_path: Path) -> None:
    """Of a simulation on a table; of synthetic bakeries and of deployments they go."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    facts = json.loads((folder / "run.json").read_bytes())

    def files(**changes: object) -> set[str]:
        told = {**facts, **changes}
        (folder / "run.json").write_text(json.dumps(told))
        return {Path(name).parts[0] for name in files_of(read_run(folder))}

    few = {"rounds.csv", "model_card.json", "model_card.md"}
    every = few | {"report.html", "bakeries.csv", "figures"}
    demand = {**facts["settings"], "workload": "demand"}
    assert files() == every
    assert files(settings=demand, synthetic=True) == every
    assert files(settings=demand, engine="deployment") == every
    assert files(settings={**demand, "sales": "/tables/mine.csv"}, synthetic=True) == few
    assert files(settings=demand, synthetic=False) == few
    assert files(settings={**demand, "workload": "images"}) == few


def test_a_password_in_the_address_is_told_to_nobody(finished: Path, tmp_path: Path) -> None:
    """Neither in the folder nor in what goes wrong."""
    folder = shutil.copytree(finished, tmp_path / finished.name)
    server = TrackingServer("http://me:secret@registry.example.org:5000", ScriptedMlflow(["away"]))
    with pytest.raises(RegistryDownError) as caught:
        RunSender(server, folder, model="glean", write_model=packaged).send()
    assert "secret" not in str(caught.value)
    assert "registry.example.org:5000" in str(caught.value)
    server = TrackingServer("http://me:secret@registry.example.org:5000", ScriptedMlflow())
    RunSender(server, folder, model="glean", write_model=packaged).send()
    assert "secret" not in (folder / FILE).read_text()
    away = TrackingServer("http://me:secret@127.0.0.1:1")
    with pytest.raises(RegistryDownError, match=r"^the registry at http://127.0.0.1:1 doesn't "):
        away.find_versions("glean", "1")
    assert shown_address("http://me:secret@[::1]:5000/x?token=1") == "http://[::1]:5000/x"
