"""docs/observability.md names the metrics and fields of logs that there are, as the code does."""

from __future__ import annotations

import re
from pathlib import Path

from glean.observability.log_context import FIELDS
from glean.observability.metrics import SERVICE_METRICS, WORKER_METRICS, Metric, MetricKind

DOCS = Path(__file__).parents[2] / "docs" / "observability.md"

METRICS = (*SERVICE_METRICS, *(one for one in WORKER_METRICS if one not in SERVICE_METRICS))


def documented(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |"


def test_the_table_is_the_code_s() -> None:
    """Each metric with its kind, labels and meaning, in the code's order; none that has gone."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| `glean_")]
    assert table == [documented(metric) for metric in METRICS]


def test_the_table_of_log_fields_is_the_code_s() -> None:
    """Each field with its meaning."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    start = lines.index("| field of a line | meaning |") + 2
    table = lines[start : start + len(FIELDS) + 1]
    assert table == [*(f"| `{name}` | {meaning} |" for name, meaning in FIELDS.items()), ""]


def test_names_are_as_prometheus_wants_them() -> None:
    """Base units, `_total` for counters and for nothing else, one prefix, no name twice."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"glean(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert not re.search("milli|minute|hour|_ms|_mb|kilo", metric.name), "base units"


def test_nothing_without_end_is_a_label() -> None:
    """Each value is a time series for good: bakeries, runs and people are none."""
    bounded = {"version", "part", "status", "workload", "direction", "state"}
    assert {label for metric in METRICS for label in metric.labels} <= bounded
