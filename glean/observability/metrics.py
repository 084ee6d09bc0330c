"""The metrics that there are: name, kind, unit and meaning of each, once, for code and docs.

No metric has the name of a bakery, a run or a person as a label: each value of a label is a time
series of its own in Prometheus, and those names are without end. Labels have values of the code's
own lists only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class MetricKind(StrEnum):
    """How a metric's value moves."""

    GAUGE = "gauge"
    COUNTER = "counter"


@dataclass(frozen=True)
class Metric:
    """A metric.

    Parameters
    ----------
    name : str
        As Prometheus shows it, with its unit; that of a counter ends with `_total`.
    kind : MetricKind
        Whether it goes up and down, or up only from the start of its process.
    meaning : str
        What it counts or measures, a phrase.
    labels : tuple of str
        What tells its time series apart.
    """

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What a metric is now.

    Parameters
    ----------
    metric : Metric
        Which one.
    value : float
        In its unit.
    labels : mapping of str to str
        A value for each of its labels.
    """

    metric: Metric
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.GAUGE, meaning, labels)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name, MetricKind.COUNTER, meaning, labels)


BUILD = _gauge("glean_build_info", "always 1, with the version of Glean", "version")
STARTED = _gauge("glean_start_time_seconds", "when the process began, as a Unix time")
HEALTHY = _gauge(
    "glean_healthy", "1 where `/readyz` finds nothing wrong with a part, else 0", "part"
)
READY = _gauge("glean_ready", "1 where the service can do its work, else 0")
RUNS = _gauge("glean_runs", "runs in the list by how they stand", "status")
RUNS_ENDED = _counter(
    "glean_runs_ended_total", "runs that ended since the service began, by how", "status"
)
WAITING = _gauge("glean_queue_waiting", "runs that wait for their turn")
QUEUE_LIMIT = _gauge("glean_queue_limit", "how many may wait; more are refused")
LONGEST_WAIT = _gauge(
    "glean_queue_longest_wait_seconds", "how long ago the oldest run that waits was asked for"
)
LONGEST_SILENCE = _gauge(
    "glean_runs_longest_silence_seconds",
    "of the runs that go on, the longest time since one wrote an event",
)
TAKING_PART = _gauge("glean_bakeries_taking_part", "bakeries (clients) of the runs that go on")
ROUNDS = _counter(
    "glean_rounds_total", "rounds that ended since the service began, of all runs", "workload"
)
ROUND_SECONDS = _counter(
    "glean_round_seconds_total", "how long these rounds took, added up", "workload"
)
BYTES = _counter(
    "glean_bytes_total",
    "payload of these rounds, down to bakeries and up from them",
    "direction",
)
MEMBERS = _gauge(
    "glean_members", "bakeries of the federation that is served, by how they stand", "state"
)
ALERTS_WAITING = _gauge("glean_alerts_waiting", "alerts that no webhook has taken yet")
WORKERS = _gauge(
    "glean_workers",
    "workers that are there, with a run or without one, and those that went without a word",
    "state",
)
GIVEN_UP = _gauge("glean_runs_given_up", "runs in the list that were cut off too often")
OUTBOX_WAITING = _gauge("glean_outbox_waiting", "events of runs that no broker has confirmed yet")
OUTBOX_LONGEST_WAIT = _gauge(
    "glean_outbox_longest_wait_seconds", "how long ago the oldest of these happened"
)
FREE_BYTES = _gauge("glean_results_free_bytes", "room on the disk of the results")

WORKER_BUSY = _gauge("glean_worker_busy", "1 while the worker has a run, else 0")
WORKER_RUNS = _counter("glean_worker_runs_total", "runs that the worker took since it began")

WORKER_METRICS = (BUILD, STARTED, WORKER_BUSY, WORKER_RUNS)
"""Of `glean worker --metrics-port`."""

SERVICE_METRICS = (
    BUILD,
    STARTED,
    READY,
    HEALTHY,
    RUNS,
    RUNS_ENDED,
    WAITING,
    QUEUE_LIMIT,
    LONGEST_WAIT,
    LONGEST_SILENCE,
    TAKING_PART,
    ROUNDS,
    ROUND_SECONDS,
    BYTES,
    WORKERS,
    GIVEN_UP,
    OUTBOX_WAITING,
    OUTBOX_LONGEST_WAIT,
    MEMBERS,
    ALERTS_WAITING,
    FREE_BYTES,
)
"""Of `glean serve`."""
