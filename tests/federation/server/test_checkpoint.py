"""The last complete checkpoint: found, passed over where damaged, refused where nothing goes on."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pandas as pd
import pytest

from glean.errors import FederationError, GleanError, SettingsError
from glean.federation.server.checkpoint import read_checkpoint, take_over
from glean.federation.server.interrupted_run import resumed_config
from glean.federation.wire.sum_request import SCORES
from glean.runs.code_version import code_fingerprint
from glean.runs.event_row import Event
from glean.runs.events import RunFinished
from glean.runs.folder import RunFolder, clear_leftovers, read_events
from glean.runs.setback_events import RoundGivenUp, RoundTakenBack, RoundUnscored, SumRefused
from tests.inprocess_runs import config_of, cut_off, facts_of, run

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def interrupted(three_bakeries: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run cut off in round 6 of 8; its best round is an early one."""
    config = config_of(three_bakeries, num_server_rounds=8, learning_rate=1.0, max_depth=6)
    return cut_off(tmp_path_factory.mktemp("interrupted"), config, round_number=6)


@pytest.fixture
def old(interrupted: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(interrupted, tmp_path / "old"))


def best_round(run: Path) -> int:
    return min(wapes(run).items(), key=lambda item: item[1])[0]


def wapes(run: Path, *, last: int = 5) -> dict[int, float]:
    """WAPE of each round, to the digit."""
    with (run / "rounds.csv").open(newline="") as file:
        rows = {int(row["round"]): row["wape"] for row in csv.DictReader(file)}
    return {number: float(wape) for number, wape in rows.items() if number <= last}


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def test_the_last_complete_round_is_found(old: Path) -> None:
    """With its model, the best round so far, that one's model and WAPE, to the digit."""
    checkpoint = read_checkpoint(old)
    state = checkpoint.state
    assert state is not None
    assert (state.number, state.best.round) == (5, best_round(old))
    assert state.best.round < 5
    assert state.best.metric == min(wapes(old).values())
    assert state.model.to_bytes() == (old / "models" / "round_005.ubj").read_bytes()
    kept = old / "models" / f"round_{state.best.round:03d}.ubj"
    assert state.best_model.to_bytes() == kept.read_bytes()
    assert checkpoint.passed_over == ()
    assert checkpoint.bakeries == 3


def blank(old: Path, numbers: Collection[int]) -> None:
    """Leave the scores of these rounds out of the tables."""
    for name in ("rounds.csv", "bakery_rounds.csv"):
        table = pd.read_csv(old / name)
        table.loc[table["round"].isin(numbers), ["wape", "mae", "rmse", "mape"]] = None
        table.to_csv(old / name, index=False)


def refused(number: int) -> SumRefused:
    return SumRefused(number, SCORES, "found -1")


UNSCORED: dict[str, tuple[list[int], list[Event], int]] = {
    "can't forecast": ([1, 2, 3, 4, 5], [], 5),
    "refused": ([1, 2, 3, 4, 5], [refused(n) for n in range(1, 6)], 0),
    "refused once more": ([5], [refused(5)], -1),
    "other sums": ([5], [SumRefused(5, "leaves, scores", "found -1")], -1),
    "nobody to score": ([5], [RoundUnscored(5, "bakery 2")], 5),
    "given up": ([5], [RoundGivenUp(5, "found -1"), RoundUnscored(5, "bakery 2")], -1),
}
"""Rounds without a score, what the events say of them, and the best; -1: that with a score."""


