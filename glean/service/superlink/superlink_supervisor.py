"""Looks after the SuperLink: starts it, tells it whom to let in, starts it again when it ends.

Its registrations are in memory, as its rounds take twice as long otherwise; so all of them are made
anew after each start, from the log of keys. Until that is done the gateway lets nobody through.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from glean.errors import GleanError
from glean.federation.launch.deployed_superlink import (
    CONNECTION,
    HOST,
    DeployedSuperLink,
    SuperLinkFiles,
)
from glean.federation.launch.node_registry import RegisteredNodes, bring_in_line
from glean.federation.launch.superlink import free_ports
from glean.runs.folder import utc_now, write_whole
from glean.service.membership.members import Members
from glean.service.superlink.superlink_state import SuperLinkPhase, SuperLinkState

LOG = logging.getLogger("glean.service")

STATE_FILE = "superlink.json"

EVERY_S = 1.0
START_LIMIT_S = 90.0
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Between an end and the next start; doubled as long as it ends soon again."""

STEADY_S = 60.0
"""After so long it is taken for well, and the next wait is the shortest again."""

ASKED_EVERY_S, SILENT_S = 10.0, 60.0
"""How often it is asked whether it lives, and after how long without an answer it is ended."""


def superlink_of(members: Members, results: Path) -> SuperLinkSupervisor:
    """Make the supervisor of a federation's SuperLink, not yet started.

    Parameters
    ----------
    members : Members
        Whom it lets in.
    results : Path
        Folder of the run folders; its ServerApps work in the one above.
    """
    folder = members.folder
    files = SuperLinkFiles(
        home=folder.flower_home,
        log=folder.superlink_log,
        authority=folder.authority,
        certificate=folder.certificate,
        private_key=folder.private_key,
        directory=results.parent,
        variables={
            "GLEAN_MEMBERS": str(folder.members),
            "GLEAN_MODEL_KEY": str(folder.model_key),
        },
    )

    def node_keys() -> Sequence[str]:
        return [member.node_key for member in members.log().members]

    supervisor = SuperLinkSupervisor(files, node_keys)
    members.on_change(supervisor.members_changed)
    return supervisor


