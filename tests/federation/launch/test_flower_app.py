"""The Flower app on disk: from the checkout and from a wheel alike."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from glean.federation.launch import flower_app as module
from glean.federation.launch.flower_app import app_config, app_project, copy_app
from glean.runs import code_version
from glean.runs.code_version import PACKAGE, code_fingerprint

PYPROJECT = PACKAGE.parent / "pyproject.toml"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as in a wheel: `pyproject.toml` inside it, a stranger's one folder up."""
    site = tmp_path / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, site / "glean", ignore=ignored)
    (site / "glean" / "__pycache__").mkdir()
    (site / "glean" / "__pycache__" / "x.pyc").write_bytes(b"")
    shutil.copy(PYPROJECT, site / "glean" / "pyproject.toml")
    (site / "pyproject.toml").write_text('[project]\nname = "a-stranger"\n')
    monkeypatch.setattr(module, "PACKAGE", site / "glean")
    monkeypatch.setattr(module, "_CHECKOUT", site / "pyproject.toml")
    monkeypatch.setattr(module, "_IN_WHEEL", site / "glean" / "pyproject.toml")
    return site / "glean"


def fingerprint(package: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Fingerprint of the code in another folder."""
    with monkeypatch.context() as patched:
        patched.setattr(code_version, "PACKAGE", package)
        return code_fingerprint.__wrapped__()


def test_the_config_is_the_one_that_stands_in_the_checkout() -> None:
    """What a user edits in `pyproject.toml` is what a run takes."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    assert app_project() == project
    assert app_config() == project["tool"]["flwr"]["app"]["config"]


@pytest.mark.usefixtures("wheel")
def test_an_installed_wheel_has_its_own_config() -> None:
    """Next to the package lies a stranger's project, which is none of ours."""
    assert app_project()["project"]["name"] == "glean"
    assert app_config()["aggregation"] == "auto"


def test_without_a_project_next_to_it_the_package_s_own_counts(wheel: Path) -> None:
    """In a wheel's folder there is usually no project at all."""
    (wheel.parent / "pyproject.toml").unlink()
    assert app_project()["project"]["name"] == "glean"


def test_the_app_of_a_wheel_can_be_built(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project with its package, the same code, nothing compiled, no project in the project."""
    folder = copy_app(tmp_path / "scratch")
    assert (folder / "pyproject.toml").read_bytes() == PYPROJECT.read_bytes()
    assert not (folder / "glean" / "pyproject.toml").exists()
    assert not list(folder.rglob("__pycache__"))
    assert fingerprint(folder / "glean", monkeypatch) == fingerprint(wheel, monkeypatch)
    assert not folder.is_relative_to(wheel.parent)


def test_the_app_of_the_checkout_runs_the_checkout_s_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would refuse ClientApps of any other code."""
    folder = copy_app(tmp_path)
    assert fingerprint(folder / "glean", monkeypatch) == code_fingerprint()
    assert (folder / "pyproject.toml").read_bytes() == PYPROJECT.read_bytes()
    components = app_project()["tool"]["flwr"]["app"]["components"]
    for name in components.values():
        place, _, app = name.partition(":")
        file = folder / Path(*place.split(".")).with_suffix(".py")
        assert f"{app} = " in file.read_text(encoding="utf-8")


def test_the_bundle_takes_every_module() -> None:
    """Flower's bundle takes what `fab-include` names: all Python files of the package."""
    patterns = app_project()["tool"]["flwr"]["app"]["fab-include"]
    taken = {path for pattern in patterns for path in PACKAGE.parent.glob(pattern)}
    assert taken == set(PACKAGE.rglob("*.py"))
    # Flower leaves out what it takes for tests.
    assert not [p for p in taken if p.match("test_*.py") or p.match("*_test.py")]


def test_a_change_of_code_changes_the_fingerprint(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One letter more, or a file renamed, is other code; a compiled file isn't."""
    prints = [fingerprint(wheel, monkeypatch)]
    (wheel / "errors.pyc").write_bytes(b"compiled")
    assert fingerprint(wheel, monkeypatch) == prints[0]
    with (wheel / "errors.py").open("a") as file:
        file.write("#")
    prints.append(fingerprint(wheel, monkeypatch))
    (wheel / "errors.py").rename(wheel / "mistakes.py")
    prints.append(fingerprint(wheel, monkeypatch))
    assert len(set(prints)) == 3
