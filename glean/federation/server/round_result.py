"""What came of the training of one round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.metric_rounds import Scores


@dataclass(frozen=True)
class RoundResult:
    """The next model and how it came about.

    Parameters
    ----------
    model : GlobalModel
        The global model after the round.
    asked : int
        Bakeries that were asked to learn.
    replies : int
        Those of them whose reply is in the model; 0 of a round that is given up.
    state : bytes
        The strategy's own state after the round; empty for one that has none.
    scores_before : mapping of str to MetricSums
        Scores of the model that the round began with, where they came along; else empty.
    learned : mapping of str to int
        Whose updates are in a model that is made of one sum -> how many rounds before they began;
        else empty.
    virtual_seconds : float or None
        How long the round took on the virtual clock, where its strategy keeps one.
    """

    model: GlobalModel
    asked: int
    replies: int
    state: bytes = b""
    scores_before: Scores = field(default_factory=dict)
    learned: Mapping[str, int] = field(default_factory=dict)
    virtual_seconds: float | None = None
