"""The workloads that there are: a row each, with where its parts are and what it is trained by."""

from __future__ import annotations

from dataclasses import dataclass

from glean.languages.vocabulary import BAKERIES, CLIENTS, Vocabulary


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
    by_steps : bool
        Whether its clients train by the settings of local training.
    learning_rate : float
        What is taken where a run is told none; 0: by the rule of its aggregation.
    chance_setback : float
        By which share a round may make the primary metric worse by chance; 0: as its aggregation
        says, which is measured on the demand.
    vocabulary : Vocabulary
        What its clients are called.
    audit : str
        Place of its `RunAudit`: the attacks of `glean audit`; empty: there are none.
    on_gpu : bool
        Whether its clients average weights that they can train on a GPU.
    exported : str
        Place of a function that writes weights in formats of other programs, suffix -> bytes, which
        stand beside each of a run's model files; "" for none.
    spent : str
        Place of a function of settings, mean training rows of a client (0: not known) and rounds:
        the epsilon that such a client has spent, None where it isn't known; "" for none.
    """

    workload: str
    conclusion: str
    aggregations: tuple[str, ...] = ()
    by_steps: bool = False
    learning_rate: float = 0.0
    chance_setback: float = 0.0
    vocabulary: Vocabulary = CLIENTS
    audit: str = ""
    on_gpu: bool = False
    exported: str = ""
    spent: str = ""


DEFAULT_WORKLOAD = "demand"

WORKLOADS = {
    DEFAULT_WORKLOAD: WorkloadRow(
        "glean.demand.workload:DEMAND",
        "glean.demand.conclusion:CONCLUSION",
        vocabulary=BAKERIES,
        audit="glean.audit.demand_audit:AUDIT",
    ),
    "images": WorkloadRow(
        "glean.images.workload:IMAGES",
        "glean.images.conclusion:CONCLUSION",
        ("fedavg", "fedprox", "fedadam", "fedyogi", "fedavgm"),
        by_steps=True,
        learning_rate=0.05,
        chance_setback=6.0,
        audit="glean.images.inversion.image_audit:AUDIT",
        on_gpu=True,
        exported="glean.images.networks.safetensors_file:exported",
        spent="glean.images.privacy.spent:spent_of_client",
    ),
    "iris": WorkloadRow(
        "glean.iris.workload:IRIS", "glean.evaluation.plain_conclusion:CONCLUSION", ("fedavg",)
    ),
}
"""Name in the run config -> row."""


def vocabulary_of(workload: object) -> Vocabulary:
    """Give a workload's vocabulary, by its name in a run config; of none the demand's."""
    row = WORKLOADS.get(str(workload or DEFAULT_WORKLOAD))
    return CLIENTS if row is None else row.vocabulary
