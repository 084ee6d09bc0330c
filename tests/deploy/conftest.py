"""Images that are built once for all tests of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.built_images import build


@pytest.fixture(scope="session")
def built() -> None:
    """Build them; GLEAN_BUILT=yes takes those that are there."""
    if os.environ.get("GLEAN_BUILT") != "yes":
        build()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that everybody may enter, for volumes."""
    folder = tmp_path / "volumes"
    folder.mkdir(mode=0o777)
    for path in (tmp_path, *list(tmp_path.parents)[:2]):
        path.chmod(path.stat().st_mode | 0o055)
    return folder
