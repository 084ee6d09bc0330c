"""The journal of sums, put back after a kill: only what a message of that very run has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from flwr.app import RecordDict

from glean.errors import FederationError
from glean.federation.client.journal_store import FILE, JournalStore
from glean.federation.client.journal_undo import JournalUndo

RUN, OTHER = 7, 8


def step(home: Path, run_id: int, number: int) -> None:
    """Note a step of a run, as a client does before its vector leaves."""
    store = JournalStore(RecordDict(), home, str(run_id))
    store.write(store.read().masked(number, {}))


def test_a_step_that_left_nowhere_is_taken_back(tmp_path: Path) -> None:
    """To the byte; then it can be done again."""
    undo = JournalUndo(tmp_path)
    step(tmp_path, RUN, 1)
    noted = undo.note()
    step(tmp_path, RUN, 2)
    undo.put_back(noted, run_id=RUN)
    assert (tmp_path / FILE).read_bytes() == noted
    step(tmp_path, RUN, 2)


def test_the_first_step_leaves_no_journal_behind(tmp_path: Path) -> None:
    """As there was none before it."""
    undo = JournalUndo(tmp_path)
    noted = undo.note()
    assert noted is None
    step(tmp_path, RUN, 1)
    undo.put_back(noted, run_id=RUN)
    assert undo.note() is None
    undo.put_back(noted, run_id=RUN)
    assert undo.note() is None


def test_the_first_step_of_a_run_gives_way_to_the_run_before(tmp_path: Path) -> None:
    """Whose cohorts still count."""
    undo = JournalUndo(tmp_path)
    step(tmp_path, OTHER, 5)
    noted = undo.note()
    step(tmp_path, RUN, 1)
    undo.put_back(noted, run_id=RUN)
    assert undo.note() == noted


@pytest.mark.parametrize("later", [OTHER, None])
def test_what_came_after_it_stays(later: int | None, tmp_path: Path) -> None:
    """Another run's journal, or one that can't be read: nothing of it is taken back."""
    undo = JournalUndo(tmp_path)
    step(tmp_path, RUN, 1)
    noted = undo.note()
    step(tmp_path, RUN, 2)
    if later is None:
        (tmp_path / FILE).write_bytes(b"\xff no journal")
    else:
        step(tmp_path, later, 1)
    found = undo.note()
    undo.put_back(noted, run_id=RUN)
    assert undo.note() == found


def test_a_home_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Nothing may leave then."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(FederationError, match="can't be read"):
        JournalUndo(tmp_path).note()
