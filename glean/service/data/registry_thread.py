"""What a service tells a registry of models (MLflow), and what it hears from there.

A thread and a process beside the service: it looks again and again which runs the registry hasn't,
and whether the alias `production` still means what the control room has in production. Nobody waits
for it, and a registry that is down is asked again.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from glean.errors import GleanError
from glean.observability.health import HealthChecks
from glean.operations.registry.following import send_apart
from glean.operations.registry.sending import Registry, Sent, look_at_production
from glean.operations.worker_pool import WorkerPool
from glean.registry.production_alias import ProductionLook
from glean.registry.registry_address import shown_address
from glean.runs.folder import write_whole
from glean.runs.index import run_folders
from glean.service.accounts.audit_log import AuditLog
from glean.service.data.models import PRODUCTION, ModelRegistry
from glean.service.problems import ProblemError
from glean.service.settings import ServiceSettings

LOG = logging.getLogger("glean.service")

EVERY_S = 5.0
LONGEST_PAUSE_S = 60.0

SEND_S = 20.0
"""After how long in one look no further run is begun with: the alias and the service's end wait."""

REFUSED_S = 300.0
"""After how long what was refused is tried again: a disk isn't full for good."""

BY = "mlflow"
"""Who promoted a model, where its alias was moved in the registry."""


class RegistryThread:
    """Keeps a registry and a service of one mind.

    Parameters
    ----------
    settings : ServiceSettings
        Where the runs are.
    registry : Registry
        Which registry.
    models : ModelRegistry
        The versions of the model.
    audit_log : AuditLog
        Told of what was promoted in the registry.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        registry: Registry,
        models: ModelRegistry,
        audit_log: AuditLog,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._models = models
        self._audit_log = audit_log
        self._pool = WorkerPool()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="registry", daemon=True)
        self._done: set[str] = set()
        self._refused: dict[str, tuple[str, float]] = {}
        self._not_followed = ""
        self._problem = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what wasn't sent is sent after the next start."""
        self._end.set()
        self._pool.close()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> str:
        """Say what is wrong with the registry, as far as the last look knows."""
        return self._problem

    def look_once(self) -> None:
        """Send what the registry hasn't, the oldest run first, and compare what is in production.

        Raises
        ------
        GleanError
            The registry can't be reached.
        """
        now = time.monotonic()
        settled = self._done | {name for name, (_, until) in self._refused.items() if now < until}
        folders = [f for f in run_folders(self._settings.results) if f.name not in settled]
        if folders:
            self._note(self._pool.run(send_apart, folders, self._registry, SEND_S))
        self._compare_production()

    def _note(self, sent: Sent) -> None:
        self._done.update(sent.done)
        for name, why in sent.refused:
            if self._refused.get(name, ("", 0.0))[0] != why:
                LOG.warning("run %s isn't sent to the registry: %s", name, why)
            self._refused[name] = why, time.monotonic() + REFUSED_S
        if sent.down:
            raise GleanError(sent.down)

    def _compare_production(self) -> None:
        here, agreed = self._in_production(), self._agreed()
        found = self._pool.run(look_at_production, self._registry, here, agreed)
        if found.stranger:
            what = f"version {found.stranger}, which no run of Glean's made,"
            self._say_once(what, "there is no such model here")
        elif not found.promote:
            self._not_followed = ""
        elif self._in_production() == here:  # else somebody promoted another one meanwhile
            found = self._promote(found.promote, found.agreed)
        if found.agreed != agreed:
            self._write_agreed(found.agreed)

    def _in_production(self) -> str:
        if not self._models.current():
            return ""
        try:
            return self._models.find(PRODUCTION).run.flower_id
        except ProblemError:
            return ""  # somebody deleted its files

    def _promote(self, run_id: str, agreed: str) -> ProductionLook:
        """Follow the alias, if that model is here and can be put into production."""
        try:
            version = self._models.promote(run_id, by=BY)
        except ProblemError as error:
            self._say_once(f"the model of run {run_id}", str(error))
            return ProductionLook(agreed)
        self._audit_log.note(BY, "model.promote", version.run.id)
        return ProductionLook(run_id)

    def _say_once(self, what: str, why: str) -> None:
        if what != self._not_followed:
            LOG.warning("the registry has %s in production; here it can't be: %s", what, why)
        self._not_followed = what

    def _agreed(self) -> str:
        """Give what both had in production; "" where that was another registry, or never."""
        try:
            found = json.loads(self._agreed_file.read_bytes())
            return str(found["production"]) if found["with"] == self._with else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _write_agreed(self, run_id: str) -> None:
        content = json.dumps({"production": run_id, "with": self._with})
        write_whole(self._agreed_file, content.encode())

    @property
    def _with(self) -> list[str]:
        return [shown_address(self._registry.address), self._registry.model]

    @property
    def _agreed_file(self) -> Path:
        return self._settings.home / "registry.json"

    def _look(self) -> None:
        pause = EVERY_S
        while not self._end.wait(pause):
            pause = EVERY_S if self._looked() else min(2 * pause, LONGEST_PAUSE_S)

    def _looked(self) -> bool:
        """Look; whether the registry was there."""
        problem = ""
        try:
            self.look_once()
        except GleanError as error:
            problem = str(error)
        except (SQLAlchemyError, OSError) as error:
            LOG.warning("the registry waits: %s", error)
        except Exception:
            LOG.exception("the registry waits")  # the thread must not end
        if problem and problem != self._problem and not self._end.is_set():
            LOG.warning("%s; what it hasn't is sent once it is back", problem)
        self._problem = problem
        return not problem


def registry_thread(
    settings: ServiceSettings, models: ModelRegistry, audit_log: AuditLog, health: HealthChecks
) -> RegistryThread | None:
    """Make what looks after a service's registry, with its check; None where it has none."""
    if not settings.registry:
        return None
    registry = Registry(settings.registry, settings.registered_model)
    found = RegistryThread(settings, registry, models, audit_log)
    health.add("registry", found.check)
    return found
