"""An installed wheel simulates from an empty folder, without a checkout."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from tests import processes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout, offline, and install it into a folder of its own."""
    for module in ("hatchling", "pip"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} isn't installed, and a wheel can't be built without")
    root = tmp_path_factory.mktemp("wheel")
    source = processes.copy_checkout(root / "source")
    env = processes.environment(root / "flower", PIP_NO_INDEX="1")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    commands = (
        ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", root, source),
        ("install", "--no-deps", "--target", root / "site", "glean", "--find-links", root),
    )
    for words in commands:
        done = processes.run(*pip, *words, cwd=root, env=env)
        assert done.returncode == 0, done.stderr
    return root / "site"


def test_an_installed_wheel_simulates_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """On Ray, whose bakeries unpack the app anew; nothing of a checkout is in reach."""
    env = processes.environment(tmp_path / "flower", PYTHONPATH=str(installed))
    python = (sys.executable, "-c")
    where = processes.run(*python, "import glean; print(glean.__file__)", cwd=tmp_path, env=env)
    assert Path(where.stdout.strip()).is_relative_to(installed)
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ("--bakeries", "2", "--set", "num-server-rounds=1", "--set", "baselines=false")
    one_actor = processes.one_actor(tmp_path)
    command = (sys.executable, "-m", "glean", "simulate", *words, *one_actor)
    done = processes.run(*command, cwd=empty, env=env)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in empty.iterdir()] == ["results"]
    folder = empty / "results" / "latest"
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (facts["status"], facts["engine"]) == ("completed", "ray")
    assert (folder / "model.ubj").is_file()
    assert (folder / "report.html").is_file()
