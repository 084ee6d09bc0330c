"""What happens in a run as lines of a log for machines: its sentence, and its fields."""

from __future__ import annotations

import logging
from typing import Any, get_args

from glean.cli.log_format import tell
from glean.languages.language import Language
from glean.runs.event_row import Event
from glean.runs.events import BakeryFailed
from glean.runs.setback_events import Setback


def log_events_alone() -> None:
    """Leave out what a run in this process tells besides: its events say it, with fields."""
    logging.getLogger("glean").setLevel(logging.WARNING)
    logging.getLogger("glean.cli").setLevel(logging.INFO)


def log_event(event: Event, words: Language) -> None:
    """Log one event of a run.

    Parameters
    ----------
    event : Event
        From its `events.jsonl`.
    words : Language
        What its clients are called.
    """
    bad = isinstance(event, (BakeryFailed, *get_args(Setback)))
    level = logging.WARNING if bad else logging.INFO
    tell(event.sentence_in(words), level=level, **fields_of(event))


def fields_of(event: Event) -> dict[str, Any]:
    """Give the fields of an event; of `bakeries` how many they are, which may be 10,000."""
    fields = event.to_row()
    fields["kind"] = fields.pop("event")
    if isinstance(fields.get("bakeries"), list | tuple):
        fields["bakeries"] = len(fields["bakeries"])
    return fields
