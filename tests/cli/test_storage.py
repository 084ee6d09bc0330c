"""`glean simulate --storage`, `--resume URL` and `glean storage` as typed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.demand import conclusion
from tests import processes
from tests.inprocess_runs import config_of, cut_off, facts_of
from tests.processes import BIN, REPOSITORY
from tests.storage.run_folders import NAME, begun, content_of

pytest.importorskip("fsspec", reason="needs glean[storage]")

SHORT = "--set max-depth=3 --set test-days=14 --set baselines=false"

KILLED_IN_ROUND_4 = """
import os, signal, sys, time
from pathlib import Path
import glean.client_app
from glean.cli.app import app
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from tests.federations import MeddledApp

store, _, *words = sys.argv[1:]

def checkpoint_is_stored():
    return any('"models/round_002.ubj"' in path.read_text() for path in Path(store).glob("runs/*/manifest.json"))

def meddle(message, name, honest):
    form = {"train": Task, "train.sum": SumTask}.get(message.metadata.message_type)
    if form and name == "bakery 1":
        if form.from_record(message.content).round == 4:
            deadline = time.monotonic() + 60
            while not checkpoint_is_stored():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
    return honest()

glean.client_app.app = MeddledApp(meddle)
app(words)
"""  # noqa: E501


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def simulate(*words: str | Path) -> Result:
    with mock.patch.object(conclusion, "write_report"):  # drawing takes longer than the run
        return glean("simulate", "--engine", "inprocess", *SHORT.split(), *words)


@pytest.mark.slow
def test_killed_it_goes_on_on_another_machine_to_the_same_model(
    tmp_path: Path, three_bakeries: str
) -> None:
    """With an empty results folder and a home of its own; the table is one of the store, too."""
    store, there = tmp_path / "store", tmp_path / "there"
    (store / "tables").mkdir(parents=True)
    there.mkdir()
    shutil.copy(three_bakeries, store / "tables" / "three.csv")
    sales = ("--sales", f"file://{store}/tables/three.csv", "--set", "num-server-rounds=6")
    typed = ["simulate", "--engine", "inprocess", *SHORT.split(), *sales, "--out", "here"]
    sent = ("--storage", f"file://{store}", "--upload", "checkpoint")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_ROUND_4, str(store), "--", *typed, *sent],
        cwd=tmp_path,
        env=processes.environment(tmp_path / "flower", PYTHONPATH=str(REPOSITORY)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (name,) = (path.name for path in (store / "runs").iterdir())
    shutil.rmtree(tmp_path / "here")  # of that machine nothing is left
    env = processes.environment(there / "flower", HOME=str(there), PYTHONPATH=str(REPOSITORY))
    resume = ("--resume", f"file://{store}/runs/{name}", "--storage", f"file://{store}")
    again = ("simulate", "--engine", "inprocess", *resume)
    resumed = processes.run(BIN / "glean", *again, cwd=there, env=env)
    assert resumed.returncode == 0, resumed.stderr
    assert f"continues {there / 'results' / name} after round" in resumed.stderr
    new = (there / "results" / "latest").resolve()
    assert f"sent to file://{store}/runs/{new.name}" in resumed.stderr
    whole = simulate("--sales", three_bakeries, *sales[2:], "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    wanted = (tmp_path / "whole" / "latest").resolve()
    for file in ("model.ubj", "bakeries.csv", "bakery_rounds.csv", "forecasts.csv"):
        assert (new / file).read_bytes() == (wanted / file).read_bytes(), file


def test_a_run_is_sent_listed_fetched_and_started_from(tmp_path: Path, three_bakeries: str) -> None:
    """Its model is what another run begins with, on another machine."""
    store = f"file://{tmp_path}/store"
    small = ("--sales", three_bakeries, "--set", "num-server-rounds=1")
    first = simulate(*small, "--out", tmp_path / "here", "--storage", store)
    assert first.exit_code == 0, first.output
    folder = (tmp_path / "here" / "latest").resolve()
    listed = glean("storage", "list", store)
    assert listed.stdout.split()[:2] == [folder.name, "completed"]
    fetched = glean("storage", "fetch", f"{store}/runs/{folder.name}", "--out", tmp_path / "there")
    assert fetched.stdout.strip() == str(tmp_path / "there" / folder.name)
    assert content_of(tmp_path / "there" / folder.name) == content_of(folder)
    start = f"start-from={store}/runs/{folder.name}/model.ubj"
    second = simulate(*small, "--out", tmp_path / "there", "--set", start)
    assert second.exit_code == 0, second.output
    begun_with = (tmp_path / "there" / "latest").resolve() / "models" / "round_000.ubj"
    assert begun_with.read_bytes() == (folder / "model.ubj").read_bytes()


@pytest.mark.slow
def test_a_store_that_is_down_ends_no_run_and_gets_it_later(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Said at the beginning and in the end; the next run takes it along."""
    parent = tmp_path / "drive"
    parent.touch()  # a file in the place of the drive's folder: nothing can be written there
    small = ("--sales", three_bakeries, "--set", "num-server-rounds=1", "--out", tmp_path / "here")
    typed = (*small, "--storage", f"file://{parent}/store")
    first = simulate(*typed)
    assert first.exit_code == 0, first.output
    assert "goes on without it, for now" in first.stderr
    assert "`glean storage send` sends it later" in first.stderr
    folder = (tmp_path / "here" / "latest").resolve()
    failed = glean("storage", "send", "--out", tmp_path / "here")
    assert failed.exit_code == 1
    assert f"{folder.name} not sent" in failed.stderr
    parent.unlink()
    second = simulate(*typed)
    assert second.exit_code == 0, second.output
    names = sorted(path.name for path in (parent / "store" / "runs").iterdir())
    assert names == sorted([folder.name, (tmp_path / "here" / "latest").resolve().name])
    nothing = glean("storage", "send", "--out", tmp_path / "here")
    assert (nothing.exit_code, nothing.stdout) == (0, f"nothing to send in {tmp_path / 'here'}\n")


