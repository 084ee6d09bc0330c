"""The workloads that there are: a row each, with where its parts are and what it is trained by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkloadRow:
    """A workload.

    Parameters
    ----------
    workload : str
        Place of its `Workload`, like "glean.iris.workload:IRIS": imported when it is used.
    conclusion : str
        Place of its `Conclusion`: what the end of a run writes.
    aggregations : tuple of str
        Those that its model can be trained by; the first one is taken for a run that is set to
        another. Empty: all.
    """

    workload: str
    conclusion: str
    aggregations: tuple[str, ...] = ()


DEFAULT_WORKLOAD = "demand"

WORKLOADS = {
    DEFAULT_WORKLOAD: WorkloadRow(
        "glean.demand.workload:DEMAND", "glean.demand.conclusion:CONCLUSION"
    ),
    "iris": WorkloadRow(
        "glean.iris.workload:IRIS", "glean.evaluation.plain_conclusion:CONCLUSION", ("fedavg",)
    ),
}
"""Name in the run config -> row."""
