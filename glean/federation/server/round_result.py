"""What came of the training of one round."""

from __future__ import annotations

from dataclasses import dataclass

from glean.federation.coordination.global_model import GlobalModel


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
        Those of them whose reply is in the model.
    state : bytes
        The strategy's own state after the round; empty for one that has none.
    """

    model: GlobalModel
    asked: int
    replies: int
    state: bytes = b""
