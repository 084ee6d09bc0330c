"""A progress bar that reads what a run appends to its `events.jsonl`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from glean.cli.logged_event import log_event, log_events_alone
from glean.languages.language import ENGLISH, Language
from glean.metric_sums import metric_label, written_score
from glean.observability.json_logs import logs_json
from glean.observability.log_context import add_log_fields
from glean.runs.event_row import Event
from glean.runs.events import RoundFinished, RunFinished, RunResumed, RunStarted
from glean.runs.folder import known_events
from glean.runs.index import find_run

POLL_S = 0.2


@contextmanager
def following(
    results: Path, rounds: int, words: Language = ENGLISH
) -> Iterator[Callable[[int], None]]:
    """Show a run's progress while the body runs; the body tells the run's id when it knows it."""
    if logs_json():
        with _logged(results, words) as started:
            yield started
        return
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    ) as bar:
        task = bar.add_task("starting", total=rounds, note="")
        with _watching(results, lambda event: _show(bar, task, event, words)) as started:
            yield started


@contextmanager
def _logged(results: Path, words: Language) -> Iterator[Callable[[int], None]]:
    """Log what happens in place of showing it."""
    log_events_alone()
    with _watching(results, lambda event: log_event(event, words)) as told:

        def started(run_id: int) -> None:
            add_log_fields(run=str(run_id))
            told(run_id)

        yield started


@contextmanager
def _watching(results: Path, show: Callable[[Event], None]) -> Iterator[Callable[[int], None]]:
    known: list[int] = []
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(results, known, ended, show), daemon=True)
    watcher.start()
    try:
        yield known.append
    finally:
        ended.set()
        watcher.join()


def _watch(
    results: Path,
    known: list[int],
    ended: threading.Event,
    show: Callable[[Event], None],
) -> None:
    shown = 0
    while True:
        last = ended.wait(POLL_S)
        for event in _events(results, known)[shown:]:
            shown += 1
            show(event)
        if last:
            return


def _events(results: Path, known: list[int]) -> list[Event]:
    folder = find_run(results, known[0]) if known else None
    return [] if folder is None else known_events(folder / "events.jsonl")


def _show(bar: Progress, task: Any, event: Event, words: Language) -> None:
    match event:
        case RunStarted():
            bar.update(task, description=f"{event.counted_in(words)}, round")
            if event.caution:
                bar.console.print(event.caution, markup=False, soft_wrap=True)
        case RunResumed():
            for line in (*event.passed_over, event.sentence_in(words)):
                bar.console.print(line, markup=False, soft_wrap=True)
        case RoundFinished():
            name, score = event.shown
            note = "not scored"
            if score is not None:
                written = written_score(score, event.noise, digits=3)
                note = f"validation {metric_label(name)} {written}"
            if event.epsilon is not None:
                note += f", epsilon {event.epsilon:.3f} spent"
            bar.update(task, completed=event.round, note=note)
            if not bar.console.is_terminal:
                bar.console.print(f"round {event.round}: {note}")
        case RunFinished():
            pass  # whoever started the run says how it ended
        case _:
            bar.console.print(event.sentence_in(words), markup=False)
