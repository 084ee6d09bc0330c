"""The typed client of docs/examples, against a service: from a table to a plan."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from starlette.testclient import TestClient

from tests.processes import REPOSITORY
from tests.service.served import serving

EXAMPLE = REPOSITORY / "docs" / "examples" / "glean_client.py"


@pytest.fixture
def example() -> ModuleType:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("glean_client", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there for their annotations
    spec.loader.exec_module(module)
    return module


def test_what_is_wrong_is_raised_line_by_line(
    example: ModuleType, client: TestClient, admin: dict[str, str], tmp_path: Path
) -> None:
    """As the service says it."""
    client.headers.update(admin)
    bad = tmp_path / "bad.csv"
    bad.write_text("date,units\n2024-01-01,many\n2024-13-01,1\n")
    with pytest.raises(example.GleanApiError) as caught:
        example.GleanClient(client).upload(bad)
    assert caught.value.status == 422
    assert len(caught.value.lines) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's")
def test_the_example_goes_from_a_table_to_a_plan(tmp_path: Path, three_bakeries: str) -> None:
    """As its docstring says it is called."""
    with serving(tmp_path) as served:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), served.address, three_bakeries, "bakery 1"],
            env={**os.environ, "GLEAN_TOKEN": served.token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "completed, round 5 of 5" in done.stdout
    assert "product 0: " in done.stdout
