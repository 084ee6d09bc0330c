"""Checks of what a service works with: each says by its name what is broken, in time.

Whoever puts a part together adds its check by one line. A check that doesn't answer, as of a server
behind a dead network, holds up neither the others nor who asks.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from glean.observability.redaction import redacted

ANSWER_WITHIN_S = 2.0
"""How long all checks of a look have together."""

Check = Callable[[], str]
"""Says what is wrong; "" where nothing is."""

_NAME = re.compile(r"[a-z][a-z_]*")


@dataclass(frozen=True)
class Health:
    """How the parts of a service are.

    Parameters
    ----------
    ready : bool
        Whether all that the service can't do without is well.
    problems : mapping of str to str
        By the name of each part what is wrong with it; "" where nothing is.
    """

    ready: bool
    problems: Mapping[str, str]


class HealthChecks:
    """The checks of a service, in the order in which they were added.

    Parameters
    ----------
    answer_within_s : float
        How long a look takes at most.
    """

    def __init__(self, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._checks: dict[str, _PendingCheck] = {}
        self._needed: set[str] = set()
        self._answer_within_s = answer_within_s

    def add(self, name: str, check: Check, *, needed: bool = False) -> None:
        """Add the check of a part.

        Parameters
        ----------
        name : str
            Of the part, in small letters: it is a field of `/readyz` and a label of a metric.
        check : callable
            Says what is wrong with it; "" where nothing is. It runs in a thread of its own.
        needed : bool
            Whether the service isn't ready without it.
        """
        assert _NAME.fullmatch(name), f"a part's name is a word in small letters, not {name!r}"
        assert name not in self._checks, f"{name} is checked already"
        self._checks[name] = _PendingCheck(name, check)
        if needed:
            self._needed.add(name)

    def look(self) -> Health:
        """Ask all of them at the same time."""
        until = time.monotonic() + self._answer_within_s
        answers = {name: asked.ask() for name, asked in self._checks.items()}
        problems = {name: self._answer(answer, until) for name, answer in answers.items()}
        return Health(not any(problems[name] for name in self._needed), problems)

    def _answer(self, answer: Future[str], until: float) -> str:
        try:
            return answer.result(timeout=max(until - time.monotonic(), 0.0))
        except TimeoutError:
            return f"found no answer within {self._answer_within_s:g} s"


class _PendingCheck:
    """A check, run once at a time: whoever asks meanwhile is given the same answer."""

    def __init__(self, name: str, check: Check) -> None:
        self._name = name
        self._check = check
        self._lock = threading.Lock()
        self._answer: Future[str] | None = None

    def ask(self) -> Future[str]:
        """Give where the answer will come."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(
                    target=self._run, args=(self._answer,), name=f"health-{self._name}", daemon=True
                ).start()
            return self._answer

    def _run(self, answer: Future[str]) -> None:
        try:
            found = self._check()
        except Exception as error:  # noqa: BLE001 # whatever it is, it is what is wrong
            found = f"{type(error).__name__}: {error}".splitlines()[0]
        answer.set_result(redacted(found))
