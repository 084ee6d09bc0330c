"""Flower's grid waits for a second for content that isn't there yet; our ServerApp's doesn't."""

from __future__ import annotations

import inspect
import threading
import time
from queue import Queue
from typing import Any
from unittest import mock

import pytest
from flwr.server.superlink.fleet.vce import vce_api
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


def test_messages_are_handed_to_ray_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Flower's own function, in the place in which its simulation looks it up."""
    assert "add_messages_to_queue" in inspect.getsource(vce_api.run_api)
    monkeypatch.setattr(vce_api, "add_messages_to_queue", vce_api.add_messages_to_queue)
    monkeypatch.setattr(
        inflatable_utils.pull_objects, "__kwdefaults__", dict(pull_objects.__kwdefaults__ or {})
    )
    look_often()
    looks, stop, found = 0, threading.Event(), Queue[Any]()

    def look(**_: object) -> list[str]:
        """Find a message at the fifth look, and be slow from the tenth on."""
        nonlocal looks
        looks += 1
        if looks == 12:
            stop.set()
        if looks > 9:
            time.sleep(0.2)
        return ["message"] if looks == 5 else []

    start = time.monotonic()
    vce_api.add_messages_to_queue(mock.Mock(get_message_ins=look), found, {7: 0}, stop)
    assert found.get_nowait() == "message"
    # Nine pauses of a hundredth, three looks of a fifth with a tenth after each, as Flower has it.
    assert 0.7 < time.monotonic() - start < 1.4


def test_a_simulation_of_another_flower_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(state: object) -> None: ...

    monkeypatch.setattr(vce_api, "add_messages_to_queue", other)
    look_often()
    assert vars(vce_api)["add_messages_to_queue"] is other
