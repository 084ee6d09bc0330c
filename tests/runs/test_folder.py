"""The folder of a run: named, pointed at, and written whole or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import json
import re
from pathlib import Path
from typing import Any

import pytest

from glean.errors import FederationError
from glean.runs.events import BakeryFailed, RoundFinished, RunFinished
from glean.runs.folder import RunFolder, read_events, reason_of, write_whole

METRICS = ("wape", "mae", "rmse", "mape")
ROUND = (
    "round,bakeries,replies,failures,wape,mae,rmse,mape,bytes_down,bytes_up,seconds,virtual_seconds"
)
BAKERY_ROUND = "round,bakery,n_examples,wape,mae,rmse,mape"


def row_of(columns: str, **changes: Any) -> dict[str, Any]:
    return dict.fromkeys(columns.split(","), 1) | changes


def test_a_run_has_a_folder_by_time_and_id(tmp_path: Path) -> None:
    """`<UTC time>-<run id>`, with a place for checkpoints, below a folder made on the way."""
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    folder = RunFolder.create(tmp_path / "new" / "results", run_id=77).path
    found = re.fullmatch(r"(\d{8}T\d{6}Z)-77", folder.name)
    assert found is not None
    time = dt.datetime.strptime(found[1], "%Y%m%dT%H%M%S%z")
    assert before <= time <= dt.datetime.now(dt.UTC)
    assert (folder / "models").is_dir()
    assert folder.is_absolute()


def test_latest_points_at_the_newest(tmp_path: Path) -> None:
    """A second run takes the link over; nothing else is left in the results' folder."""
    first = RunFolder.create(tmp_path, run_id=1)
    second = RunFolder.create(tmp_path, run_id=2)
    latest = tmp_path / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == second.path
    assert {path.name for path in tmp_path.iterdir()} == {
        first.path.name,
        second.path.name,
        "latest",
    }


def test_the_link_survives_a_move_of_the_results(tmp_path: Path) -> None:
    """The link is relative: moved or mounted elsewhere, it still finds its run."""
    run = RunFolder.create(tmp_path / "results", run_id=1).path
    moved = (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert (moved / "latest").resolve() == moved / run.name


def test_two_runs_at_once_write_apart(tmp_path: Path) -> None:
    """Runs that begin in the same second don't see each other's rounds."""
    one, two = (RunFolder.create(tmp_path, run_id=k) for k in (1, 2))
    one.append_round(METRICS, row_of(ROUND, round=1), [])
    two.append_round(METRICS, row_of(ROUND, round=9), [])
    one.append_event(RoundFinished(1, 2, 2, 0))
    assert "\n9," in (two.path / "rounds.csv").read_text()
    assert "\n9," not in (one.path / "rounds.csv").read_text()
    assert not (two.path / "events.jsonl").exists()


def test_the_same_run_is_not_begun_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there already is never written into by a run that begins."""

    class Frozen(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Frozen:
            return cls(2024, 5, 1, tzinfo=tz)

    monkeypatch.setattr("glean.runs.folder.dt.datetime", Frozen)
    RunFolder.create(tmp_path, run_id=1)
    with pytest.raises(FederationError, match="can't write results to"):
        RunFolder.create(tmp_path, run_id=1)


def test_results_that_are_a_file_are_refused_in_words(tmp_path: Path) -> None:
    """An output folder that can't be made names itself."""
    (tmp_path / "results").write_text("a file")
    with pytest.raises(FederationError, match=r"can't write results to .*results"):
        RunFolder.create(tmp_path / "results", run_id=1)


def test_a_link_that_can_not_be_made_stops_no_run(tmp_path: Path) -> None:
    """Where "latest" can't be a link, the run goes on without, and leaves nothing half done."""
    (tmp_path / "latest").mkdir()
    run = RunFolder.create(tmp_path, run_id=1)
    assert run.path.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {run.path.name, "latest"}


def test_the_tables_have_the_columns_of_the_design(tmp_path: Path) -> None:
    """Headers once, in the design's order, a line a round and a line a bakery and round."""
    folder = RunFolder.create(tmp_path, run_id=1)
    for number in (1, 2):
        bakeries = [row_of(BAKERY_ROUND, round=number, bakery=name) for name in ("a", 'b, "c"')]
        folder.append_round(METRICS, row_of(ROUND, round=number), bakeries)
    lines = (folder.path / "rounds.csv").read_text().splitlines()
    assert lines == [ROUND, "1" + ",1" * 11, "2" + ",1" * 11]
    with (folder.path / "bakery_rounds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == BAKERY_ROUND
    assert [(row["round"], row["bakery"]) for row in rows] == [
        ("1", "a"),
        ("1", 'b, "c"'),
        ("2", "a"),
        ("2", 'b, "c"'),
    ]
    assert b"\r" not in (folder.path / "rounds.csv").read_bytes()


def test_a_column_that_is_not_declared_is_a_slip(tmp_path: Path) -> None:
    """A misnamed column stops the programmer, it doesn't vanish."""
    folder = RunFolder.create(tmp_path, run_id=1)
    with pytest.raises(ValueError, match="wapes"):
        folder.append_round(METRICS, row_of(ROUND, wapes=1), [])


def test_events_are_a_line_each_with_time_and_name(tmp_path: Path) -> None:
    """Line breaks and odd letters in a reason stay within one line of JSON."""
    folder = RunFolder.create(tmp_path, run_id=1)
    folder.append_event(BakeryFailed(1, "Bäckerei", "one\ntwo\u2028three"))
    folder.append_event(RunFinished("completed", ""))
    lines = (folder.path / "events.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    first, second = map(json.loads, lines)
    assert (first["bakery"], first["reason"]) == ("Bäckerei", "one\ntwo\u2028three")
    assert second["event"] == "run_finished"
    assert dt.datetime.fromisoformat(first["time"]) <= dt.datetime.fromisoformat(second["time"])


def test_a_line_that_is_nested_without_end_is_no_event(tmp_path: Path) -> None:
    """The lines around it are."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "a"}\n' + "[" * 200_000 + '\n[]\n{"event": "b"}\n')
    assert [event["event"] for event in read_events(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/r/model.ubj"),
            "/r/model.ubj: No space",
        ),
        (SystemExit(1), "Flower ended it"),
        (KeyboardInterrupt(), "interrupted"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_reason_is_never_empty(error: BaseException, said: str) -> None:
    """Nor a number that only Flower knows the meaning of."""
    assert reason_of(error).startswith(said)


def test_run_json_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The second content stands alone; the file ends with a line break."""
    folder = RunFolder.create(tmp_path, run_id=1)
    folder.write_run({"status": "running", "bakeries": list(range(1000))})
    folder.write_run({"status": "completed"})
    text = (folder.path / "run.json").read_text()
    assert json.loads(text) == {"status": "completed"}
    assert text.endswith("}\n")


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before the last step, the old content is there whole and no scrap beside it."""
    path = write_whole(tmp_path / "model.ubj", b"old")

    def cut_off(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glean.runs.folder.os.fsync", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new" * 1000)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["model.ubj"]
