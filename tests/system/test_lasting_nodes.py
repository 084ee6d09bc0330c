"""`glean node`: lasting processes at a real SuperLink, with TLS and node authentication."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from glean.federation.launch.deployment_run import flwr_cli_of
from glean.federation.launch.flower_app import app_config, copy_app
from tests import inprocess_runs
from tests.deployment import Deployment, deployment
from tests.processes import BIN, wait_until
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = ("Bahnhof", "Hafen", "Markt")
KILLED = "Hafen"
LIMIT_S = 120.0
SUMS: dict[str, Any] = {
    "num-server-rounds": 2,
    "max-depth": 3,
    "test-days": 14,
    "validation-days": 14,
    "min-available-bakeries": 3,
    "min-contributors": 3,
    "privacy": "sums",
    "baselines": False,
}
"""Refitted leaves under masks: some forty exchanges."""


def tables_in(folder: Path) -> dict[str, Path]:
    """A table of its own for each bakery."""
    tables = {}
    for name, (_, rows) in zip(NAMES, random_table(bakeries=3).rows.groupby("bakery"), strict=True):
        tables[name] = folder / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(tables[name], index=False)
    return tables


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three bakeries with `glean node`."""
    tables = tables_in(tmp_path_factory.mktemp("shops"))
    with deployment(tmp_path_factory.mktemp("deployed"), tables, lasting=NAMES) as found:
        yield found


def glean_run(
    deployed: Deployment, settings: dict[str, Any], results: Path
) -> subprocess.Popen[str]:
    """Start `glean run`; what it says comes in one stream."""
    words = [f"--set={key}={json.dumps(value).strip(chr(34))}" for key, value in settings.items()]
    out = f"output-dir={results}"
    return subprocess.Popen(
        [BIN / "python", "-m", "glean", "run", deployed.connection, *words, "--set", out],
        cwd=deployed.folder,
        env=deployed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def finished(process: subprocess.Popen[str], results: Path) -> Path:
    """Folder of a run that has completed."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    return (results / "latest").resolve()


def in_process(deployed: Deployment, out: Path) -> Path:
    """The same run of the same bakeries, with homes of their own, in this process."""
    nodes = [{**deployed.node_keys(name), "home": str(out / name)} for name in NAMES]
    return inprocess_runs.run(out, app_config() | SUMS, nodes=nodes)


def test_the_model_has_the_bytes_of_a_run_in_process(deployed: Deployment, tmp_path: Path) -> None:
    """Masked sums; each home has the model, the log says what left, and the nodes live on."""
    before = {name: deployed.running[name].pid for name in NAMES}
    folder = finished(glean_run(deployed, SUMS, tmp_path / "nodes"), tmp_path / "nodes")
    here = in_process(deployed, tmp_path / "here")
    for file in ("models/round_001.ubj", "models/round_002.ubj", "model.ubj"):
        assert (folder / file).read_bytes() == (here / file).read_bytes(), file
    assert pd.read_csv(folder / "rounds.csv")["failures"].tolist() == [0, 0]
    for name in NAMES:
        model = (deployed.home(name) / "model.ubj").read_bytes()
        assert model == (folder / "model.ubj").read_bytes()
        log = deployed.node_log(name)
        assert "runs the Glean" in log
        assert "to the server in round 2: 1 new tree" in log
        assert f"kept at home: {deployed.home(name) / 'model.ubj'}" in log
        assert deployed.running[name].poll() is None
        assert deployed.running[name].pid == before[name]


def test_a_node_that_is_killed_comes_back_into_its_run(
    deployed: Deployment, tmp_path: Path
) -> None:
    """`kill -9` in the first round; started again at once, it is let in, and the run completes."""
    process = glean_run(deployed, SUMS, tmp_path)
    begin = len(deployed.node_log(KILLED))
    wait_until(
        lambda: (
            "in round 1: 1 new tree" in deployed.node_log(KILLED)[begin:]
            or process.poll() is not None
        ),
        "a tree of the first round",
        limit_s=LIMIT_S,
    )
    deployed.kill_node(KILLED)
    deployed.start_node(KILLED)
    folder = finished(process, tmp_path)
    rounds = pd.read_csv(folder / "rounds.csv")
    assert rounds["round"].tolist() == [1, 2]
    assert rounds["replies"].tolist()[-1] == 3
    assert (deployed.home(KILLED) / "model.ubj").read_bytes() == (folder / "model.ubj").read_bytes()


@pytest.mark.long
def test_a_run_of_another_version_is_refused_in_words(deployed: Deployment, tmp_path: Path) -> None:
    """Nothing of it is run; the log says how to get what is wanted, the server hears why."""
    cli = flwr_cli_of(deployed.connection, tmp_path)
    cli.environment.update(deployed.environment)
    app = copy_app(tmp_path)
    for path in (app / "pyproject.toml", app / "glean" / "__init__.py"):
        path.write_text(path.read_text("utf-8").replace('version = "0.1.0"', 'version = "0.9.0"'))
    results = tmp_path / "results"
    config = {**app_config(), **SUMS, "round-timeout-s": 10, "output-dir": str(results)}
    run_id = cli.submit(app, run_config=config)
    wait_until(lambda: cli.status(run_id).startswith("finished"), "its end", limit_s=LIMIT_S)
    said = cli.log(run_id)
    assert re.search(r"the server has 0\.9\.0, this node 0\.1\.0; its own log says more", said)
    for name in NAMES:
        log = deployed.node_log(name)
        assert "found a run of Glean 0.9.0; wanted 0.1.0" in log
        assert "pip install -c constraints.txt 'glean-0.9.0-py3-none-any.whl[shop]'" in log


@pytest.mark.long
@pytest.mark.timeout(900)
def test_both_kinds_of_nodes_take_part_in_one_run(tmp_path: Path) -> None:
    """Flower's SuperNode of one bakery beside two lasting nodes: the bytes are the same."""
    with deployment(tmp_path / "d", tables_in(tmp_path), lasting=NAMES[:2]) as mixed:
        process = glean_run(mixed, SUMS, tmp_path / "mixed")
        said, _ = process.communicate(timeout=800)
        assert process.returncode == 0, said
        here = in_process(mixed, tmp_path / "here")
        model = (tmp_path / "mixed" / "latest" / "model.ubj").read_bytes()
        assert model == (here / "model.ubj").read_bytes()
        assert "SuperNode ID" in mixed.node_log(NAMES[2])