@pytest.mark.parametrize(("numbers", "said", "best"), UNSCORED.values(), ids=UNSCORED)
def test_the_events_tell_why_a_round_has_no_score(
    numbers: list[int], said: list[Event], best: int, old: Path
) -> None:
    """So the best is the one that the run would have had uninterrupted."""
    best = best_round(old) if best < 0 else best
    first = old / "models" / "round_000.ubj"
    shutil.copy(old / "models" / "round_001.ubj", first)  # as a run writes it that has no better
    blank(old, numbers)
    for event in said:
        RunFolder(old).append_event(event)
    checkpoint = read_checkpoint(old)
    assert checkpoint.state is not None
    assert (checkpoint.state.number, checkpoint.state.best.round) == (5, best)
    kept = old / "models" / f"round_{best:03d}.ubj"
    assert checkpoint.state.best_model.to_bytes() == kept.read_bytes()


def test_rounds_that_were_taken_back_are_known(old: Path) -> None:
    """None is the best, the scores are those before, and how many were lost is counted."""
    scores = pd.read_csv(old / "bakery_rounds.csv")
    third = scores[scores["round"] == 3]
    for event in (RoundTakenBack(4, 0.3), RoundGivenUp(5, "found -1")):
        RunFolder(old).append_event(event)
    blank(old, [5])
    state = read_checkpoint(old).state
    assert state is not None
    assert state.lost == 2
    assert state.scores == {
        (row.bakery, row.n_examples): pytest.approx(row.wape) for row in third.itertuples()
    }
    assert state.best.metric == min(wapes(old, last=3).values())


@pytest.mark.parametrize("spoil", [cut_short, Path.unlink], ids=["cut short", "gone"])
def test_a_damaged_model_costs_its_round_only(spoil: Change, old: Path, tmp_path: Path) -> None:
    """The round before it is continued, and that is said, in the log and in the events."""
    spoil(old / "models" / "round_005.ubj")
    checkpoint = read_checkpoint(old)
    assert checkpoint.state is not None
    assert checkpoint.state.number == 4
    (sentence,) = checkpoint.passed_over
    assert sentence.startswith("round 5 can't be continued: ")
    assert "round_005.ubj" in sentence
    new = RunFolder.create(tmp_path / "new", run_id=1)
    take_over(checkpoint, new)
    assert pd.read_csv(new.path / "rounds.csv")["round"].tolist() == [1, 2, 3, 4]
    assert pd.read_csv(new.path / "bakery_rounds.csv")["round"].max() == 4
    assert not (new.path / "models" / "round_005.ubj").exists()
    assert read_events(new.path / "events.jsonl")[-1]["passed_over"] == [sentence]


def test_without_the_best_model_its_round_is_run_again(old: Path) -> None:
    """It may have to be kept at the end: the run goes back to where it can be made again."""
    best = best_round(old)
    cut_short(old / "models" / f"round_{best:03d}.ubj")
    checkpoint = read_checkpoint(old)
    number = checkpoint.state.number if checkpoint.state else 0
    assert number == best - 1
    assert len(checkpoint.passed_over) == 5 - number


def test_with_no_model_left_the_run_begins_anew(old: Path, tmp_path: Path) -> None:
    """As after a kill in the first round, with the settings of the old run."""
    for path in (old / "models").iterdir():
        cut_short(path)
    config = resumed_config(old, {"output-dir": str(tmp_path)})
    new = run(tmp_path, config)
    facts = facts_of(new)
    assert (facts["status"], facts["resumed_round"], facts["last_round"]) == ("completed", None, 8)
    assert pd.read_csv(new / "rounds.csv")["round"].tolist() == list(range(1, 9))


def write_facts(old: Path, **changes: object) -> None:
    (old / "run.json").write_text(json.dumps(facts_of(old) | changes))


def damage_table(old: Path) -> None:
    cut_short(old / "rounds.csv")


def lose_a_round(old: Path) -> None:
    lines = (old / "rounds.csv").read_text().splitlines(keepends=True)
    (old / "rounds.csv").write_text("".join(lines[:2] + lines[3:]))


