"""What the routes of a service work with, made once and put together here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, WebSocket

from glean.errors import GleanError
from glean.federation_folder import FederationFolder
from glean.languages.language import LanguageCode
from glean.observability.health import HealthChecks
from glean.operations.machine_load import LoadMeter
from glean.operations.rehearsal.detached_rehearsal import DetachedRehearsal
from glean.operations.worker_pool import WorkerPool
from glean.service.accounts.attempts import FailedAttempts
from glean.service.accounts.audit_log import AuditLog
from glean.service.accounts.sessions import Sessions
from glean.service.accounts.tokens import Tokens
from glean.service.alerts.absence_watch import AbsenceWatch
from glean.service.alerts.outbox import AlertOutbox
from glean.service.alerts.webhooks import webhook
from glean.service.data.datasets import Datasets
from glean.service.data.models import ModelRegistry
from glean.service.data.registry_thread import RegistryThread, registry_thread
from glean.service.membership.invitations import Invitations
from glean.service.membership.member_states import counted, standings
from glean.service.membership.members import Members
from glean.service.metrics.service_metrics import ServiceMetrics
from glean.service.results_disk import disk_problem
from glean.service.runs.broker_publisher import BrokerPublisher, broker_publisher
from glean.service.runs.digests import RunDigests
from glean.service.runs.discovery import RunDiscovery
from glean.service.runs.event_tail import EventTails
from glean.service.runs.known_bakeries import KnownBakeries, KnownBakery
from glean.service.runs.queue import RunQueue
from glean.service.runs.reports import RunReports
from glean.service.runs.status import RunStatus
from glean.service.runs.supervisor import Supervisor
from glean.service.runs.worker_list import WorkerList
from glean.service.runs.worker_watch import WorkerWatch
from glean.service.settings import ServiceSettings
from glean.service.storage_sync import StorageSync
from glean.service.store.database import Database
from glean.service.store.run_defaults import RunDefaults
from glean.service.store.service_facts import ServiceFacts
from glean.service.store.waiting import wait_until_there
from glean.service.superlink.state_file import SuperLinkStateFile
from glean.service.superlink.superlink_supervisor import SuperLinkSupervisor, superlink_of
from glean.storage.store import open_storage


@dataclass(frozen=True)
class Services:
    """The parts of a service.

    Parameters
    ----------
    settings : ServiceSettings
        How it is set up.
    database : Database
        Up to date.
    tokens, sessions, attempts, audit_log
        Who may do what, and who did.
    alerts : AlertOutbox
        What is told by webhook.
    discovery, queue, supervisor, tails
        Its runs.
    bakeries : KnownBakeries
        Who took part in them.
    defaults : RunDefaults
        Settings of new runs.
    datasets, models, digests, reports
        What runs learn from, what they made, what they came to, and their reports.
    members : Members or None
        Who belongs to the federation that it serves; None where it serves none.
    superlink : SuperLinkSupervisor or None
        Looks after the federation's SuperLink; None where it serves none.
    invitations, join_attempts
        Who was invited, and who showed wrong invitations.
    rehearsal : DetachedRehearsal
        A whole federation on this machine, to try.
    meter : LoadMeter
        How busy this machine is.
    workers : WorkerPool
        For what needs pandas, Flower or XGBoost.
    broker : BrokerPublisher or None
        Sends runs and events to a broker; None where there is none.
    health, metrics
        What is broken, and what an operator counts.
    storage : StorageSync or None
        Sends runs and tables to a store; None where there is none.
    """

    settings: ServiceSettings
    database: Database
    tokens: Tokens
    sessions: Sessions
    attempts: FailedAttempts
    audit_log: AuditLog
    alerts: AlertOutbox
    discovery: RunDiscovery
    queue: RunQueue
    supervisor: Supervisor
    tails: EventTails
    bakeries: KnownBakeries
    defaults: RunDefaults
    datasets: Datasets
    models: ModelRegistry
    digests: RunDigests
    members: Members | None
    superlink: SuperLinkSupervisor | None
    invitations: Invitations
    join_attempts: FailedAttempts
    rehearsal: DetachedRehearsal
    meter: LoadMeter
    reports: RunReports
    workers: WorkerPool
    health: HealthChecks
    metrics: ServiceMetrics
    broker: BrokerPublisher | None = None
    storage: StorageSync | None = None
    registry: RegistryThread | None = None

    def score_of(self, bakery: KnownBakery, code: LanguageCode = "en") -> float | None:
        """WAPE of what a bakery bakes by, on its last run's test days; None where it keeps that."""
        run = bakery.last_run
        completed = run.row.status == RunStatus.COMPLETED
        digest = self.digests.of(run.folder, code) if completed else None
        scores = digest.by_bakery.get(bakery.name, {}) if digest else {}
        return scores.get("chosen", scores.get("federated"))

    def say_what_holds(self) -> None:
        """Tell workers, as the service begins, whether events shall be kept for a broker."""
        ServiceFacts(self.database).keep_events(yes=self.broker is not None)

    def close(self) -> None:
        """End what this process does; runs go on."""
        self.supervisor.stop()
        if self.superlink is not None:
            self.superlink.stop()
        self.alerts.stop()
        if self.broker is not None:
            self.broker.stop()
        if self.storage is not None:
            self.storage.stop()
        if self.registry is not None:
            self.registry.stop()
        self.workers.close()
        if self.members is not None:
            self.members.close()
        self.database.close()


