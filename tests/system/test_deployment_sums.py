"""Leaf sums under masks between machines: keys are signed, and checked by list of members.

And what a run is where nothing is said of privacy: noised.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from glean.learning.forest import Forest
from glean.privacy.members import new_keys, write_members
from glean.sales.table import ALL_BAKERIES
from tests.deployment import Deployment, deployment
from tests.processes import BIN, run
from tests.tables import random_table

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

LIMIT_S = 600.0

NAMES = ("Markt", "Hafen", "Bahnhof")
REFIT = {
    "num-server-rounds": 2,
    "max-depth": 3,
    "test-days": 14,
    "validation-days": 14,
    "min-available-bakeries": 3,
    "min-contributors": 3,
    "privacy": "sums",
    "baselines": "false",
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three bakeries' nodes, each with a table, a signing key and the list of members."""
    folder = tmp_path_factory.mktemp("shops")
    tables = {}
    for name, (_, rows) in zip(NAMES, random_table(bakeries=3).rows.groupby("bakery"), strict=True):
        tables[name] = folder / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(tables[name], index=False)
    with deployment(tmp_path_factory.mktemp("deployed"), tables) as found:
        yield found


def glean_run(
    deployed: Deployment, results: Path, *, without: frozenset[str] = frozenset()
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """`glean run` to its end, without some of the settings; and the folder that it leaves."""
    settings: dict[str, Any] = {**REFIT, "output-dir": results}
    settings = {key: value for key, value in settings.items() if key not in without}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = run(
        BIN / "glean",
        "run",
        deployed.connection,
        *words,
        cwd=deployed.folder,
        env=deployed.environment,
        limit_s=LIMIT_S,
    )
    return done, (results / "latest").resolve()


def test_three_bakeries_grow_trees_under_masks(deployed: Deployment, tmp_path: Path) -> None:
    """The run ends well; the server has no bakery's scores, and each bakery's log says so."""
    done, folder = glean_run(deployed, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (facts["status"], facts["engine"]) == ("completed", "deployment")
    forest = Forest.from_bytes((folder / "models" / "round_002.ubj").read_bytes())
    assert forest.tree_count == 2 * len(NAMES)
    rounds = pd.read_csv(folder / "rounds.csv")
    assert rounds["replies"].tolist() == [3, 3]
    assert rounds["failures"].tolist() == [0, 0]
    assert set(pd.read_csv(folder / "bakery_rounds.csv")["bakery"]) == {ALL_BAKERIES}
    for name in NAMES:
        log = deployed.node_log(name)
        assert "the public half of a key for the masks of this run" in log
        assert "that look like chance to everybody" in log
        assert (deployed.home(name) / "model.ubj").read_bytes() == (
            folder / "model.ubj"
        ).read_bytes()


def test_without_a_word_of_privacy_the_server_gets_noise(
    deployed: Deployment, tmp_path: Path
) -> None:
    """Random trees, a noised score behind a ± on the terminal, full scores at each bakery only."""
    done, folder = glean_run(deployed, tmp_path, without=frozenset({"aggregation", "privacy"}))
    assert done.returncode == 0, done.stdout + done.stderr
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["privacy"], settings["aggregation"]) == ("noise", "oblivious")
    assert "3 bakeries are few for noise" in done.stderr
    assert "whose standard deviation is behind the ±" in " ".join(done.stdout.split())
    scores = pd.read_csv(folder / "bakeries.csv")
    assert scores["method"].tolist() == ["federated"]
    assert scores[["units", "abs_error", "n_rows", "mae"]].isna().all(axis=None)
    for name in NAMES:
        own = pd.read_csv(deployed.home(name) / "bakeries.csv")
        assert own[["units", "abs_error", "n_rows", "mae"]].notna().all(axis=None)
        assert "with noise); the server reads the sum with the noise of all" in (
            deployed.node_log(name)
        )


def test_keys_of_strangers_are_refused_in_words(deployed: Deployment, tmp_path: Path) -> None:
    """A bakery whose list has another key of a member masks nothing, and its log says why.

    The two that are left can't hide each other: the run fails with the reason.
    """
    path = deployed.keys["Hafen"] / "members.json"
    before = path.read_bytes()
    path.write_bytes(write_members(new_keys(name).member for name in NAMES))
    try:
        done, _ = glean_run(deployed, tmp_path)
    finally:
        path.write_bytes(before)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "secure sums were lost in a row" in done.stdout + done.stderr
    assert "signature" in deployed.node_log("Hafen")
    assert "this bakery can't answer the server" in deployed.node_log("Hafen")
