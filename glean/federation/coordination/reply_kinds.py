"""The kinds of replies that the server asks for: of all, and of a task about a model."""

from __future__ import annotations

from typing import TypeVar

from glean.federation.wire.messages import EvaluateReply, FinalReply, JobReply, TrainReply
from glean.federation.wire.sum_messages import KeyReply, SumReply, UnmaskResult

ModelReply = TypeVar("ModelReply", TrainReply, JobReply, EvaluateReply, SumReply)
AnyReply = TypeVar(
    "AnyReply", TrainReply, JobReply, EvaluateReply, SumReply, FinalReply, KeyReply, UnmaskResult
)
