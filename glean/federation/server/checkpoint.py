"""The last complete checkpoint of a run that was interrupted, and how another run takes it over.

A round is complete once its row stands in `rounds.csv`: its model, and its strategy's state where
there is one, were written before. Continued from there with the same code, settings and bakeries, a
run ends with the very model that it would have made uninterrupted.
"""

from __future__ import annotations

import csv
import io
import logging
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import FederationError, ModelError
from glean.federation.coordination.global_model import GlobalModel, read_global_model
from glean.federation.server.interrupted_run import read_interrupted, settings_of
from glean.federation.server.lost_rounds import first_model_score, lost_rounds, unscored_rounds
from glean.federation.server.state_file import read_state
from glean.federation.server.training_state import Best, TrainingState
from glean.federation.workload.registry import workload_of
from glean.runs.events import RunResumed
from glean.runs.folder import (
    PARTICIPATION,
    RunFolder,
    checkpoint_name,
    clear_leftovers,
    read_events,
    round_tables,
)
from glean.runs.setback_events import RoundGivenUp, RoundTakenBack
from glean.runs.spreadsheet_cells import unescape_cell
from glean.settings import RunSettings

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class Checkpoint:
    """What an interrupted run left to go on from.

    Parameters
    ----------
    run : Path
        The folder that it lies in.
    facts : mapping
        Its `run.json`.
    state : TrainingState or None
        After the last complete round; None where no round is: the run begins anew.
    start : GlobalModel or None
        The model that the run had started from, where it had.
    passed_over : tuple of str
        Sentences on models and states that can't be read, for which rounds are run again.
    metrics : tuple of str
        The workload's metrics, columns of the tables by round.
    """

    run: Path
    facts: Mapping[str, Any]
    state: TrainingState | None
    start: GlobalModel | None
    passed_over: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def bakeries(self) -> int:
        """How many nodes there were in the beginning or, if more, bakeries in the last round."""
        last = str(self.state.number) if self.state else ""
        rows = _table(self.run, "bakery_rounds.csv", self.metrics)
        scored = [row for row in rows if row["round"] == last]
        return max(int(self.facts.get("nodes", 0)), len(scored))


def read_checkpoint(run: Path) -> Checkpoint:
    """Find the last complete round of a run whose files can be read.

    A round counts only with its strategy's state, the best model up to it and the model that the
    run started from, where there are such: else it could go on to another end than without the
    interruption.

    Raises
    ------
    FederationError
        There is no run that can be continued, or its tables are damaged.
    SettingsError
        Its settings are none that a run can have.
    """
    facts = read_interrupted(run)
    settings = settings_of(facts)
    metrics = workload_of(settings).metrics.COLUMNS
    scored = _scored(run, metrics, noised=settings.noise.wanted)
    if not scored and facts.get("resumed_from"):
        return read_checkpoint(Path(facts["resumed_from"]))  # killed before it had taken over
    passed_over: list[str] = []
    lost = lost_rounds(run)
    first, first_scores = first_model_score(run)
    while scored:
        number = scored[-1][0]
        best = Best.of((p for p in scored if not _without_model(*p, lost)), first=first)
        try:
            model, best_model = (_model(run, n, settings) for n in (number, best.round))
            start = _model(run, 0, settings) if settings.start_from else None
            strategy_state = read_state(run, number) if settings.rounds.has_state else b""
        except ModelError as error:
            passed_over.append(f"round {number} can't be continued: {error}")
            scored.pop()
        else:
            scores, best_scores = (
                {} if settings.noise.wanted else _primaries(run, n, lost, metrics) or first_scores
                for n in (number, best.round)
            )
            state = TrainingState(
                number,
                model,
                best,
                best_model,
                strategy_state,
                scores,
                _lost_in_a_row(lost, number),
                best_scores,
            )
            return Checkpoint(run, facts, state, start, tuple(passed_over), metrics)
    return Checkpoint(run, facts, None, None, tuple(passed_over), metrics)


def take_over(checkpoint: Checkpoint, folder: RunFolder) -> None:
    """Take the complete rounds of an interrupted run over into the folder of the run that goes on.

    What a kill left half written in the old folder is deleted.
    """
    run, state = checkpoint.run, checkpoint.state
    clear_leftovers(run)
    if state is not None:
        for number in range(state.number + 1):
            for path in sorted(run.glob(checkpoint_name(number, ".*"))):
                _take_file(path, folder, path.relative_to(run).as_posix())
        folder.append_events(_events(run, state.number))
        for name, columns in _tables(run, checkpoint.metrics).items():
            rows = _table(run, name, checkpoint.metrics)
            kept = (row for row in rows if int(row["round"]) <= state.number)
            folder.add_rows(name, columns, kept)
    done = state.number if state else None
    folder.append_event(RunResumed(str(run), done, checkpoint.passed_over))
    for sentence in checkpoint.passed_over:
        LOG.warning("%s", sentence)
    if done is None:
        LOG.warning("no round of %s can be continued: begins anew, with its settings", run)
    else:
        LOG.info("continues %s after round %d", run, done)


