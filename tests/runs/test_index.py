"""Runs found, listed and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glean.errors import GleanError
from glean.runs.folder import RunFolder
from glean.runs.index import GONE, find_run, is_run, list_runs, read_run
from glean.runs.process_tree import this_process


def made(results: Path, name: str, **facts: object) -> Path:
    folder = results / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def test_a_run_says_what_its_file_says(tmp_path: Path) -> None:
    """What it doesn't say is empty."""
    said = {"status": "failed", "reason": "late", "engine": "ray", "settings": {"seed": 3}}
    run = read_run(made(tmp_path, "one", **said))
    assert (run.status, run.reason, run.engine) == ("failed", "late", "ray")
    assert run.settings == {"seed": 3}
    assert run.facts == said
    nothing = read_run(made(tmp_path, "two", settings=None))
    assert (nothing.status, nothing.reason, nothing.engine, nothing.settings) == ("", "", "", {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "found no run.json; wanted the folder of a run"),
        (b"{", "can't be read as JSON"),
        (b"\xff", "can't be read as JSON"),
        (b"[]", "found a list; wanted a JSON object"),
        (b"[" * 200_000, "can't be read as JSON"),
    ],
)
def test_a_damaged_run_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    """One error says which file, what was found and what to do."""
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(GleanError, match=said) as caught:
        read_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert is_run(tmp_path) == (content is not None)


@pytest.mark.parametrize("change", [{"began": 1.0}, {"pid": 2**22 + 1}, {"pid": "7"}])
def test_a_run_that_was_killed_has_failed(tmp_path: Path, change: dict[str, object]) -> None:
    """For every reader, whatever its file says for good; its facts stay as they are."""
    killed = made(tmp_path, "killed", status="running", process=this_process() | change)
    run = read_run(killed)
    assert (run.status, run.reason, run.facts["status"]) == ("failed", GONE, "running")
    assert [found.status for found in list_runs(tmp_path)] == ["failed"]


def test_a_run_that_goes_on_or_may_go_on_is_not_taken_for_dead(tmp_path: Path) -> None:
    """Of a process of another machine, or one that nobody wrote down, nobody knows."""
    for name, process in {
        "here": this_process(),
        "elsewhere": {"host": "elsewhere", "pid": 1, "began": 1.0},
        "unknown": None,
        "damaged": [1],
    }.items():
        run = read_run(made(tmp_path, name, status="running", process=process))
        assert (run.status, run.reason) == ("running", ""), name


def test_a_run_s_file_that_is_a_circle_of_links_is_named(tmp_path: Path) -> None:
    """It is there, and can't be read."""
    (tmp_path / "run.json").symlink_to("run.json")
    with pytest.raises(
        GleanError, match=r"run\.json: .*symbolic links; wanted the folder of a run"
    ):
        read_run(tmp_path)


def test_a_run_is_found_by_id_name_path_or_as_the_latest(tmp_path: Path) -> None:
    """None where there is no such run."""
    results = tmp_path / "results"
    assert find_run(results, 1) is None
    assert find_run(results, "latest") is None
    older = made(results, "20240501T100000Z-17")
    newer = RunFolder.create(results, run_id=7, facts={}).path
    assert find_run(results, 17) == find_run(results, "17") == older
    assert find_run(results, 7) == find_run(results, "latest") == newer
    assert find_run(results, older.name) == find_run(tmp_path, str(older)) == older
    assert find_run(results, 71) is None
    assert find_run(results, "elsewhere") is None


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    """The link to the latest is no run of its own; a damaged run and other folders are left out."""
    assert list_runs(tmp_path / "nowhere") == []
    for name in ("20240502T100000Z-3", "20240501T100000Z-9", "20240503T100000Z-1"):
        made(tmp_path, name, status=name[:8])
    (tmp_path / "latest").symlink_to("20240503T100000Z-1")
    (tmp_path / "20240502T100000Z-3" / "run.json").write_text("{")
    (tmp_path / "notes").mkdir()
    assert [run.status for run in list_runs(tmp_path)] == ["20240503", "20240501"]
