"""The kinds of events: what stands in `events.jsonl`, and what people are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glean.languages.language import language
from glean.runs.event_row import Event
from glean.runs.events import (
    KINDS,
    BakeryFailed,
    BakeryJoined,
    BakeryMissing,
    BakeryNotTrained,
    BakeryReturned,
    RoundFinished,
    RunFinished,
    RunResumed,
    RunStarted,
    WaitingForBakeries,
    event_of,
)
from glean.runs.folder import RunFolder, known_events
from glean.runs.phase_events import PhaseStarted
from glean.runs.setback_events import (
    FirstModelBetter,
    GroupLeftOut,
    RoundGivenUp,
    RoundTakenBack,
    RoundUnscored,
    SumLost,
    SumRefused,
    TreesGivenUp,
)

METRICS = {"wape": 0.25, "mae": None}

EVENTS: list[tuple[Event, str, str]] = [
    (
        RunStarted(("A", "B"), 3),
        '"event": "run_started", "bakeries": ["A", "B"], "rounds": 3, "caution": null',
        "2 bakeries, 3 rounds",
    ),
    (
        RunResumed("old", 2, ("round 3 can't be continued: cut short",)),
        '"event": "run_resumed", "run": "old", "round": 2, '
        '"passed_over": ["round 3 can\'t be continued: cut short"]',
        "continues old after round 2",
    ),
    (
        RunResumed("old", None, ()),
        '"event": "run_resumed", "run": "old", "round": null, "passed_over": []',
        "begins anew: no round of old can be continued",
    ),
    (
        BakeryNotTrained("A", "7 days"),
        '"event": "bakery_not_trained", "bakery": "A", "reason": "7 days"',
        "A: 7 days",
    ),
    (
        BakeryJoined(2, "A"),
        '"event": "bakery_joined", "round": 2, "bakery": "A"',
        "A has joined",
    ),
    (
        BakeryMissing(2, "A", "2024-05-01T10:00:00+00:00", 61.2),
        '"event": "bakery_missing", "round": 2, "bakery": "A", '
        '"since": "2024-05-01T10:00:00+00:00", "seconds": 61.2',
        "A is missing; last heard of 61 s ago",
    ),
    (
        BakeryReturned(3, "A", 90.0),
        '"event": "bakery_returned", "round": 3, "bakery": "A", "seconds": 90.0',
        "A is back after 90 s",
    ),
    (
        WaitingForBakeries(1, 1, 2, {"A": 3.5}),
        '"event": "waiting_for_bakeries", "round": 1, "present": 1, "wanted": 2, '
        '"missing": {"A": 3.5}',
        "waiting for bakeries: 1 of 2",
    ),
    (
        BakeryFailed(1, "{A}", "no {reply}"),
        '"event": "bakery_failed", "round": 1, "bakery": "{A}", "reason": "no {reply}"',
        "{A}: no {reply}",
    ),
    (
        SumLost(1, "2 are left"),
        '"event": "sum_lost", "round": 1, "reason": "2 are left"',
        "a secure sum is lost, those who are left go on: 2 are left",
    ),
    (
        SumRefused(2, "leaves, scores", "found -1"),
        '"event": "sum_refused", "round": 2, "parts": "leaves, scores", "reason": "found -1"',
        "a sum of leaves, scores is refused, since somebody sent what can't be: found -1",
    ),
    (
        GroupLeftOut(2, ("A", "B", "C"), "found -1"),
        '"event": "group_left_out", "round": 2, "members": ["A", "B", "C"], "reason": "found -1"',
        "the group of A, B, C is left out: found -1",
    ),
    (
        RoundGivenUp(2, "found -1"),
        '"event": "round_given_up", "round": 2, "reason": "found -1"',
        "the round is given up, the model stays as it was: found -1",
    ),
    (
        RoundTakenBack(3, 0.25),
        '"event": "round_taken_back", "round": 3, "setback": 0.25',
        "the round is taken back: on validation days its model is 25% worse than the one before, "
        "which chance doesn't make",
    ),
    (
        FirstModelBetter(1, 0.25, {"(all)": 0.25}, {"(all)": 90}),
        '"event": "first_model_better", "round": 1, "metric": 0.25, "scores": {"(all)": 0.25}, '
        '"rows": {"(all)": 90}',
        "the first model forecasts validation days no worse than that of the first round",
    ),
    (
        TreesGivenUp(1, "counts differ"),
        '"event": "trees_given_up", "round": 1, "reason": "counts differ"',
        "trees are given up and grown anew: counts differ",
    ),
    (
        RoundUnscored(3, "A, B"),
        '"event": "round_unscored", "round": 3, "missing": "A, B"',
        "not scored: the difference to earlier scores would tell of A, B",
    ),
    (
        RoundFinished(1, 3, 2, 1, METRICS, 10, 20, 0.5),
        '"event": "round_finished", "round": 1, "bakeries": 3, "replies": 2, "failures": 1, '
        '"wape": 0.25, "mae": null, "bytes_down": 10, "bytes_up": 20, "seconds": 0.5',
        "round 1 is finished: wape 0.250",
    ),
    (
        PhaseStarted("report"),
        '"event": "phase_started", "phase": "report"',
        "The report is written.",
    ),
    (
        RunFinished("failed", "no flour"),
        '"event": "run_finished", "status": "failed", "reason": "no flour"',
        "the run failed: no flour",
    ),
]


@pytest.mark.parametrize(("event", "line", "sentence"), EVENTS)
def test_an_event_has_its_line_and_its_sentence(event: Event, line: str, sentence: str) -> None:
    """The fields and their order are a contract; read again, the line is the same event."""
    assert json.dumps(event.to_row()) == "{" + line + "}"
    assert event.sentence == sentence
    assert event_of(json.loads("{" + line + "}")) == event


IN_GERMAN = {
    "run_started": "2 Bäckereien, 3 Runden",
    "run_resumed": "beginnt neu: Keine Runde von old lässt sich fortsetzen",
    "bakery_not_trained": "A: 7 days",
    "bakery_joined": "A ist dazugekommen",
    "bakery_missing": "A fehlt; zuletzt vor 61 s gemeldet",
    "bakery_returned": "A ist nach 90 s wieder da",
    "waiting_for_bakeries": "wartet auf Bäckereien: 1 von 2",
    "bakery_failed": "{A}: no {reply}",
    "sum_lost": "eine sichere Summe ist verloren, die Übrigen machen weiter: 2 are left",
    "sum_refused": "eine Summe (leaves, scores) wird abgelehnt, da jemand Unmögliches geschickt "
    "hat: found -1",
    "group_left_out": "die Gruppe aus A, B, C bleibt außen vor: found -1",
    "round_given_up": "die Runde wird aufgegeben, das Modell bleibt, wie es war: found -1",
    "round_taken_back": "die Runde wird zurückgenommen: An den Validierungstagen ist ihr Modell um "
    "25\u00a0% schlechter als das vorige, und das ist kein Zufall",
    "first_model_better": "das Anfangsmodell sagt die Validierungstage nicht schlechter voraus als "
    "das der ersten Runde",
    "trees_given_up": "Bäume werden verworfen und neu gezogen: counts differ",
    "round_unscored": "nicht bewertet: Der Unterschied zu früheren Bewertungen verriete etwas über "
    "A, B",
    "round_finished": "Runde 1 ist fertig: wape 0,250",
    "phase_started": "Der Bericht wird geschrieben.",
    "run_finished": "der Lauf ist fehlgeschlagen: no flour",
}


def test_every_kind_is_told_in_other_languages() -> None:
    """With numbers as one writes them there; reasons, which come from errors, as they are."""
    found = {event.kind: event.sentence_in(language("de")) for event, _, _ in EVENTS}
    assert found == IN_GERMAN
    french = {event.kind: event.sentence_in(language("fr")) for event, _, _ in EVENTS}
    as_english = {event.kind for event, _, _ in EVENTS if event.sentence == french[event.kind]}
    assert as_english == set()


def test_one_bakery_and_one_round_are_not_several() -> None:
    """As a run of one begins."""
    alone = RunStarted(("A",), 1)
    assert alone.sentence == "1 bakery, 1 round"
    assert alone.sentence_in(language("fr")) == "1 boulangerie, 1 tour"


def test_a_score_with_noise_says_how_much() -> None:
    """And one that nobody was asked for says that there is none."""
    noised = RoundFinished(2, 3, 3, 0, {"wape": 0.25}, noise=0.07)
    assert noised.sentence == "round 2 is finished: wape 0.250 ± 0.070"
    assert noised.sentence_in(language("de")) == "Runde 2 ist fertig: wape 0,250 ± 0,070"
    assert RoundFinished(2, 3, 3, 0).sentence == "round 2 is finished: no score"


def test_a_round_of_clients_with_noise_says_what_is_spent() -> None:
    """In its row too; one without has no such field."""
    spent = RoundFinished(2, 3, 3, 0, {"log_loss": 0.25}, epsilon=1.2345)
    assert spent.sentence == "round 2 is finished: log_loss 0.250; epsilon 1.234 spent"
    german = "Runde 2 ist fertig: log_loss 0,250; Epsilon 1,234 verbraucht"
    assert spent.sentence_in(language("de")) == german
    assert spent.to_row()["epsilon"] == 1.2345
    assert RoundFinished.from_row(spent.to_row()) == spent
    assert "epsilon" not in RoundFinished(2, 3, 3, 0, {"log_loss": 0.25}).to_row()


def test_every_kind_is_in_the_table() -> None:
    """A new kind is tested here too."""
    assert set(KINDS) == {event.kind for event, _, _ in EVENTS}


def test_a_line_begins_with_the_time(tmp_path: Path) -> None:
    """The folder adds it."""
    folder = RunFolder.create(tmp_path, run_id=1)
    folder.append_event(BakeryJoined(2, "A"))
    line = (folder.path / "events.jsonl").read_text()
    assert list(json.loads(line)) == ["time", "event", "round", "bakery"]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"event": "oven_lit", "round": 1},
        {"event": ["bakery_joined"], "round": 1, "bakery": "A"},
        {"event": "bakery_joined", "round": 1},
        {"event": "bakery_joined", "round": "one", "bakery": "A"},
        {"event": "bakery_missing", "round": 1, "bakery": "A", "since": "", "seconds": None},
        {"event": "run_started", "bakeries": 3, "rounds": 3},
    ],
)
def test_what_is_unknown_or_damaged_is_no_event(tmp_path: Path, row: dict[str, Any]) -> None:
    """Those around it are read all the same, and a field too many is passed over."""
    good = {"event": "bakery_joined", "round": 1, "bakery": "A", "since": "noon"}
    lines = [json.dumps(good), json.dumps(row), "[]", "{", json.dumps(good)]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines) + "\n" + json.dumps(good)[:-3])
    assert event_of(row) is None
    assert known_events(path) == [BakeryJoined(1, "A")] * 2


def test_a_phase_that_is_not_known_is_named() -> None:
    """As a newer version of Glean wrote it."""
    assert PhaseStarted("baking").sentence == "baking"
