"""What stands in the Dockerfile, the compose file and the chart, as the tests read it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from glean.runs.code_version import PACKAGE

ROOT = PACKAGE.parent
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "chart"
TARGETS = ("node", "server", "service", "worker")
PROFILES = ("dev", "prod", "offline", "distributed")
USER = "10001:10001"


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in turn: keyword and the rest, continued lines put together."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, rest in found]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Instructions of each stage, by its name; the name of what it builds on under FROM."""
    found: dict[str, list[tuple[str, str]]] = {}
    for word, rest in instructions((DEPLOY / "Dockerfile").read_text(encoding="utf-8")):
        if word == "FROM":
            found[rest.split()[-1]] = current = []
        elif not found:
            continue
        current.append((word, rest))
    return found


def one_of(stage: list[tuple[str, str]], keyword: str) -> str:
    """The only instruction of a kind in a stage."""
    (rest,) = [rest for word, rest in stage if word == keyword]
    return rest


def command_of(target: str) -> list[str]:
    """What an image runs unless it is told otherwise."""
    words: list[str] = json.loads(one_of(stages()[target], "CMD"))
    return words


@cache
def composed() -> dict[str, Any]:
    """What docker-compose makes of the compose file, all profiles in one."""
    yaml = pytest.importorskip("yaml", reason="PyYAML isn't installed")
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose isn't installed: apt-get install docker-compose")
    asked = [program, "--file", str(DEPLOY / "compose.yaml")]
    for profile in PROFILES:
        asked += ["--profile", profile]
    done = subprocess.run([*asked, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def services_of(profile: str) -> dict[str, Any]:
    """Services that a profile starts."""
    services: dict[str, Any] = composed()["services"]
    return {name: one for name, one in services.items() if profile in one["profiles"]}


def target_of(image: str) -> str:
    """The target that an image of Glean's is built by; "" of another image."""
    found = re.fullmatch(r"glean-(\w+):[\w.]+", image)
    return found[1] if found else ""


def scripts() -> list[Path]:
    """Shell scripts of the folder."""
    return sorted(DEPLOY.rglob("*.sh"))