def _model(run: Path, number: int, settings: RunSettings) -> GlobalModel:
    path = run / checkpoint_name(number, settings.rounds.kind.suffix)
    try:
        return read_global_model(path.read_bytes(), settings)
    except OSError as error:
        raise ModelError(f"{path} can't be read ({error.strerror})") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _take_file(path: Path, folder: RunFolder, name: str) -> None:
    """Take a file over without a copy of its bytes, where the drive can do that."""
    try:
        os.link(path, folder.path / name)
    except OSError:
        folder.write_bytes(name, path.read_bytes())


def _events(run: Path, number: int) -> Iterator[dict[str, Any]]:
    """Events of the rounds up to `number`; what came after belongs to rounds that are run again."""
    for event in read_events(run / "events.jsonl"):
        finished = event.get("event") == "round_finished"
        if finished or event.get("round") in range(1, number + 1):
            yield event
        if finished and event.get("round") == number:
            return


def _scored(run: Path, metrics: tuple[str, ...], *, noised: bool) -> list[tuple[int, float | None]]:
    """List the rounds with what they are compared by, as `RoundScore.metric` has it.

    Why a cell is empty the events say.
    """
    rows = _table(run, "rounds.csv", metrics)
    unscored = {} if noised else unscored_rounds(run)
    try:
        cells = [(int(row["round"]), row[metrics[0]]) for row in rows]
        found = [
            (number, float(cell) if cell and not noised else unscored.get(number, math.nan))
            for number, cell in cells
        ]
    except ValueError as error:
        raise _damaged(run / "rounds.csv") from error
    numbers = [number for number, _ in found]
    if numbers not in (list(range(len(found))), list(range(1, len(found) + 1))):
        raise _damaged(run / "rounds.csv")
    return found


def _without_model(number: int, metric: float | None, lost: Mapping[int, str]) -> bool:
    """Whether a round can't be the best: it left no model of its own that was scored."""
    given_up = lost.get(number) == RoundGivenUp.kind
    return lost.get(number) == RoundTakenBack.kind or (given_up and metric is None)


def _lost_in_a_row(lost: Mapping[int, str], number: int) -> int:
    return next(count for count in range(number + 1) if number - count not in lost)


def _primaries(
    run: Path, number: int, lost: Mapping[int, str], metrics: tuple[str, ...]
) -> dict[tuple[str, int], float]:
    """Read what clients said of the model after a round, or of the last one that was scored."""
    by_round: dict[int, dict[tuple[str, int], float]] = defaultdict(dict)
    try:
        for row in _table(run, "bakery_rounds.csv", metrics):
            if value := row[metrics[0]]:
                key = row["bakery"], int(row["n_examples"])
                by_round[int(row["round"])][key] = float(value)
    except ValueError as error:
        raise _damaged(run / "bakery_rounds.csv") from error
    kept = [n for n in by_round if n <= number and lost.get(n) != RoundTakenBack.kind]
    return by_round[max(kept)] if kept else {}


def _table(run: Path, name: str, metrics: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a round table as text; none where there is no such file."""
    path = run / name
    if not path.is_file():
        return []
    columns = _tables(run, metrics)[name]
    try:
        text = path.read_text(encoding="utf-8")
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise _damaged(path) from error
    whole = text.endswith("\n") and all(len(row) == len(columns) for row in rows)
    if not whole or tuple(header) != columns or not all(row[0].isdecimal() for row in rows):
        raise _damaged(path)
    texts = ([unescape_cell(cell) for cell in row] for row in rows)
    return [dict(zip(columns, row, strict=True)) for row in texts]


def _tables(run: Path, metrics: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Give the columns of the tables by round that a run may have."""
    name, columns = PARTICIPATION
    return ({name: columns} if (run / name).is_file() else {}) | round_tables(metrics)


def _damaged(path: Path) -> FederationError:
    return FederationError(
        f"resume: {path} is damaged; wanted whole rows, round by round, as Glean wrote them: put "
        "the file back, or run again from the beginning"
    )
