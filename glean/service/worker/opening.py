"""A worker put together: its database is waited for, its folder of results checked."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from importlib.util import find_spec
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from glean.broker.connection import BrokerConnection
from glean.broker.run_consumer import RunConsumer
from glean.errors import GleanError
from glean.service.runs.leases import ENGINES, Leases
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database, reason_of
from glean.service.store.service_facts import ServiceFacts, read_id
from glean.service.worker.broker_source import BrokerSource
from glean.service.worker.run_exchange import RunExchange, SharedResults
from glean.service.worker.run_source import DatabaseSource, RunSource
from glean.service.worker.settings import WorkerSettings
from glean.service.worker.stored_results import StoredResults
from glean.service.worker.worker import Worker
from glean.service.worker.worker_metrics import told_at
from glean.storage.store import open_storage

LOG = logging.getLogger("glean.service")

_RETRY_S = 1.0


def run_worker(settings: WorkerSettings, ready: Callable[[], None]) -> None:
    """Work until SIGTERM or Ctrl-C.

    Parameters
    ----------
    settings : WorkerSettings
        How the worker is set up.
    ready : callable
        Told once it looks for runs.

    Raises
    ------
    GleanError
        Its folder of results isn't the service's.
    """
    end = threading.Event()
    database = Database(settings.database)
    try:
        with _ended_by_signals(end.set):
            service_id = _wait_for_the_service(database, end)
            if end.is_set():
                return
            exchange = _exchange(settings, service_id)
            worker = _worker(settings, database, exchange, end)
            with told_at(settings.metrics_port, worker, settings.metrics_host):
                ready()
                worker.work()
    finally:
        database.close()


def engines_here() -> tuple[str, ...]:
    """Say which engines' runs this environment can do."""
    return tuple(one for one in ENGINES if one != "ray" or find_spec("ray") is not None)


def _worker(
    settings: WorkerSettings, database: Database, exchange: RunExchange, end: threading.Event
) -> Worker:
    leases = Leases(database, lease_s=settings.lease_s)
    source = _source(settings, database, leases)
    return Worker(settings, database, source, exchange, end)


def _source(settings: WorkerSettings, database: Database, leases: Leases) -> RunSource:
    if settings.broker is None:
        return DatabaseSource(leases, settings.name, engines_here())
    consumer = RunConsumer(BrokerConnection(settings.broker))
    return BrokerSource(consumer, database, leases, settings.name, engines_here())


def _wait_for_the_service(database: Database, end: threading.Event) -> str:
    """Wait until the database answers and a service has run over it; the service's id."""
    facts, said = ServiceFacts(database), ""
    while not end.is_set():
        try:
            if service_id := facts.service_id:
                return service_id
            why = "no service has used the database yet"
        except SQLAlchemyError as error:
            why = f"the database can't be used, and is waited for: {reason_of(error)}"
        if why != said:
            LOG.warning("%s", why)
        said = why
        end.wait(_RETRY_S)
    return ""


def _exchange(settings: WorkerSettings, service_id: str) -> RunExchange:
    """Choose how runs come and go; refuse to write them where the service won't find them."""
    found = read_id(ServiceSettings(settings.results).id_file)
    if found == service_id:
        return SharedResults(settings.results)  # what is to be stored of them the service sends
    if settings.storage and not found:
        return StoredResults(settings.results, open_storage(settings.storage))
    raise GleanError(
        f"--results {settings.results}: found {'another' if found else 'no'} service's folder; "
        "wanted the folder of results of the service that has this database, as `glean serve "
        "--results` was told, or a folder of its own and the service's --storage URL"
    )


class _ended_by_signals:  # noqa: N801 # reads as a word of the `with`
    """Let SIGTERM and Ctrl-C end the work of the body in an orderly way."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> None:
        def handle(_number: int, _frame: FrameType | None) -> None:
            self._end()

        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