REFUSED: dict[str, tuple[Change, str]] = {
    "no folder": (shutil.rmtree, "found no folder .*old; wanted a run's, like results/latest"),
    "no run": (lambda old: (old / "run.json").unlink(), "has no run.json of a run"),
    "not JSON": (lambda old: cut_short(old / "run.json"), "has no run.json of a run"),
    "not a run's": (lambda old: (old / "run.json").write_text("[]"), "has no run.json of a run"),
    "completed": (
        lambda old: write_facts(old, status="completed"),
        "is completed, .*begin a run with start-from=.*round_005.ubj",
    ),
    "other code": (
        lambda old: write_facts(old, code="0123456789abcdef"),
        "made by other code .0123456789abcdef.*Install that version again, or .*start-from=",
    ),
    "code unknown": (lambda old: write_facts(old, code=None), "made by other code .None"),
    "settings": (lambda old: write_facts(old, settings={"speed": 3}), "unknown key 'speed'"),
    "damaged table": (damage_table, "rounds.csv is damaged"),
    "lost round": (lose_a_round, "rounds.csv is damaged"),
}


@pytest.mark.parametrize(("spoil", "words"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_continued_is_refused(spoil: Change, words: str, old: Path) -> None:
    """Each message says what was found, and most what to do."""
    spoil(old)
    with pytest.raises(GleanError, match=words):
        read_checkpoint(old)


@pytest.mark.parametrize(
    "change", [{"resumed_from": "ITSELF"}, {"resumed_from": 7}, {"nodes": "many"}, {"nodes": None}]
)
def test_a_run_that_says_nonsense_of_itself_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    """One that it itself continues would be followed without end."""
    facts = {"status": "failed", "code": code_fingerprint()} | change
    if facts.get("resumed_from") == "ITSELF":
        facts["resumed_from"] = str(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(FederationError, match=r"resume: .* has no run\.json of a run: found "):
        read_checkpoint(tmp_path)


def test_a_run_of_older_code_says_so(old: Path) -> None:
    """Before there was a fingerprint in `run.json`."""
    facts = facts_of(old)
    del facts["code"]
    (old / "run.json").write_text(json.dumps(facts))
    with pytest.raises(FederationError, match=r"other code \(unknown"):
        read_checkpoint(old)


def test_the_settings_of_the_old_run_are_taken_over(old: Path) -> None:
    """All but where results go and how long to wait, which may be given anew."""
    config = resumed_config(old, {"max-depth": 6, "round-timeout-s": 7, "output-dir": "elsewhere"})
    settings = facts_of(old)["settings"]
    changed = {key for key in settings if config[key] != settings[key]}
    assert changed == {"round-timeout-s", "output-dir", "resume"}
    assert config["resume"] == str(old)
    with pytest.raises(SettingsError, match="seed: found 43; the run to resume has 42"):
        resumed_config(old, {"seed": 43})


def test_what_a_kill_left_is_cleared_away(old: Path, tmp_path: Path) -> None:
    """Half-written files and the fresh link go, whole files and hidden ones of others stay."""
    whole = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    mine = old / ".gitignore"
    mine.write_text("*")
    left = [old / ".run.json-0123abcd", old / "models" / ".round_006.ubj-ffffffff"]
    for path in left:
        path.write_bytes(b"half")
    link = tmp_path / ".latest-old"
    link.symlink_to("old")
    clear_leftovers(old)
    assert not any(path.exists() for path in [*left, link])
    assert mine.exists()
    assert {path: path.read_bytes() for path in whole} == whole


def test_an_unfinished_line_of_events_is_no_event(old: Path) -> None:
    """Readers leave it out, and the next event begins a line of its own."""
    path = old / "events.jsonl"
    before = read_events(path)
    with path.open("a") as file:
        file.write('{"time": "2024-01-01", "event": "round_fin')
    assert read_events(path) == before
    RunFolder(old).append_event(RunFinished("failed", ""))
    assert read_events(path)[:-1] == before
    assert read_events(path)[-1]["event"] == "run_finished"
    assert len(path.read_text().splitlines()) == len(before) + 1
