"""What Prometheus reads of a worker, at a port of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glean import __version__
from glean.observability import metrics
from glean.observability.exposition import Exposition
from glean.observability.metrics import Sample
from glean.service.worker.settings import METRICS_HOST
from glean.service.worker.worker import Worker


@contextmanager
def told_at(port: int | None, worker: Worker, host: str = METRICS_HOST) -> Iterator[None]:
    """Answer scrapes while the body works; None: there is no port.

    Raises
    ------
    GleanError
        It can't listen there, or Prometheus's client isn't installed.
    """
    if port is None:
        yield
        return
    close = Exposition(metrics.WORKER_METRICS, _samples_of(worker)).listen(port, host)
    try:
        yield
    finally:
        close()


def _samples_of(worker: Worker) -> Callable[[], Iterator[Sample]]:
    began = time.time()

    def read() -> Iterator[Sample]:
        yield Sample(metrics.BUILD, 1, {"version": __version__})
        yield Sample(metrics.STARTED, began)
        yield Sample(metrics.WORKER_BUSY, worker.busy)
        yield Sample(metrics.WORKER_RUNS, worker.taken)

    return read
