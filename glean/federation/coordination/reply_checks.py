"""Checks of replies: what a bakery sent is taken only if it can be trusted and fits the run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from glean.aggregation import refit
from glean.aggregation.update import TreeUpdate, Update, read_tree_update
from glean.errors import FederationError, ModelError
from glean.federation.wire.messages import TrainReply, identity_of
from glean.federation.wire.sum_messages import SumReply
from glean.federation.wire.sum_request import SumRequest
from glean.learning.bin_layout import BinLayout
from glean.learning.forest import Forest
from glean.learning.structure import check_public_edges
from glean.metric_sums import MetricSums
from glean.runs.code_version import check_code
from glean.settings import RunSettings

LARGEST_WEIGHT = 1e15
"""More than any bakery sells in units or money; a share of it can still be computed."""

_DEVICE = re.compile(r"cpu|cuda(:[0-9]+)?")


class Reply(Protocol):
    """Whatever a bakery replies says who it is and what code it runs."""

    @property
    def bakery(self) -> str:
        """Its name."""

    @property
    def code(self) -> str:
        """Its `code_fingerprint`."""


def check_sender(name: str, reply: Reply) -> None:
    """Refuse a reply of other code or of another bakery.

    Raises
    ------
    FederationError
        Says which.
    """
    check_code(reply.code)
    if reply.bakery != name:
        raise FederationError(f"the reply says it comes from {reply.bakery!r:.80}; wanted {name!r}")


def check_sum_reply(
    reply: SumReply, request: SumRequest, *, identity: str, metrics: type[MetricSums]
) -> None:
    """Refuse a reply to a sum request that has what wasn't asked for, or lacks what was.

    Its vector is none of this: masked ones are checked where they are summed.

    Raises
    ------
    ModelError
        Says what.
    """
    if request.contributes and reply.spec != identity:
        raise ModelError(f"found features {reply.spec[:12]}; another feature definition")
    if reply.device:
        _check_device(reply.device)
    if request.with_scores and not reply.lacks_keys:
        metrics.from_values(reply.sums)
    if bool(reply.sums) and not request.with_scores:
        raise ModelError("found scores that weren't asked for")


def check_length(vector: bytes, length: int) -> None:
    """Refuse a vector that isn't of so many words.

    Raises
    ------
    ModelError
        Says how long it is.
    """
    if len(vector) != 8 * length:
        raise ModelError(f"found a vector of {len(vector)} bytes; wanted {8 * length}")


@dataclass(frozen=True)
class TreeChecks:
    """Checks of trees that bakeries send.

    Parameters
    ----------
    settings : RunSettings
        The run's settings.
    spec : str
        The federation's.
    layout : BinLayout
        Where trees may split.
    """

    settings: RunSettings
    spec: str
    layout: BinLayout

    @cached_property
    def identity(self) -> str:
        """What replies name the spec by."""
        return identity_of(self.spec)

    def update_of(self, reply: TrainReply) -> TreeUpdate:
        """Read the trees that a bakery sent.

        Raises
        ------
        ModelError
            They can't be trusted or don't fit the federation.
        """
        self._check_origin(reply)
        if not 0 < reply.weight <= LARGEST_WEIGHT:
            raise ModelError(
                f"found weight {reply.weight}; wanted one above 0, up to {LARGEST_WEIGHT:g}"
            )
        trees = self._trees(reply.model)
        check_public_edges(trees, self.layout)
        return Update(reply.bakery, reply.weight, trees)

    def structure_of(self, reply: SumReply) -> Forest:
        """Read the structures that a bakery proposed.

        Raises
        ------
        ModelError
            They can't be trusted or don't fit the federation, or are more than structures.
        """
        self._check_origin(reply)
        return refit.checked_structure(self._trees(reply.proposal), self.layout)

    def _check_origin(self, reply: TrainReply | SumReply) -> None:
        if reply.spec != self.identity:
            raise ModelError(
                f"found features {reply.spec[:12]}; wanted {self.identity[:12]}: the sender uses "
                "another feature definition"
            )
        _check_device(reply.device)
        if self.settings.tree_device == "gpu" and reply.device == "cpu":
            raise ModelError("found trees grown on the CPU; wanted a GPU, as device says")

    def _trees(self, content: bytes) -> Forest:
        boosting = self.settings.boosting
        return read_tree_update(
            content,
            definition_identity=self.identity,
            objective=boosting.objective,
            trees=boosting.trees_per_round * boosting.num_parallel_tree,
        )


def _check_device(device: str) -> None:
    if not _DEVICE.fullmatch(device):
        raise ModelError(f"found device {device!r:.80}; wanted cpu or like cuda:0")
