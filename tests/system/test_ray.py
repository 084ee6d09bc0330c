"""`glean simulate` on Ray, as a user runs it: same bytes, true exit codes, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.demand import conclusion
from glean.features.bakery_rows import bakery_rows_of
from glean.forecasting.forecasters import read_model
from glean.node_settings import NodeSettings
from glean.settings import RunSettings
from tests import processes
from tests.processes import BIN, REPOSITORY, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

SHORT = {"test-days": 14, "validation-days": 14, "baselines": "false"}
"""For the bakeries of `three_bakeries`, who have four months."""

DRAWN = {
    "num-server-rounds": 2,
    "trees-per-round": 2,
    "num-parallel-tree": 2,
    "subsample": 0.7,
    "colsample": 0.8,
    "min-child-weight": 5,
}
"""Everything that draws at random, so that equal models mean equal draws."""

FAILING_CLIENT = """
    import os, time
    match os.environ.get("TEST_FAILURE"):
        case "every bakery":
            raise RuntimeError("the oven is cold")
        case "one bakery" if context.node_config["partition-id"] == 1:
            raise RuntimeError("the oven is cold")
        case "silence":
            time.sleep(300)
"""
FAILING_SERVER = """

import os

whole_run, registered = _run, register_clients


def _run(*given, **named):
    if os.environ.get("TEST_FAILURE") == "server":
        raise RuntimeError("the till is locked")
    return whole_run(*given, **named)


def register_clients(*given, **named):
    clients, *others = registered(*given, **named)
    if os.environ.get("TEST_FAILURE") == "silence":
        clients.timeout_s = 0.5
    return clients, *others
"""
"""Put behind the module: what it calls by these names fails, whatever it is given."""


def settings_words(config: dict[str, Any]) -> list[str]:
    return [word for key, value in config.items() for word in ("--set", f"{key}={value}")]


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def events_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def insert_after(path: Path, line: str, text: str) -> None:
    """Insert a text below a line that is there once."""
    source = path.read_text(encoding="utf-8")
    assert source.count(line) == 1, f"{line!r} isn't once in {path}"
    path.write_text(source.replace(line, line + text), encoding="utf-8")


@pytest.fixture(scope="module")
def failing_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose apps fail as the environment variable TEST_FAILURE says."""
    folder = tmp_path_factory.mktemp("failing")
    processes.copy_package(folder)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    insert_after(
        folder / "glean" / "client_app.py",
        '    """Learn from this client\'s rows what the global model leaves unexplained."""\n',
        FAILING_CLIENT,
    )
    with (folder / "glean" / "server_app.py").open("a", encoding="utf-8") as file:
        file.write(FAILING_SERVER)
    return folder