class SuperLinkSupervisor:
    """A thread that keeps a SuperLink running.

    Parameters
    ----------
    files : SuperLinkFiles
        What it is made of.
    node_keys : callable
        Gives the node keys of all members that aren't shut out.
    """

    def __init__(self, files: SuperLinkFiles, node_keys: Callable[[], Sequence[str]]) -> None:
        self._files = files
        self._node_keys = node_keys
        self._state = SuperLinkState(SuperLinkPhase.STARTING, utc_now())
        self._running: DeployedSuperLink | None = None
        self._began = self._answered = self._asked = 0.0
        self._wait_s = SHORTEST_WAIT_S
        self._next_start = 0.0
        self._known: frozenset[str] | None = None
        self._restart = False
        self._wake = threading.Event()
        self._end = False
        self._thread = threading.Thread(target=self._look, name="superlink", daemon=True)

    @property
    def state(self) -> SuperLinkState:
        """How it stands."""
        return self._state

    @property
    def address(self) -> str | None:
        """Where it answers; None as long as it isn't ready for bakeries."""
        return self._state.address if self._state.phase is SuperLinkPhase.READY else None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def members_changed(self) -> None:
        """Have it told at once whom to let in."""
        self._wake.set()

    def stop(self) -> None:
        """End it and all that it has started."""
        self._end = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        while not self._end:
            self._wake.clear()
            try:
                self._look_once()
            except (GleanError, OSError) as error:
                self._note_problem(str(error))
            except Exception:
                # The thread must not end: nobody would start the SuperLink again.
                LOG.exception("a look at the SuperLink failed")
            self._wake.wait(EVERY_S)
        if self._running is not None:
            self._running.end()
        self._note(SuperLinkPhase.ENDED, address="", pid=None)

    def _look_once(self) -> None:
        now = time.monotonic()
        if self._running is None:
            if now >= self._next_start:
                self._start_one(now)
            return
        busy = self._running.carries_a_run()
        if not self._running.alive():
            self._put_down(f"it ended by itself; its log is {self._files.log}")
        elif self._state.phase is SuperLinkPhase.STARTING:
            self._await_answer(self._running, now)
        elif self._restart and not busy:
            self._restart = False
            self._put_down("members came back that it had let go", wait_s=0.0)
        elif self._is_silent(self._running, now):
            self._put_down(f"it answered nothing for {SILENT_S:.0f} s", failed=True)
        else:
            self._bring_in_line(self._running)
        if now - self._began > STEADY_S:
            self._wait_s = SHORTEST_WAIT_S

    def _start_one(self, now: float) -> None:
        again = self._began > 0
        self._began = self._answered = self._asked = now
        self._known = None
        # Also where it can't be started it isn't tried at once again.
        self._next_start = now + self._wait_s
        self._running = DeployedSuperLink(self._files, self._port())
        self._note(
            SuperLinkPhase.STARTING,
            address=self._running.address,
            pid=self._running.pid,
            restarts=self._state.restarts + again,
        )

    def _await_answer(self, running: DeployedSuperLink, now: float) -> None:
        if running.healthy():
            self._answered = now
            self._note(SuperLinkPhase.REGISTERING)
            self._bring_in_line(running)
        elif now - self._began > START_LIMIT_S:
            self._put_down(f"it didn't come up; its log is {self._files.log}", failed=True)

    def _is_silent(self, running: DeployedSuperLink, now: float) -> bool:
        if now - self._asked >= ASKED_EVERY_S:
            self._asked = now
            if running.healthy():
                self._answered = time.monotonic()
        return now - self._answered > SILENT_S

    def _bring_in_line(self, running: DeployedSuperLink) -> None:
        wanted = frozenset(self._node_keys())
        if wanted == self._known and self._state.phase is SuperLinkPhase.READY:
            return
        found: RegisteredNodes = bring_in_line(
            running.address,
            self._files.authority,
            sorted(wanted),
            environment=self._files.environment(),
        )
        self._known = wanted
        self._restart = bool(found.spent)
        self._note(SuperLinkPhase.READY, members=len(wanted) - len(found.spent), problem="")

    def _put_down(self, why: str, *, wait_s: float | None = None, failed: bool = False) -> None:
        """End what is left of it, and have it started again after a while."""
        assert self._running is not None, "what is put down was started"
        if failed or wait_s is None:
            LOG.warning("the SuperLink is started again: %s", why)
        self._running.end()
        self._running = None
        self._next_start = time.monotonic() + (self._wait_s if wait_s is None else wait_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        self._note(SuperLinkPhase.WAITING, address="", pid=None, problem=why)

    def _note(self, phase: SuperLinkPhase, **changes: object) -> None:
        since = self._state.since if phase is self._state.phase else utc_now()
        self._state = replace(self._state, phase=phase, since=since, **changes)  # type: ignore[arg-type]
        self._write_down()

    def _write_down(self) -> None:
        """Keep how it stands for commands beside the service."""
        with suppress(OSError):
            content = json.dumps(asdict(self._state), indent=2).encode()
            write_whole(self._files.home.parent / STATE_FILE, content)

    def _note_problem(self, text: str) -> None:
        if text != self._state.problem:
            LOG.warning("the SuperLink: %s", text)
            self._state = replace(self._state, problem=text)
            self._write_down()

    def _port(self) -> int:
        """Give the port that it had, so that commands find it again; another one if it is taken."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = (self._files.home / "config.toml").read_text(encoding="utf-8")
            address = str(tomllib.loads(content)["superlink"][CONNECTION]["address"])
            port = int(address.rpartition(":")[2])
            with socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((HOST, port))
            return port
        return free_ports(1)[0]
