"""Compiled loops are shared by all copies of the package that say the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from glean.learning import kernels


def copied(folder: Path, *, changed: bool = False) -> ModuleType:
    """Load the module from another place, as Flower does with an app that it unpacked."""
    folder.mkdir()
    path = folder / "kernels.py"
    source = Path(kernels.__file__).read_text(encoding="utf-8")
    path.write_text(source + "\n# another version\n" * changed, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("glean.learning.kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cache_of(module: ModuleType) -> Path:
    """Folder in which the compiled loops of a module are kept."""
    compiled: Any = module._compiled(module._sum_by_leaf)
    return Path(compiled.stats.cache_path)


def test_a_copy_finds_what_another_has_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same folder for the same words, wherever the file lies; another for other words."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = cache_of(kernels)
    assert here.is_relative_to(tmp_path / "cache")
    assert cache_of(copied(tmp_path / "unpacked")) == here
    assert cache_of(copied(tmp_path / "changed", changed=True)) != here


def test_without_a_cache_folder_compiled_code_is_kept_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a user who has no home that can be written to."""
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    unpacked = copied(tmp_path / "unpacked")
    assert cache_of(unpacked) == tmp_path / "unpacked" / "__pycache__"
