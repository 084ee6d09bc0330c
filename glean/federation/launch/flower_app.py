"""The Flower app on disk: of the checkout, or of an installed wheel."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

from glean.errors import SettingsError
from glean.runs.code_version import PACKAGE
from glean.settings import ConfigValue

_CHECKOUT = PACKAGE.parent / "pyproject.toml"
_IN_WHEEL = PACKAGE / "pyproject.toml"


def app_project() -> dict[str, Any]:
    """Content of the app's `pyproject.toml`, from the checkout or from the wheel.

    Raises
    ------
    SettingsError
        It isn't TOML, since somebody edited it.
    """
    path = _project_file()
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} isn't valid TOML: {error}; mend it and try again") from error


def app_config() -> dict[str, ConfigValue]:
    """Defaults of the run config: `[tool.flwr.app.config]`, as edited by the user."""
    config: dict[str, ConfigValue] = app_project()["tool"]["flwr"]["app"]["config"]
    return config


def app_name() -> str:
    """Flower's name of the app, like "glean/glean"."""
    project = app_project()
    return f"{project['tool']['flwr']['app']['publisher']}/{project['project']['name']}"


def copy_app(scratch: Path) -> Path:
    """Copy the app into `scratch`, for `flwr run` to build from.

    From the checkout itself Flower would look at every file of `.venv`, for five seconds.
    """
    folder = scratch / "app"
    ignored = shutil.ignore_patterns("__pycache__", "pyproject.toml")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=ignored)
    shutil.copy(_project_file(), folder / "pyproject.toml")
    return folder


def _project_file() -> Path:
    return _CHECKOUT if _is_checkout() else _IN_WHEEL


def _is_checkout() -> bool:
    if not _CHECKOUT.is_file():
        return False
    try:
        project = tomllib.loads(_CHECKOUT.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError:
        # A stranger's file beside a wheel; or ours, where nothing else could be meant.
        return not _IN_WHEEL.is_file()
    return bool(project.get("name") == "glean")
