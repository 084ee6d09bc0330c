"""Examples in docstrings are run: one that no longer holds misleads whoever reads it."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import glean

PACKAGE = Path(glean.__file__).parent


def modules_with_examples() -> list[str]:
    """Dotted names of all modules in which an example stands."""
    paths = [path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    places = [path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(paths)]
    return [".".join(place.parts) for place in places]


@pytest.mark.parametrize("name", modules_with_examples())
def test_every_example_gives_what_it_says(name: str) -> None:
    """Run as the reader would, in the module's own names."""
    found = doctest.testmod(importlib.import_module(name), report=True)
    assert found.attempted > 0
    assert found.failed == 0
