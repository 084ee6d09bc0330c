"""A simulation on a Ray of two nodes, as docs/clusters.md has an operator start it by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ray_nodes import run_on
from tests.processes import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]


def test_both_nodes_play_bakeries_and_the_model_is_that_of_one_process(
    three_bakeries: str, tmp_path: Path
) -> None:
    """Each node has an actor that worked; nothing of Ray stays behind."""
    settings = ("test-days=14", "validation-days=14", "num-server-rounds=3", "min-child-weight=1.0")
    words = [f"--sales={three_bakeries}", *(f"--set={each}" for each in settings)]
    found = run_on(2, words, tmp_path / "nodes")
    assert [len(actors) for actors in found.actors] == [1, 1]
    # Before it plays a bakery, an actor has imported next to nothing.
    assert all(seconds > 1.0 for actors in found.actors for seconds in actors.values())
    here = [sys.executable, "-m", "glean", "simulate", "--engine=inprocess", *words]
    subprocess.run(
        [*here, "--out", str(tmp_path / "here")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=True,
        capture_output=True,
    )
    for name in ("model.ubj", "bakeries.csv", "days.csv", "plan.csv"):
        mine = (tmp_path / "nodes" / "latest" / name).read_bytes()
        assert mine == (tmp_path / "here" / "latest" / name).read_bytes(), name
