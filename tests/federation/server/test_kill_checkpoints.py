"""Killed at any moment, a run leaves files that can be read: each is the old one or the new one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glean.errors import GleanError
from glean.evaluation.tables.results import read_results
from glean.features.definition import FeatureDefinition
from glean.federation.server.checkpoint import read_checkpoint
from glean.learning.forest import Forest
from glean.learning.tree import Tree
from glean.metrics import ErrorSums
from glean.runs.code_version import code_fingerprint
from glean.runs.folder import (
    checkpoint_name,
    clear_leftovers,
    read_events,
    round_tables,
)
from glean.settings import RunSettings
from tests.processes import REPOSITORY

pytestmark = pytest.mark.slow

KILLS = 12
ROUNDS = 6
BAKERIES = 30
TABLES = round_tables(ErrorSums.COLUMNS)
LONGEST_S = 0.4

WRITERS = f"""
import itertools, json, os, sys
from pathlib import Path
from glean.metrics import ErrorSums
from glean.runs import folder as run_folder

tables = run_folder.round_tables(ErrorSums.COLUMNS)

def in_place(path, content, *, lasting):
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), 4096):
            file.write(content[start : start + 4096])

def write(results, how):
    if how == "careless":
        run_folder.write_whole = in_place
    for run_id in itertools.count(1):
        folder = run_folder.RunFolder.create(results, run_id=run_id, facts=facts)
        for number, model in enumerate(models, start=1):
            folder.write_run(facts | {{"last_round": number}})
            print(os.getpid(), flush=True)
            folder.write_bytes(run_folder.checkpoint_name(number, ".ubj"), model)
            row = dict.fromkeys(tables["rounds.csv"], 1 / 3) | {{"round": number}}
            bakery = dict.fromkeys(tables["bakery_rounds.csv"], 1 / 3)
            bakery |= {{"round": number, "n_examples": 30}}
            rows = [bakery | {{"bakery": f"bakery, {{k}}"}} for k in range({BAKERIES})]
            folder.append_round(ErrorSums.COLUMNS, row, rows)
            finished = {{"event": "round_finished", "round": number, "note": "x" * 5000}}
            folder.append_events([finished])

prepared = Path(sys.argv[1])
models = [path.read_bytes() for path in sorted((prepared / "models").iterdir())]
facts = json.loads((prepared / "run.json").read_text())
for line in sys.stdin:
    results, how = json.loads(line)
    pid = os.fork()
    if not pid:
        write(Path(results), how)
    print("ended by", os.WTERMSIG(os.waitpid(pid, 0)[1]), flush=True)
"""
"""For each line a process that writes checkpoints as fast as it can, run after run.

It is forked: to start one anew takes a second, ten times as long as it lives.
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of some megabytes, and facts of a run that can be resumed."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "models").mkdir()
    trees = tuple(full_tree(seed) for seed in range(50))
    for number in range(1, ROUNDS + 1):
        model = Forest.empty(FeatureDefinition(horizon_days=1, season=False), objective=OBJECTIVE)
        content = model.plus(trees * (3 + number)).to_bytes()
        (folder / checkpoint_name(number, ".ubj")).write_bytes(content)
    facts = {"status": "running", "code": code_fingerprint(), "settings": RunSettings().to_config()}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


OBJECTIVE = RunSettings().boosting.objective


def full_tree(seed: int) -> Tree:
    """A tree of 127 nodes."""
    rng = np.random.default_rng(seed)
    inner = 63
    number = np.arange(127, dtype=np.int32)
    leaf = number >= inner
    return Tree(
        left=np.where(leaf, -1, 2 * number + 1).astype(np.int32),
        right=np.where(leaf, -1, 2 * number + 2).astype(np.int32),
        split_feature=np.where(leaf, 0, rng.integers(0, 20, 127)).astype(np.int32),
        value=rng.normal(size=127).astype(np.float32),
        default_left=np.where(leaf, 0, rng.integers(0, 2, 127)).astype(np.uint8),
    )


@pytest.fixture(scope="module")
def writers(prepared: Path) -> Iterator[subprocess.Popen[str]]:
    """What starts writers."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS, str(prepared)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def kill_a_writer(writers: subprocess.Popen[str], results: Path, how: str, after_s: float) -> None:
    """Let a process write checkpoints and kill it some time after its first."""
    results.mkdir()
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(json.dumps([str(results), how]) + "\n")
    writers.stdin.flush()
    pid = writers.stdout.readline()
    time.sleep(after_s)
    os.kill(int(pid), signal.SIGKILL)
    while (line := writers.stdout.readline()) == pid:
        pass
    assert line == f"ended by {signal.SIGKILL:d}\n"


def check(run: Path, models: list[bytes]) -> None:
    """Read every file of a run folder as strictly as those who rely on it do."""
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    for path in (run / "models").glob("round_*"):
        assert path.read_bytes() == models[int(path.stem.removeprefix("round_")) - 1]
    checkpoint = read_checkpoint(run)
    assert checkpoint.passed_over == ()
    results = read_results(run)
    done = 0
    if results.rounds is not None:
        done = len(results.rounds)
        assert tuple(results.rounds) == TABLES["rounds.csv"]
        assert results.rounds["wape"].tolist() == [1 / 3] * done
        assert checkpoint.state is not None
        assert checkpoint.state.number == done
        assert checkpoint.state.model.to_bytes() == models[done - 1]
    if results.bakery_rounds is not None:
        assert tuple(results.bakery_rounds) == TABLES["bakery_rounds.csv"]
        counts = results.bakery_rounds["round"].value_counts()
        assert counts.tolist() == [BAKERIES] * len(counts)
        assert len(counts) in (done, done + 1)
    told = [event["round"] for event in read_events(run / "events.jsonl")]
    assert told in (list(range(1, done + 1)), list(range(1, done)))


def last_runs(results: Path) -> list[Path]:
    """The run that was being written, and the one before it."""
    found = [path for path in results.iterdir() if path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]))[-2:]


def test_kills_leave_nothing_that_can_not_be_read(
    prepared: Path, writers: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Models, tables, `run.json`, events, the checkpoint and the link, at moments drawn by seed.

    What is half written lies beside the files by names of its own, and is deleted on resuming.
    """
    draw = np.random.default_rng(7)
    models = [path.read_bytes() for path in sorted((prepared / "models").iterdir())]
    half_written = 0
    for kill in range(KILLS):
        results = tmp_path / str(kill)
        kill_a_writer(writers, results, "careful", draw.uniform(0, LONGEST_S))
        shown = (results / "latest").resolve()
        assert shown in last_runs(results)
        for run in last_runs(results):
            if run == shown or (run / "run.json").exists():
                check(run, models)
            hidden = [path for path in run.rglob(".*") if path.is_file()]
            half_written += len(hidden)
            clear_leftovers(run)
            assert not [path for path in hidden if path.exists()]
        shutil.rmtree(results)
    assert half_written >= KILLS / 4, "too few kills hit a file that was being written"


def test_the_kills_would_find_files_written_without_care(
    prepared: Path, writers: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Written in place, one of them is cut short, and reading it fails."""
    draw = np.random.default_rng(7)
    models = [path.read_bytes() for path in sorted((prepared / "models").iterdir())]
    for kill in range(KILLS):
        results = tmp_path / str(kill)
        kill_a_writer(writers, results, "careless", draw.uniform(0, LONGEST_S))
        try:
            for run in last_runs(results):
                if (run / "run.json").exists():
                    check(run, models)
        except (GleanError, ValueError, AssertionError):
            return
        shutil.rmtree(results)
    pytest.fail("no kill left a file that can't be read: these tests would find nothing")
