"""Samples in the text that Prometheus reads; the one importer of its client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from glean.errors import GleanError
from glean.installed_packages import check_installed
from glean.observability.metrics import Metric, MetricKind, Sample

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    MetricFamily = CounterMetricFamily | GaugeMetricFamily

ReadSamples = Callable[[], Iterable[Sample]]


@dataclass(frozen=True)
class Rendered:
    """An answer to a scrape.

    Parameters
    ----------
    content : bytes
        All metrics.
    media_type : str
        Which of Prometheus's formats it is.
    """

    content: bytes
    media_type: str


class Exposition:
    """Metrics that are read whenever somebody scrapes them, and those of the process itself.

    Parameters
    ----------
    metrics : sequence of Metric
        Which there are; one without samples just now is shown without any.
    read : callable
        Gives the samples of now.

    Raises
    ------
    GleanError
        Prometheus's client isn't installed.
    """

    def __init__(self, metrics: Sequence[Metric], read: ReadSamples) -> None:
        check_installed("prometheus_client", extra="observability")
        from prometheus_client import CollectorRegistry, ProcessCollector

        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_SampleCollector(metrics, read))
        ProcessCollector(registry=self._registry)

    def render(self, accept: str = "") -> Rendered:
        """Write all of them.

        Parameters
        ----------
        accept : str
            The scraper's `Accept` header: it may ask for OpenMetrics.
        """
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(accept)
        return Rendered(encode(self._registry), media_type)

    def listen(self, port: int, host: str) -> Callable[[], None]:
        """Answer scrapes at a port, without a token; gives what ends that.

        Raises
        ------
        GleanError
            It can't listen there.
        """
        from prometheus_client import start_http_server

        try:
            server, thread = start_http_server(port, addr=host, registry=self._registry)
        except OSError as error:
            raise GleanError(
                f"--metrics-port: can't listen at {host}, port {port}: {error.strerror}; wanted a "
                "free one, at an address of this machine's by --metrics-host"
            ) from error

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close


class _SampleCollector:
    """A collector of the client's, which asks for samples at each scrape."""

    def __init__(self, metrics: Sequence[Metric], read: ReadSamples) -> None:
        self._metrics = metrics
        self._read = read

    def describe(self) -> Iterator[MetricFamily]:
        """Name the metrics without reading them."""
        return (_family_of(metric) for metric in self._metrics)

    def collect(self) -> Iterator[MetricFamily]:
        """Read the samples, in the order of the metrics."""
        order = {metric.name: place for place, metric in enumerate(self._metrics)}
        samples = sorted(self._read(), key=lambda sample: order[sample.metric.name])
        found = {name: list(group) for name, group in groupby(samples, lambda one: one.metric.name)}
        for metric in self._metrics:
            family = _family_of(metric)
            for sample in found.get(metric.name, []):
                values = [sample.labels[label] for label in metric.labels]
                family.add_metric(values, sample.value)
            yield family


def _family_of(metric: Metric) -> MetricFamily:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.meaning, labels=metric.labels)
