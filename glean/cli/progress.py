"""A progress bar that reads what a run appends to its `events.jsonl`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from glean.runs.folder import read_events

POLL_S = 0.2


@contextmanager
def following(results: Path, rounds: int) -> Iterator[Callable[[int], None]]:
    """Show a run's progress while the body runs; the body tells the run's id when it knows it."""
    known: list[int] = []
    ended = threading.Event()
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
        watcher = threading.Thread(
            target=_watch, args=(bar, task, results, known, ended), daemon=True
        )
        watcher.start()
        try:
            yield known.append
        finally:
            ended.set()
            watcher.join()


def _watch(
    bar: Progress, task: Any, results: Path, known: list[int], ended: threading.Event
) -> None:
    shown = 0
    while True:
        last = ended.wait(POLL_S)
        for event in _events(results, known)[shown:]:
            shown += 1
            _show(bar, task, event)
        if last:
            return


def _events(results: Path, known: list[int]) -> list[dict[str, Any]]:
    if not known:
        return []
    paths = results.glob(f"*-{known[0]}/events.jsonl")
    return [event for path in paths for event in read_events(path)]


def _show(bar: Progress, task: Any, event: dict[str, Any]) -> None:
    match event["event"]:
        case "run_started":
            bar.update(task, description=f"{len(event['bakeries'])} bakeries, round")
        case "run_resumed":
            what = f"continues {event['run']} after round {event['round']}"
            if event["round"] is None:
                what = f"begins anew: no round of {event['run']} can be continued"
            for line in (*event["passed_over"], what):
                bar.console.print(line, markup=False, soft_wrap=True)
        case "round_finished":
            wape = event["wape"]
            note = f"validation WAPE {wape:.3f}" if wape is not None else ""
            bar.update(task, completed=event["round"], note=note)
            if not bar.console.is_terminal:
                bar.console.print(f"round {event['round']}: {note}")
        case _ if sentence := _sentence(event):
            bar.console.print(sentence, markup=False)


def _sentence(event: dict[str, Any]) -> str:
    """Say what an event tells of a bakery, or of all; "" where it tells nothing."""
    match event["event"]:
        case "bakery_failed" | "bakery_not_trained":
            return f"{event['bakery']}: {event['reason']}"
        case "bakery_missing":
            return f"{event['bakery']}: missing; last heard of {event['seconds']:.0f} s ago"
        case "bakery_returned":
            return f"{event['bakery']}: is back after {event['seconds']:.0f} s"
        case "bakery_joined":
            return f"{event['bakery']}: has joined"
        case "waiting_for_bakeries":
            return f"waiting for bakeries: {event['present']} of {event['wanted']}"
        case _:
            return ""
