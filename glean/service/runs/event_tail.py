"""Events of runs as they are appended, read once from the file for all who watch.

An event's number is that of its line in `events.jsonl`, from 1 on. Whoever says which number it has
seen last gets what came since, whatever broke in between: the file is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

POLL_S = 0.25
"""How often a file that is watched is looked at."""


class EventTail:
    """The events of one run, read as far as the file goes.

    Parameters
    ----------
    path : Path
        Its `events.jsonl`, which need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []
        self._read = 0
        self._grown = asyncio.Condition()
        self._watchers = 0
        self._poller: asyncio.Task[None] | None = None

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return self._watchers > 0

    async def since(self, number: int) -> AsyncIterator[tuple[int, str]]:
        """Yield the number and the JSON of every event after one, those to come too; never ends.

        Damaged lines have numbers too, and are left out.

        Parameters
        ----------
        number : int
            Of the last event that was seen; 0: none.
        """
        self._watchers += 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            while True:
                async with self._grown:
                    while len(self._lines) <= number:
                        await self._grown.wait()
                    fresh = self._lines[number:]
                for line in fresh:
                    number += 1
                    if line:
                        yield number, line
        finally:
            self._watchers -= 1
            if not self._watchers and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def _poll(self) -> None:
        while True:
            fresh = await asyncio.to_thread(self._fresh_lines)
            if fresh:
                async with self._grown:
                    self._lines += fresh
                    self._grown.notify_all()
            await asyncio.sleep(POLL_S)

    def _fresh_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return [_as_json(line) for line in whole.splitlines()]


class EventTails:
    """The tails of all runs that are watched, one a run."""

    def __init__(self) -> None:
        self._tails: dict[Path, EventTail] = {}

    @contextlib.contextmanager
    def of(self, path: Path) -> Iterator[EventTail]:
        """Give the tail of a run's `events.jsonl`; dropped once nobody watches it."""
        tail = self._tails.setdefault(path, EventTail(path))
        try:
            yield tail
        finally:
            if not tail.watched:
                self._tails.pop(path, None)


def numbered_events(path: Path, *, since: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """Read events of a run with their numbers.

    Parameters
    ----------
    path : Path
        Its `events.jsonl`; where there is none there are no events.
    since : int
        Number of the last event that was seen.
    limit : int
        At most so many.
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    found = []
    for number, line in enumerate(lines[since : since + limit], since + 1):
        event = parsed(line)
        if event is not None:
            found.append((number, event))
    return found


def parsed(line: bytes | str) -> dict[str, Any] | None:
    """Read the line of an event; None where it is damaged. A score that is no number is None."""
    try:
        event = json.loads(line, parse_constant=lambda _: None)
        # Half of a pair of surrogates can be escaped, but never be written as UTF-8.
        json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _as_json(line: bytes) -> str:
    event = parsed(line)
    return "" if event is None else json.dumps(event)