def open_services(settings: ServiceSettings) -> Services:
    """Open a service's database, make its folders, and put its parts together.

    Raises
    ------
    GleanError
        The database or the folder of the results can't be used, or one isn't the other's.
    """
    _make_folders(settings)
    database = _open_database(settings)
    tokens = Tokens(database)
    alerts = AlertOutbox(database, [webhook(url) for url in settings.webhooks])
    discovery = RunDiscovery(database, settings, alerts)
    queue = RunQueue(database, settings)
    bakeries = KnownBakeries(database, settings)
    worker_watch = WorkerWatch(database, settings)
    watch = AbsenceWatch(database, bakeries, alerts, days=settings.missing_days)
    workers = WorkerPool()
    datasets = Datasets(settings, workers)
    datasets.clear_leftovers()
    members = None if settings.federation is None else _members_of(settings.federation)
    superlink = None if members is None else superlink_of(members, settings.results)
    invitations, health = Invitations(database), _health_of(settings, database)
    models, audit_log = ModelRegistry(database, settings), AuditLog(database)
    count_members = None if members is None else lambda: counted(standings(members, invitations))
    storage = _storage_of(settings, database, health)
    registry = registry_thread(settings, models, audit_log, health)
    return Services(
        settings=settings,
        database=database,
        tokens=tokens,
        sessions=Sessions(database, tokens),
        attempts=FailedAttempts(),
        audit_log=audit_log,
        alerts=alerts,
        discovery=discovery,
        queue=queue,
        supervisor=Supervisor(
            discovery, queue, watch, [worker_watch.look, *_looks(members, superlink)]
        ),
        tails=EventTails(),
        bakeries=bakeries,
        defaults=RunDefaults(database),
        datasets=datasets,
        models=models,
        digests=RunDigests(workers),
        members=members,
        superlink=superlink,
        invitations=invitations,
        join_attempts=FailedAttempts(),
        rehearsal=DetachedRehearsal(settings.home / "rehearsal"),
        meter=LoadMeter(),
        reports=RunReports(workers),
        workers=workers,
        health=health,
        metrics=ServiceMetrics(database, settings, health, count_members),
        broker=broker_publisher(database, settings, health),
        storage=storage,
        registry=registry,
    )


def adopt_folder(settings: ServiceSettings) -> None:
    """Have a database belong to the folder of the results, whichever folder it belonged to.

    Raises
    ------
    GleanError
        The database or the folder can't be used.
    """
    _make_folders(settings)
    _open_database(settings, anew=True).close()


def _make_folders(settings: ServiceSettings) -> None:
    try:
        for folder in (settings.requests, settings.datasets):
            folder.mkdir(parents=True, exist_ok=True)
        settings.home.chmod(0o700)
    except OSError as error:
        raise GleanError(f"can't keep anything in {settings.home}: {error.strerror}") from error


def _open_database(settings: ServiceSettings, *, anew: bool = False) -> Database:
    database = Database(settings.database_url)
    wait_until_there(database)
    database.upgrade()
    try:
        ServiceFacts(database).settle_id(settings.id_file, anew=anew)
    except GleanError:
        database.close()
        raise
    except OSError as error:
        database.close()
        raise GleanError(f"can't keep anything in {settings.home}: {error.strerror}") from error
    return database


def _health_of(settings: ServiceSettings, database: Database) -> HealthChecks:
    """Check what it works with; a part that is set up by a URL adds its check here."""
    health = HealthChecks()
    health.add("database", database.check, needed=True)
    health.add("results", lambda: disk_problem(settings), needed=True)
    if settings.runs_at_once == 0:
        health.add("workers", WorkerList(database).problem)
    return health


def _storage_of(
    settings: ServiceSettings, database: Database, health: HealthChecks
) -> StorageSync | None:
    if not settings.storage:
        return None
    storage = StorageSync(database, settings, open_storage(settings.storage))
    health.add("storage", storage.problem)
    return storage


def _looks(
    members: Members | None, superlink: SuperLinkSupervisor | None
) -> list[Callable[[], None]]:
    """Give what is looked at again and again: the command line changes members, too."""
    if members is None or superlink is None:
        return []
    return [members.refresh, SuperLinkStateFile(members.folder, superlink).write]


def _members_of(folder: Path) -> Members:
    members = Members(FederationFolder(folder))
    members.settle()
    return members


def services_of(request: Request) -> Services:
    """Give the parts of the service that a request came to."""
    services: Services = request.app.state.services
    return services


def services_of_socket(socket: WebSocket) -> Services:
    """Give the parts of the service that a WebSocket came to."""
    services: Services = socket.app.state.services
    return services
