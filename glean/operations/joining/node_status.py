"""How a bakery's node stands, kept in its home for the pages and commands that show it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glean.regular_files import read_regular
from glean.runs.folder import utc_now, write_whole
from glean.runs.process_tree import still_runs, this_process

LOG = logging.getLogger("glean")

FILE = "join-status.json"
STOPPED = "stopped"


@dataclass(frozen=True)
class Standing:
    """How a node stands.

    Parameters
    ----------
    state : {"connected", "waiting", "stopped"}
        With the server, without, or not at work.
    since : str
        When that began, ISO, UTC; "" where nothing is known.
    text : str
        Why it waits, or what it refused last; "" where there is nothing to say.
    """

    state: str = STOPPED
    since: str = ""
    text: str = ""


@dataclass
class NodeStatus:
    """Writes how a node stands.

    Parameters
    ----------
    home : Path
        The bakery's home.
    """

    home: Path
    _last: Standing = field(default_factory=Standing, init=False)

    def write(self, state: str, text: str) -> None:
        """Write it; what can't be written is only shown less."""
        since = self._last.since if state == self._last.state else utc_now()
        self._last = Standing(state, since or utc_now(), text)
        content = {**asdict(self._last), "process": this_process()}
        try:
            write_whole(self.home / FILE, json.dumps(content).encode())
        except OSError as error:
            LOG.warning("%s can't be written: %s", self.home / FILE, error.strerror or error)


def read_standing(home: Path) -> Standing:
    """Read how a home's node stands; one that was killed is stopped."""
    try:
        found: Any = json.loads(read_regular(home / FILE))
        standing = Standing(str(found["state"]), str(found["since"]), str(found["text"]))
        process = found["process"]
    except (OSError, ValueError, KeyError, TypeError):
        return Standing()
    if standing.state != STOPPED and not still_runs(process):
        return Standing(STOPPED, standing.since, standing.text)
    return standing
