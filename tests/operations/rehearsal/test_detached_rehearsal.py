"""A rehearsal as a process of its own: one at a time, found again, ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.languages.language import ENGLISH, language
from glean.operations.rehearsal import detached_rehearsal as module
from glean.operations.rehearsal.detached_rehearsal import DetachedRehearsal
from glean.operations.rehearsal.rehearsal_plan import RehearsalPlan
from tests.processes import wait_until


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rehearsal does takes a minute; here is asked how it is followed."""
    monkeypatch.setattr(module, "_WORKER", "tests.operations.rehearsal.made_up_worker")
    monkeypatch.setenv("GLEAN_TEST_FAILS", "99")


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[DetachedRehearsal]:
    """None goes on at the end."""
    found = DetachedRehearsal(tmp_path / "rehearsal")
    yield found
    found.end()


def test_a_rehearsal_is_followed_and_ended(rehearsal: DetachedRehearsal, tmp_path: Path) -> None:
    """Also by a service that was started meanwhile; a line that is being written isn't read."""
    assert rehearsal.state() == module.RehearsalState()
    assert not rehearsal.end()
    rehearsal.start(RehearsalPlan())
    assert rehearsal.state().runs
    wait_until(lambda: len(rehearsal.state().steps) == 2, "both steps are told")
    again = DetachedRehearsal(tmp_path / "rehearsal")
    (_, (at, step)) = again.state().steps
    assert at == "2026-05-01T03:00:00+00:00"
    assert step.said(ENGLISH).endswith("Sign in at https://localhost:1/ with glean_x")
    assert "Melden Sie sich" in step.said(language("de"))
    assert again.end()
    assert not rehearsal.state().runs


def test_two_do_not_go_on_at_once(rehearsal: DetachedRehearsal) -> None:
    """Each takes all of the machine."""
    rehearsal.start(RehearsalPlan())
    with pytest.raises(FederationError, match="goes on already"):
        rehearsal.start(RehearsalPlan())
    rehearsal.end()
    rehearsal.start(RehearsalPlan())


def test_why_one_failed_is_told(rehearsal: DetachedRehearsal) -> None:
    """And the next one begins anew."""
    rehearsal.start(RehearsalPlan(rounds=99))
    wait_until(lambda: not rehearsal.state().runs, "it has ended")
    assert rehearsal.state().error == "shop 1 ended by itself"
    rehearsal.start(RehearsalPlan())
    assert rehearsal.state().error == ""
