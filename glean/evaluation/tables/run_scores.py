"""What a run's final test has found out already, so that nobody trains for it again.

Beside a run federations of other sizes are measured, and what each bakery has without any. The
run's own federation and its bakeries' own models are in `bakeries.csv`, where they are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.scores import BakeryScore
from glean.runs.events import BakeryFailed
from glean.runs.folder import known_events
from glean.settings import RunSettings

FEDERATED, BASELINES = "federated", ("local", "weekday-mean")


@dataclass(frozen=True)
class RunScores:
    """Scores of a run by bakery and method.

    Parameters
    ----------
    by_bakery : mapping of str to mapping of str to BakeryScore
        Bakery -> method -> its score; empty where the run's can't stand for others.
    season : bool
        Whether the run's models know the season.
    whole : bool
        Whether its federation is the one that its bakeries would be beside it, too.
    """

    by_bakery: Mapping[str, Mapping[str, BakeryScore]]
    season: bool
    whole: bool

    @classmethod
    def of(cls, run: Path, settings: RunSettings, *, season: bool) -> RunScores:
        """Read a run's.

        Parameters
        ----------
        run : Path
            Its folder.
        settings : RunSettings
            Its settings.
        season : bool
            Whether its models know the season.
        """
        results = read_results(run)
        found: dict[str, dict[str, BakeryScore]] = {}
        if results.scores is not None and "n_rows" in results.scores:
            for row in results.scores.to_dict("records"):
                score = BakeryScore.from_row({str(name): value for name, value in row.items()})
                found.setdefault(score.bakery, {})[score.method] = score
        return cls(found, season, whole=_whole(run, settings))

    def baselines(self, bakery: str, *, season: bool) -> list[BakeryScore] | None:
        """Give what a bakery has without the federation; None where that isn't known.

        Parameters
        ----------
        bakery : str
            Its name.
        season : bool
            Whether it knows the season by itself.
        """
        mine = self.by_bakery.get(bakery, {})
        if season != self.season or not all(method in mine for method in BASELINES):
            return None
        return [mine[method] for method in BASELINES]

    def federation(self, bakeries: Collection[str]) -> list[BakeryScore] | None:
        """Give the scores of a federation of these bakeries; None where it isn't the run's."""
        if not self.whole or set(bakeries) != set(self.by_bakery):
            return None
        found = [self.by_bakery[name].get(FEDERATED) for name in sorted(bakeries)]
        return None if None in found else [score for score in found if score is not None]


def _whole(run: Path, settings: RunSettings) -> bool:
    """Whether a run is what its bakeries come to without masks, early stops and a first model."""
    apart: Sequence[object] = (
        settings.start_from,
        settings.rounds.early_stopping_rounds,
        settings.min_contributors,
        settings.noise.wanted,
    )
    failed = any(isinstance(event, BakeryFailed) for event in known_events(run / "events.jsonl"))
    return not any(apart) and not failed