def test_ray_makes_the_model_of_this_process_to_the_byte(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Everything is drawn at random and summed under masks; XGBoost alone predicts what Glean does.

    Ray's run is typed; its folder holds the same rounds, scores and model as one in this process.
    Keys and masks differ between the two; their sums don't.
    """
    xgboost = pytest.importorskip("xgboost")
    env = processes.environment(tmp_path / "flower")
    drawn = ["--sales", three_bakeries, *settings_words(SHORT | DRAWN)]
    words = [*drawn, "--out", str(tmp_path / "ray")]
    done = processes.run(BIN / "glean", "simulate", *words, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "│ federated " in done.stdout
    assert "round 2: validation WAPE" in done.stderr
    ray = (tmp_path / "ray" / "latest").resolve()
    assert f"report: {ray / 'report.html'}" in done.stdout
    here_words = ["simulate", "--engine", "inprocess", *drawn]
    with mock.patch.object(conclusion, "write_report"):  # drawing takes longer than the run
        result = CliRunner().invoke(app, [*here_words, "--out", str(tmp_path / "here")])
    assert result.exit_code == 0, result.output
    here = (tmp_path / "here" / "latest").resolve()
    assert (facts_of(ray)["engine"], facts_of(here)["engine"]) == ("ray", "inprocess")
    for name in ("model.ubj", "bakeries.csv", "bakery_rounds.csv", "forecasts.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name
    names, alike = ({path.name for path in folder.iterdir()} for folder in (ray, here))
    assert names == alike | {"report.html", "figures"}
    assert facts_of(ray)["settings"]["secure-sums"] is True
    assert facts_of(ray)["settings"]["leaf-values"] == "refit"
    assert pd.read_csv(ray / "rounds.csv")["failures"].tolist() == [0, 0]

    settings = RunSettings.from_config(facts_of(ray)["settings"])
    rows_of_one = bakery_rows_of(NodeSettings(partition=2), settings)
    assert rows_of_one is not None
    test = rows_of_one.test(read_model((ray / "model.ubj").read_bytes()).definition)
    booster = xgboost.Booster()
    booster.load_model(ray / "model.ubj")
    relative = booster.predict(xgboost.DMatrix(test.x, feature_names=booster.feature_names))
    days = pd.read_csv(ray / "forecasts.csv").set_index(["bakery", "product", "date"])
    keys = test.keys.assign(date=test.keys["date"].dt.strftime("%Y-%m-%d"))
    told = days.loc[list(keys[["bakery", "product", "date"]].itertuples(index=False, name=None))]
    np.testing.assert_allclose(relative * test.level, told["federated"], rtol=1e-6)


SUMMED = {
    "aggregation": "histogram",
    "max-depth": 3,
    "trees-per-round": 2,
    "share-scores": "no",
    "num-server-rounds": 2,
    "subsample": 0.7,
}


@pytest.mark.long
def test_ray_makes_the_model_of_this_process_from_summed_histograms(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Under masks, with scores that stay at home: no byte of the model differs."""
    words = ["simulate", "--sales", three_bakeries, *settings_words(SHORT | SUMMED)]
    env = processes.environment(tmp_path / "flower")
    typed = [*words, "--out", str(tmp_path / "ray")]
    done = processes.run(BIN / "glean", *typed, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    here_words = [*words, "--engine", "inprocess", "--out", str(tmp_path / "here")]
    result = CliRunner().invoke(app, here_words)
    assert result.exit_code == 0, result.output
    ray, here = ((tmp_path / name / "latest").resolve() for name in ("ray", "here"))
    assert facts_of(ray)["engine"] == "ray"
    assert facts_of(ray)["settings"]["secure-sums"] is True
    for name in ("model.ubj", "bakery_rounds.csv", "bakeries.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name
    assert pd.read_csv(ray / "rounds.csv")["failures"].tolist() == [0, 0]


LATE = {
    "mode": "async",
    "buffer-size": 3,
    "speed-spread": 20,
    "num-server-rounds": 4,
    "min-contributors": 0,
}


@pytest.mark.long
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"leaf-values": "refit", "proposals-per-round": 2}, id="leaves"),
        pytest.param({"aggregation": "fedavg"}, id="average"),
    ],
)
def test_ray_fills_the_buffers_of_this_process(
    kind: dict[str, Any], tmp_path: Path, five_bakeries: str
) -> None:
    """Whose update is in which round, how stale, and the model under masks, to the byte."""
    drawn = ["--sales", five_bakeries, *settings_words(SHORT | LATE | kind)]
    words = ["simulate", *drawn, "--out", str(tmp_path / "ray")]
    env = processes.environment(tmp_path / "flower")
    done = processes.run(BIN / "glean", *words, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    here_words = ["simulate", "--engine", "inprocess", *drawn, "--out", str(tmp_path / "here")]
    with mock.patch.object(conclusion, "write_report"):
        result = CliRunner().invoke(app, here_words)
    assert result.exit_code == 0, result.output
    ray, here = ((tmp_path / name / "latest").resolve() for name in ("ray", "here"))
    assert (facts_of(ray)["engine"], facts_of(here)["engine"]) == ("ray", "inprocess")
    assert facts_of(ray)["settings"]["secure-sums"] is True
    took_part = pd.read_csv(ray / "participation.csv")
    assert took_part["staleness"].max() > 0
    assert (took_part.groupby("round").size() == 3).all()
    model = "model.npz" if "aggregation" in kind else "model.ubj"
    for name in (model, "participation.csv", "bakeries.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name
    clocks = [pd.read_csv(run / "rounds.csv")["virtual_seconds"].tolist() for run in (ray, here)]
    assert clocks[0] == clocks[1]


TRUTH = [
    # What the others show here, and `tests/cli/test_simulate.py`, together.
    pytest.param("server", 1, "the run failed: the till is locked", marks=pytest.mark.long),
    pytest.param(
        "every bakery",
        1,
        "no bakery gave a valid reply in the train phase of round 1",
        marks=pytest.mark.long,
    ),
    pytest.param("one bakery", 0, "round 2: validation WAPE", marks=pytest.mark.long),
    ("silence", 1, "no bakery gave a valid reply in the train phase of round 1"),
]


@pytest.mark.parametrize(("failure", "code", "told"), TRUTH)
def test_the_exit_code_tells_the_truth(
    failure: str,
    code: int,
    told: str,
    tmp_path: Path,
    failing_package: Path,
    three_bakeries: str,
) -> None:
    """Flower's own is 0 in each of these cases; the folder says which bakery failed and why."""
    env = processes.environment(
        tmp_path / "flower", PYTHONPATH=str(failing_package), TEST_FAILURE=failure
    )
    # With scaled leaves a round has one train phase, whose failures can be counted.
    words = settings_words(SHORT | {"num-server-rounds": 2, "leaf-values": "scaled"})
    command = [sys.executable, "-m", "glean", "simulate", "--sales", three_bakeries, *words]
    command += processes.one_actor(tmp_path)
    done = processes.run(*command, cwd=tmp_path, env=env)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    folder = tmp_path / "results" / "latest"
    facts = facts_of(folder)
    assert (facts["status"] == "completed") == (code == 0)
    assert code == 0 or told.endswith(facts["reason"].split(";")[0])
    failed = [event for event in events_of(folder) if event["event"] == "bakery_failed"]
    bakeries = facts.get("bakeries", ["?"] * 3)
    wanted = {
        "server": [],
        "every bakery": [(1, bakery, "the oven is cold") for bakery in bakeries],
        "one bakery": [(k, "bakery 1", "the oven is cold") for k in (1, 2)],
        "silence": [(1, bakery, "no reply to 'train'") for bakery in bakeries],
    }[failure]
    assert len(failed) == len(wanted)
    for event, (round_number, bakery, reason) in zip(failed, wanted, strict=True):
        assert (event["round"], event["bakery"]) == (round_number, bakery)
        assert reason in event["reason"]


NEVER_BEGAN = [
    pytest.param(
        "client-resources-num-cpus = 4096\n", "ActorPool is empty", marks=pytest.mark.long
    ),
    ("client-resources-num-cpu = 1\n", "client_resources_num_cpu"),
]


@pytest.mark.parametrize(("profile", "told"), NEVER_BEGAN)
def test_a_run_that_flower_gives_up_has_failed(profile: str, told: str, tmp_path: Path) -> None:
    """Neither an unknown key nor more cores than there are ends in silence; Flower's reason."""
    (tmp_path / "mine.toml").write_text(profile)
    env = processes.environment(tmp_path / "flower")
    words = ("--profile", "mine.toml", "--bakeries", "2")
    done = processes.run(BIN / "glean", "simulate", *words, cwd=tmp_path, env=env)
    assert done.returncode == 1, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """A shell ignores Ctrl-C for what it runs in the background, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def begins(_folder: Path) -> bool:
    """The SuperLink is there, the run isn't."""
    return any("flower-superlink" in word for p in processes.descendants() for word in p.cmdline())


def first_round(folder: Path) -> bool:
    """A round has finished."""
    path = folder / "results" / "latest" / "events.jsonl"
    return path.exists() and "round_finished" in path.read_text(encoding="utf-8")


MOMENTS = [
    (begins, signal.SIGINT, 130),
    (begins, signal.SIGTERM, 143),
    (first_round, signal.SIGINT, 130),
]


@pytest.mark.usefixtures("ctrl_c_counts")
@pytest.mark.parametrize(("moment", "sent", "code"), MOMENTS)
def test_a_signal_ends_everything(
    moment: Any, sent: int, code: int, tmp_path: Path, three_bakeries: str
) -> None:
    """Whenever it comes, nothing runs a few seconds later, and a run that began says it failed."""
    env = processes.environment(tmp_path / "flower", TMPDIR=str(tmp_path))
    words = settings_words(SHORT | {"num-server-rounds": 5000}) + processes.one_actor(tmp_path)
    typed = subprocess.Popen(
        [BIN / "glean", "simulate", "--sales", three_bakeries, *words],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: moment(tmp_path), f"{moment.__name__} (rc {typed.poll()})")
    if sent == signal.SIGINT:
        os.killpg(typed.pid, sent)  # as a terminal does: the whole group
    else:
        typed.send_signal(sent)
    _, told = typed.communicate(timeout=20)
    assert typed.returncode == code, told
    assert f"ended by {signal.Signals(sent).name}" in told
    assert "Traceback" not in told
    if moment is first_round:
        folder = tmp_path / "results" / "latest"
        assert (facts_of(folder)["status"], facts_of(folder)["reason"]) == ("failed", "interrupted")
        last = events_of(folder)[-1]
        assert (last["event"], last["status"]) == ("run_finished", "failed")
