"""One MLflow server for all tests of the registry, and small runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.typed_commands import glean
from tests.mlflow_server import MlflowServer, serving_mlflow


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real server; each test takes a registered model of its own."""
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def iris_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run of irises, which the tests copy."""
    out = tmp_path_factory.mktemp("iris")
    words = ["--set", "workload=iris", "--set", "num-server-rounds=2", "--bakeries", "3"]
    done = glean("simulate", "--engine", "inprocess", *words, "--out", out)
    assert done.exit_code == 0, done.output
    return out
