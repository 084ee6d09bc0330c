"""How far a run is, read from its folder: from outside, while it goes on and after its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.runs.events import BakeryFailed, RoundFinished, RunStarted
from glean.runs.folder import known_events
from glean.runs.index import COMPLETED, read_run


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    folder : Path
        The run's folder.
    status : str
        "running", "completed" or "failed"; also where it was killed before it could say so, if it
        ran on this machine.
    reason : str
        Why it failed, "" otherwise.
    bakeries : tuple of str
        Who takes part; empty until the first round.
    rounds_done, rounds : int
        Rounds that are finished, and those that there shall be; 0 until the first round.
    last_score : float or None
        Primary metric on the validation rows of the last round that has one.
    last_noise : float or None
        Standard deviation of the noise in that score; None where it has none.
    failures : tuple of BakeryFailed
        In the order in which they happened.
    """

    folder: Path
    status: str
    reason: str
    bakeries: tuple[str, ...] = ()
    rounds_done: int = 0
    rounds: int = 0
    last_score: float | None = None
    last_noise: float | None = None
    failures: tuple[BakeryFailed, ...] = ()

    @property
    def fraction(self) -> float:
        """Share of the rounds that are done, 0 to 1; a run may complete in fewer."""
        if self.status == COMPLETED:
            return 1.0
        return min(self.rounds_done / self.rounds, 1.0) if self.rounds else 0.0


def read_progress(folder: Path) -> RunProgress:
    """Read how far a run is.

    Parameters
    ----------
    folder : Path
        A run's folder.
    """
    run = read_run(folder)
    bakeries: tuple[str, ...] = ()
    done = rounds = 0
    score: float | None = None
    noise: float | None = None
    failures: list[BakeryFailed] = []
    for event in known_events(folder / "events.jsonl"):
        match event:
            case RunStarted():
                bakeries, rounds = event.bakeries, event.rounds
            case RoundFinished():
                done = event.round
                _, primary = event.shown
                if primary is not None:
                    score, noise = primary, event.noise
            case BakeryFailed():
                failures.append(event)
    return RunProgress(
        folder, run.status, run.reason, bakeries, done, rounds, score, noise, tuple(failures)
    )
