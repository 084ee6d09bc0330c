"""Checks of health: each says what is broken, in time, whatever the others do."""

from __future__ import annotations

import threading

import pytest

from glean.observability.health import HealthChecks
from tests.processes import wait_until


def test_each_part_says_what_is_wrong_with_it() -> None:
    """In the order in which they were added."""
    checks = HealthChecks()
    checks.add("database", lambda: "", needed=True)
    checks.add("broker", lambda: "connection refused")
    found = checks.look()
    assert list(found.problems.items()) == [("database", ""), ("broker", "connection refused")]


@pytest.mark.parametrize("needed", [True, False])
def test_only_what_is_needed_makes_it_unready(*, needed: bool) -> None:
    """A broker that is down is told, and the service goes on."""
    checks = HealthChecks()
    checks.add("part", lambda: "gone", needed=needed)
    assert checks.look().ready is not needed


def test_a_check_that_fails_is_a_problem_without_secrets() -> None:
    """A library's message may quote the address with its password; only its first line is told."""

    def fail() -> str:
        raise ConnectionError("no route to amqp://glean:hunter2@broker/\n  in frame 7")

    checks = HealthChecks()
    checks.add("broker", fail)
    assert checks.look().problems == {
        "broker": "ConnectionError: no route to amqp://glean:***@broker/"
    }


def test_a_check_that_hangs_holds_up_nobody() -> None:
    """It is asked once, however many ask meanwhile, and heard again once it answers."""
    goes_on, calls = threading.Event(), []

    def hang() -> str:
        calls.append(1)
        goes_on.wait(30)
        return ""

    checks = HealthChecks(answer_within_s=0.05)
    checks.add("storage", hang)
    checks.add("database", lambda: "", needed=True)
    for _ in range(3):
        found = checks.look()
        assert found.ready
        assert found.problems == {"storage": "found no answer within 0.05 s", "database": ""}
    assert len(calls) == 1
    goes_on.set()
    wait_until(lambda: checks.look().problems["storage"] == "", "the storage is well")


def test_a_name_is_a_field_and_is_taken_once() -> None:
    """Two parts of one name would hide each other."""
    checks = HealthChecks()
    checks.add("broker", lambda: "")
    with pytest.raises(AssertionError, match="already"):
        checks.add("broker", lambda: "")
    with pytest.raises(AssertionError, match="small letters"):
        checks.add("The Broker", lambda: "")
