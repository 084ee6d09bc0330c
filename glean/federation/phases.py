"""The phases of a round: training by the run's aggregation, scoring, the final test.

What can't be trusted is left out and named. Where all that were asked went while they worked, those
who are there then are asked in their place.
"""

from __future__ import annotations

from typing import Protocol

from glean.federation.average_course import AverageCourse
from glean.federation.council import Council
from glean.federation.global_model import GlobalModel
from glean.federation.histogram_course import HistogramCourse
from glean.federation.merging_course import MergingCourse
from glean.federation.messages import FinalScores, FinalTask
from glean.federation.refit_course import RefitCourse
from glean.federation.steps import Steps
from glean.federation.trained import Trained
from glean.metrics import ErrorSums


class Course(Protocol):
    """How an aggregation trains and scores."""

    def train(self, number: int, model: GlobalModel) -> Trained:
        """Have bakeries learn; the next model."""

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows."""


def course_of(council: Council, steps: Steps) -> Course:
    """Choose by the run's settings how its rounds go."""
    rounds = council.settings.rounds
    if rounds.aggregation == "histogram":
        return HistogramCourse(council, steps)
    if rounds.aggregation == "fedavg":
        return AverageCourse(council, steps)
    return RefitCourse(council, steps) if rounds.refits else MergingCourse(council, steps)


def test_phase(
    council: Council, kind: str, number: int, model: GlobalModel, *, widths: str
) -> dict[str, str]:
    """Have all that are there judge a model on their test windows; JSON of their rows."""
    council.gather(number, at_least=1)
    names = sorted(council.talk.present)
    tasks = {name: council.task(name, model, number, whole=True) for name in names}
    records = {n: FinalTask(**vars(task), widths=widths).to_record() for n, task in tasks.items()}
    replies = council.replies(kind, records, FinalScores, number=number)
    return {name: scores.rows for name, scores in replies.items()}
