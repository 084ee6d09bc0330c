"""Who trains where not all do: by a draw, or by who was reliable, waited longest, or has much.

What is known of the clients comes from the run's own tables, so that a run that resumes chooses the
same: of rounds up to two before, as a round may be trained before the last one is written down.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from glean.federation.grids.virtual_clock import drawn_share
from glean.round_settings import AVAILABILITY, RANDOM, SIZE, STALENESS
from glean.runs.events import BakeryFailed, BakeryMissing
from glean.runs.folder import PARTICIPATION, RunFolder, known_events
from glean.runs.spreadsheet_cells import unescape_cell
from glean.seeds import derived_seed, draw
from glean.settings import RunSettings


class ClientSelection:
    """Chooses who trains.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    folder : RunFolder
        What the run has written so far.
    """

    def __init__(self, settings: RunSettings, folder: RunFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._learning: frozenset[str] | None = None
        self._known: tuple[int, Mapping[str, float]] = (0, {})

    def share(self, names: Sequence[str], number: int) -> tuple[str, ...]:
        """Choose the share of some clients that trains in a round; those of a buffer if it is one.

        In text order; at least one where there is any.
        """
        if self._learning is not None:
            return tuple(name for name in names if name in self._learning)
        fraction = self._settings.rounds.fraction_train
        if fraction >= 1.0 or not names:
            return tuple(sorted(names))
        return self.subset(names, max(1, round(fraction * len(names))), number)

    def subset(self, names: Collection[str], count: int, number: int) -> tuple[str, ...]:
        """Choose so many of some clients for a round, in text order."""
        kind, seed = self._settings.rounds.client_selection, self._settings.seed
        if kind == RANDOM:
            return draw(
                sorted(names),
                min(count, len(names)),
                seed=derived_seed(seed, "train fraction", number),
            )
        chances = {name: drawn_share(seed, "selection", number, name) for name in names}
        ranks = rank_by_size if kind == SIZE else rank
        order = ranks(self._numbers(number), chances)
        return tuple(sorted(order[:count]))

    @contextmanager
    def learning(self, names: Iterable[str]) -> Iterator[None]:
        """Have only these train for the time of a `with`: those of a buffer."""
        self._learning = frozenset(names)
        try:
            yield
        finally:
            self._learning = None

    def _numbers(self, number: int) -> Mapping[str, float]:
        """Say of each client what it is chosen by: failures, last round, or rows."""
        if self._known[0] != number:
            self._known = number, self._read(number - 1)
        return self._known[1]

    def _read(self, before: int) -> Mapping[str, float]:
        kind = self._settings.rounds.client_selection
        if kind == AVAILABILITY:
            events = known_events(self._folder.path / "events.jsonl")
            failed = [e for e in events if isinstance(e, BakeryFailed | BakeryMissing)]
            return Counter(event.bakery for event in failed if event.round < before)
        column = {STALENESS: "round", SIZE: "n_examples"}[kind]
        table = PARTICIPATION[0] if kind == STALENESS else "bakery_rounds.csv"
        found: dict[str, float] = {}
        for row in self._rows(table):
            if int(row["round"]) < before and row[column]:
                found[unescape_cell(row["bakery"])] = float(row[column])
        return found

    def _rows(self, name: str) -> list[dict[str, str]]:
        path = self._folder.path / name
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return [*csv.DictReader(file)]


def rank(numbers: Mapping[str, float], chances: Mapping[str, float]) -> list[str]:
    """Put those with the lowest number first, by their chances where it is the same.

    Parameters
    ----------
    numbers : mapping of str to float
        The number of each; who is none of them has 0.
    chances : mapping of str to float
        A draw for each, from 0 to below 1.

    Examples
    --------
    >>> rank({"A": 3, "B": 1}, {"A": 0.1, "B": 0.9, "C": 0.5})
    ['C', 'B', 'A']
    """
    return sorted(chances, key=lambda name: (numbers.get(name, 0.0), chances[name], name))


def rank_by_size(sizes: Mapping[str, float], chances: Mapping[str, float]) -> list[str]:
    """Draw without replacement, each with a chance by its size (Efraimidis and Spirakis 2006).

    Parameters
    ----------
    sizes : mapping of str to float
        Who is none of them is of the mean size.
    chances : mapping of str to float
        As for `rank`.
    """
    known = [size for size in sizes.values() if size > 0]
    mean = sum(known) / len(known) if known else 1.0
    keys = {name: chances[name] ** (1.0 / (sizes.get(name) or mean)) for name in chances}
    return sorted(chances, key=lambda name: (-keys[name], name))
