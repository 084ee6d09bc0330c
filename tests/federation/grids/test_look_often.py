"""Flower's grid waits for a second for content that isn't there yet; our ServerApp's doesn't."""

from __future__ import annotations

import inspect
import time

import pytest
from flwr.supercore.inflatable import inflatable_utils
from flwr.supercore.inflatable.inflatable_utils import ObjectUnavailableError, pull_objects
from flwr.superlink.grid import http_grid

from glean.federation.grids.flower_internals import LOOKS_S, look_often


def test_content_that_comes_late_is_there_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the function that Flower's grid calls, without its giving the pauses a word."""
    assert vars(http_grid)["pull_objects"] is pull_objects
    parameters = inspect.signature(pull_objects).parameters
    assert LOOKS_S.keys() <= parameters.keys()
    assert all(name not in inspect.getsource(http_grid) for name in LOOKS_S)
    monkeypatch.setattr(
        inflatable_utils.pull_objects, "__kwdefaults__", dict(pull_objects.__kwdefaults__ or {})
    )
    look_often()
    looks = iter((True, True, False))

    def late(number: str) -> bytes:
        if next(looks):
            raise ObjectUnavailableError(number)
        return b"here"

    start = time.monotonic()
    assert pull_objects(["a"], late) == {"a": b"here"}
    assert time.monotonic() - start < 0.7


def test_a_flower_without_such_pauses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No new default appears where the function has none."""
    monkeypatch.setattr(inflatable_utils.pull_objects, "__kwdefaults__", {"other": 1})
    look_often()
    assert pull_objects.__kwdefaults__ == {"other": 1}
