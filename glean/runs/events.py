"""The events of a run: each kind with its fields, as `events.jsonl` has them, and its sentence.

A line of `events.jsonl` is the time, the kind and the fields, in this order. Whoever tells people
of an event (the terminal, the report, a log) takes its sentence from here. What came to nothing has
events in `setback_events.py`, what is done where no round is finished in `phase_events.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self, get_args

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import CLIENTS, Worded
from glean.runs.event_row import Event, fits
from glean.runs.phase_events import PhaseStarted
from glean.runs.setback_events import Setback


@dataclass(frozen=True)
class RunStarted(Event):
    """Enough clients are registered, and the rounds begin; maybe with a word of caution."""

    kind: ClassVar[str] = "run_started"
    bakeries: tuple[str, ...]
    rounds: int
    caution: str | None = None

    def sentence_in(self, language: Language) -> str:
        """Say how many take part, and for how long."""
        rounds = language.translate_count("{count} round", "{count} rounds", self.rounds)
        return f"{self.counted_in(language)}, {rounds}"

    def counted_in(self, language: Language) -> str:
        """Say how many take part."""
        count = len(self.bakeries)
        if language.vocabulary == CLIENTS:
            return language.translate_count("{count} client", "{count} clients", count)
        return language.translate_count("{count} bakery", "{count} bakeries", count)


@dataclass(frozen=True)
class RunResumed(Event):
    """A run goes on where another was interrupted.

    Parameters
    ----------
    run : str
        Folder of the interrupted run.
    round : int or None
        The round after which it goes on; None where it begins anew.
    passed_over : tuple of str
        Sentences on rounds that can't be continued.
    """

    kind: ClassVar[str] = "run_resumed"
    run: str
    round: int | None
    passed_over: tuple[str, ...]

    def sentence_in(self, language: Language) -> str:
        """Say where it goes on."""
        if self.round is None:
            words = translatable("begins anew: no round of {run} can be continued")
        else:
            words = translatable("continues {run} after round {round}")
        return language.translate(words, run=self.run, round=self.round)


@dataclass(frozen=True)
class BakeryNotTrained(Event):
    """A bakery takes part, yet is not learned from."""

    kind: ClassVar[str] = "bakery_not_trained"
    words: ClassVar[str] = translatable("{bakery}: {reason}")
    bakery: str
    reason: str


@dataclass(frozen=True)
class BakeryJoined(Event):
    """A bakery came after the beginning."""

    kind: ClassVar[str] = "bakery_joined"
    words: ClassVar[str] = translatable("{bakery} has joined")
    round: int
    bakery: str


@dataclass(frozen=True)
class BakeryMissing(Event):
    """A bakery is gone or owes a reply.

    Parameters
    ----------
    round : int
        In which round it was noticed.
    bakery : str
        Who.
    since : str
        UTC time at which it was last heard of.
    seconds : float
        How long ago that was.
    """

    kind: ClassVar[str] = "bakery_missing"
    words: ClassVar[str] = translatable("{bakery} is missing; last heard of {seconds} s ago")
    round: int
    bakery: str
    since: str
    seconds: float

    def shown_in(self, language: Language) -> dict[str, Any]:
        """As of every event, with whole seconds."""
        return super().shown_in(language) | {"seconds": language.number(self.seconds)}


@dataclass(frozen=True)
class BakeryReturned(Event):
    """A bakery that was missing is there again.

    Parameters
    ----------
    round : int
        From which round on.
    bakery : str
        Who.
    seconds : float
        How long it was away.
    """

    kind: ClassVar[str] = "bakery_returned"
    words: ClassVar[str] = translatable("{bakery} is back after {seconds} s")
    round: int
    bakery: str
    seconds: float

    def shown_in(self, language: Language) -> dict[str, Any]:
        """As of every event, with whole seconds."""
        return super().shown_in(language) | {"seconds": language.number(self.seconds)}


@dataclass(frozen=True)
class WaitingForBakeries(Event):
    """Too few are there for a round.

    Parameters
    ----------
    round : int
        The round that waits.
    present, wanted : int
        How many are there, and must be.
    missing : mapping of str to float
        Who is missing -> seconds since it was last heard of.
    """

    kind: ClassVar[str] = "waiting_for_bakeries"
    words: ClassVar[str] = Worded(
        translatable("waiting for bakeries: {present} of {wanted}"),
        translatable("waiting for clients: {present} of {wanted}"),
    )
    round: int
    present: int
    wanted: int
    missing: Mapping[str, float]


@dataclass(frozen=True)
class BakeryFailed(Event):
    """The reply of a bakery didn't come or was refused."""

    kind: ClassVar[str] = "bakery_failed"
    words: ClassVar[str] = translatable("{bakery}: {reason}")
    round: int
    bakery: str
    reason: str