def test_any_run_can_be_sent(tmp_path: Path) -> None:
    """Without a word of where to that is refused, once."""
    folder = begun(tmp_path / "here", status="completed")
    refused = glean("storage", "send", folder)
    assert refused.exit_code == 2
    assert "wanted --storage URL" in refused.stderr
    sent = glean("storage", "send", folder, "--storage", f"file://{tmp_path}/store")
    assert (sent.exit_code, sent.stderr) == (0, "")
    assert f"{NAME} sent to file://{tmp_path}/store: 4 files" in sent.stdout
    again = glean("storage", "send", folder)
    assert "0 files" in again.stdout


def test_what_can_t_be_fetched_is_refused_before_a_run(tmp_path: Path) -> None:
    """With what was found; no folder is made."""
    for words, said in (
        (("--sales", f"file://{tmp_path}/none.csv"), "sales: file://"),
        (("--set", f"start-from=file://{tmp_path}/none.ubj"), "start-from: file://"),
        (("--resume", f"file://{tmp_path}/runs/{NAME}"), f"found no run runs/{NAME}"),
        (("--resume", f"file://{tmp_path}/{NAME}"), "wanted the folder of a run"),
        (("--sales", "s3://a:secret@b/c.csv"), "found a password"),
        (("--storage", "results"), "wanted one like s3://"),
    ):
        done = simulate("--out", tmp_path / "here", *words)
        assert done.exit_code == 2, done.output
        assert said in done.stderr
    refused = glean("run", "somewhere", "--resume", f"file://{tmp_path}/runs/{NAME}")
    assert refused.exit_code == 2
    assert "glean storage fetch" in refused.stderr
    assert not (tmp_path / "here").exists()


def test_a_table_that_changed_since_isn_t_taken_for_the_same(
    tmp_path: Path, three_bakeries: str
) -> None:
    """What a run learned from is fetched again on another machine, and must have the same bytes."""
    table = tmp_path / "store" / "three.csv"
    table.parent.mkdir()
    shutil.copy(three_bakeries, table)
    from glean.storage.fetched_files import fetch_file

    kept = fetch_file(f"file://{table}", tmp_path / "here")
    old = cut_off(tmp_path / "here", config_of(str(kept), num_server_rounds=2), round_number=2)
    url = f"file://{table.parent}"
    assert glean("storage", "send", old, "--storage", url).exit_code == 0
    shutil.rmtree(tmp_path / "here")
    table.write_bytes(table.read_bytes() + b"\n")
    resume = ("--resume", f"{url}/runs/{old.name}", "--out", tmp_path / "there")
    refused = glean("simulate", "--engine", "inprocess", *resume)
    assert refused.exit_code == 2
    assert "has changed since the run began" in refused.stderr
    shutil.copy(three_bakeries, table)
    with mock.patch.object(conclusion, "write_report"):
        done = glean("simulate", "--engine", "inprocess", *resume)
    assert done.exit_code == 0, done.output
    facts = facts_of((tmp_path / "there" / "latest").resolve())
    assert facts["resumed_round"] == 1


def test_a_table_that_only_the_other_machine_had_is_asked_for(
    tmp_path: Path, three_bakeries: str
) -> None:
    """With the path at which it is wanted."""
    table = tmp_path / "mine.csv"
    shutil.copy(three_bakeries, table)
    old = cut_off(tmp_path / "here", config_of(str(table), num_server_rounds=2), round_number=2)
    url = f"file://{tmp_path}/store"
    assert glean("storage", "send", old, "--storage", url).exit_code == 0
    shutil.rmtree(tmp_path / "here")
    table.unlink()
    refused = simulate("--resume", f"{url}/runs/{old.name}", "--out", tmp_path / "there")
    assert refused.exit_code == 2
    assert f"the run began with {table}, which isn't on this machine" in refused.stderr
