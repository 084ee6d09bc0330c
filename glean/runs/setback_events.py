"""Events of what came to nothing: sums that are lost or refused, rounds that don't count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import Worded
from glean.runs.event_row import Event


@dataclass(frozen=True)
class SumLost(Event):
    """A secure sum can't be unmasked."""

    kind: ClassVar[str] = "sum_lost"
    words: ClassVar[str] = translatable("a secure sum is lost, those who are left go on: {reason}")
    round: int
    reason: str


@dataclass(frozen=True)
class SumRefused(Event):
    """No rows can have an opened sum of `parts`; whose part is wrong, it doesn't tell."""

    kind: ClassVar[str] = "sum_refused"
    words: ClassVar[str] = translatable(
        "a sum of {parts} is refused, since somebody sent what can't be: {reason}"
    )
    round: int
    parts: str
    reason: str


@dataclass(frozen=True)
class TreesGivenUp(Event):
    """The trees of a round are grown anew, since sums for them didn't fit together."""

    kind: ClassVar[str] = "trees_given_up"
    words: ClassVar[str] = translatable("trees are given up and grown anew: {reason}")
    round: int
    reason: str


@dataclass(frozen=True)
class RoundGivenUp(Event):
    """A round ends with the model that it began with: its sums were refused."""

    kind: ClassVar[str] = "round_given_up"
    words: ClassVar[str] = translatable(
        "the round is given up, the model stays as it was: {reason}"
    )
    round: int
    reason: str


@dataclass(frozen=True)
class RoundTakenBack(Event):
    """A round made the model worse beyond chance: the next goes on from the one before.

    Parameters
    ----------
    round : int
        Which.
    setback : float
        By which share the primary metric on validation rows got worse.
    """

    kind: ClassVar[str] = "round_taken_back"
    words: ClassVar[str] = Worded(
        translatable(
            "the round is taken back: on validation days its model is {setback} worse than the one "
            "before, which chance doesn't make"
        ),
        translatable(
            "the round is taken back: on validation rows its model is {setback} worse than the one "
            "before, which chance doesn't make"
        ),
    )
    round: int
    setback: float

    def shown_in(self, language: Language) -> dict[str, Any]:
        """As of every event, with a percentage."""
        return super().shown_in(language) | {"setback": language.percent(self.setback, 0)}


@dataclass(frozen=True)
class FirstModelBetter(Event):
    """The first round made the model no better than it was before.

    Parameters
    ----------
    round : int
        The first.
    metric : float
        What rounds are compared by, of the model before.
    scores, rows : mapping of str to number
        Its primary metric by client, or of all, and of how many validation rows that is.
    """

    kind: ClassVar[str] = "first_model_better"
    words: ClassVar[str] = Worded(
        translatable(
            "the first model forecasts validation days no worse than that of the first round"
        ),
        translatable("on validation rows the first model is no worse than that of the first round"),
    )
    round: int
    metric: float
    scores: dict[str, float]
    rows: dict[str, int]


@dataclass(frozen=True)
class RoundUnscored(Event):
    """A model isn't scored, as some are missing with whom scores were opened before."""

    kind: ClassVar[str] = "round_unscored"
    words: ClassVar[str] = translatable(
        "not scored: the difference to earlier scores would tell of {missing}"
    )
    round: int
    missing: str


@dataclass(frozen=True)
class GroupLeftOut(Event):
    """A group's sum isn't used, since one of its members or more sent what can't be, or is off.

    Parameters
    ----------
    round : int
        In which that was first so.
    members : tuple of str
        Of the group; which of them it was, their sum doesn't tell.
    reason : str
        Why.
    """

    kind: ClassVar[str] = "group_left_out"
    words: ClassVar[str] = translatable("the group of {members} is left out: {reason}")
    round: int
    members: tuple[str, ...]
    reason: str

    def shown_in(self, language: Language) -> dict[str, Any]:
        """As of every event, with a list of names."""
        return super().shown_in(language) | {"members": ", ".join(self.members)}


Setback = (
    SumLost
    | SumRefused
    | TreesGivenUp
    | RoundGivenUp
    | RoundTakenBack
    | FirstModelBetter
    | RoundUnscored
    | GroupLeftOut
)