@dataclass(frozen=True)
class RoundFinished(Event):
    """A round is over and its model was scored; 0 is the model that a run started from.

    Parameters
    ----------
    bakeries, replies, failures : int
        How many were asked, answered, and failed.
    metrics : mapping of str to float or None
        Validation scores by the names that the workload gives them, its primary one first; None
        for one that isn't finite. In `events.jsonl` each is a field of its own.
    bytes_down, bytes_up : int
        Payload bytes to and from clients.
    seconds : float
        How long it took.
    virtual_seconds : float or None
        How long on a simulation's clock; None, and no field, where there is none.
    noise : float or None
        Standard deviation of the noise in the scores; None, and no field, where they have none.
    epsilon : float or None
        What a client has spent so far, of the mean number of rows where it depends on these; None,
        and no field, where the workload doesn't say.
    """

    kind: ClassVar[str] = "round_finished"
    round: int
    bakeries: int
    replies: int
    failures: int
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    bytes_down: int = 0
    bytes_up: int = 0
    seconds: float = 0.0
    virtual_seconds: float | None = None
    noise: float | None = None
    epsilon: float | None = None

    @property
    def shown(self) -> tuple[str, float | None]:
        """The primary metric; with noise the first that is known, as that may be another one."""
        found = [*self.metrics.items()]
        if self.noise:
            found = [each for each in found if each[1] is not None]
        return found[0] if found else ("", None)

    def sentence_in(self, language: Language) -> str:
        """Say which round, its scores by the workload's names, and what is spent."""
        noise = f" ± {language.number(self.noise, 3)}" if self.noise else ""
        scores = ", ".join(
            f"{name} {language.number(value, 3)}{noise}"
            for name, value in self.metrics.items()
            if value is not None
        )
        said = language.translate(
            "round {round} is finished: {scores}",
            round=self.round,
            scores=scores or language.translate("no score"),
        )
        if self.epsilon is None:
            return said
        return language.translate(
            "{event}; epsilon {epsilon} spent", event=said, epsilon=language.number(self.epsilon, 3)
        )

    def to_row(self) -> dict[str, Any]:
        """Write the metrics as fields, where `metrics` stands."""
        row: dict[str, Any] = {}
        for name, value in super().to_row().items():
            if name not in {"virtual_seconds", "noise", "epsilon"} or value:
                row |= value if name == "metrics" else {name: value}
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row: numbers with names of their own are metrics."""
        own = {f.name for f in fields(cls)} | {"time", "event"}
        metrics = {k: v for k, v in row.items() if k not in own and fits(v, float | None)}
        return super().from_row({**row, "metrics": metrics})


@dataclass(frozen=True)
class RunFinished(Event):
    """The last event of a run: "completed" or "failed", and then why."""

    kind: ClassVar[str] = "run_finished"
    status: str
    reason: str

    def sentence_in(self, language: Language) -> str:
        """Say how it ended."""
        ended = language.translate(_ENDINGS.get(self.status, self.status))
        if not self.reason:
            return ended
        return language.translate("{event}: {reason}", event=ended, reason=self.reason)


_ENDINGS = {
    "completed": translatable("the run completed"),
    "failed": translatable("the run failed"),
}

KINDS = {kind.kind: kind for kind in {*Event.__subclasses__(), *get_args(Setback), PhaseStarted}}
"""Every kind of event by the name that `events.jsonl` calls it."""


def event_of(row: Mapping[str, Any]) -> Event | None:
    """Read a row of `events.jsonl`; None for a kind that isn't known, or a damaged row."""
    kind = KINDS.get(str(row.get("event")))
    try:
        return None if kind is None else kind.from_row(row)
    except ValueError:
        return None
