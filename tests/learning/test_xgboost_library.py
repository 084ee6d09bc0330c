from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Iterator

import pytest

from glean.errors import GleanError
from glean.learning.xgboost_library import load_xgboost

PROGRAM = """
import sys
from glean.learning.xgboost_library import load_xgboost
xgboost = load_xgboost()
assert "sklearn" not in sys.modules
import sklearn.neural_network
assert load_xgboost() is xgboost
assert xgboost.DMatrix([[1.0]]).num_row() == 1
"""


def test_scikit_learn_is_hidden_only_while_xgboost_is_imported() -> None:
    """A process that trains trees doesn't pay for it; one that needs it later gets it."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


@pytest.fixture
def _fresh() -> Iterator[None]:
    """XGBoost is looked for anew, and afterwards again."""
    load_xgboost.cache_clear()
    yield
    load_xgboost.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_without_xgboost_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bakery, and of a machine that simulates."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GleanError, match=r"found no XGBoost; .*glean\[shop\].*glean\[simulation\]"):
        load_xgboost()


@pytest.mark.usefixtures("_fresh")
def test_two_packages_of_xgboost_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both fill the same folder: which one works there nobody knows."""
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: name)
    with pytest.raises(GleanError, match="found xgboost and xgboost-cpu, which overwrite"):
        load_xgboost()
