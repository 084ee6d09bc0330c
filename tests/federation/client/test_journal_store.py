"""What a bakery did for sums is kept twice: what was put back is noticed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from flwr.app import RecordDict

from glean.client_app import app
from glean.errors import FederationError, RefusalError
from glean.federation.client.journal_store import FILE, JournalStore
from glean.federation.client.step_journal import StepJournal, part_name
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.grids.inprocess import as_server
from glean.federation.server.setup import negotiate_spec, register_clients, training_loop
from glean.federation.wire.sum_request import (
    LEAF_GRADIENTS,
    LEAVES,
    PRESENCE,
    SCORES,
    TOTALS,
    SumRequest,
)
from glean.metrics import ErrorSums
from glean.runs.folder import RunFolder
from tests.federations import Federation
from tests.lying_server import LyingGrid, deployed, refusals

EVERYBODY = frozenset({"a", "b", "c", "d"})


def store(
    home: Path | None, state: RecordDict | None = None, run: str = "1", newest: str = "2024-03-01"
) -> JournalStore:
    return JournalStore(RecordDict() if state is None else state, home, run, newest)


def kind_of(refused: pytest.ExceptionInfo[RefusalError]) -> str:
    return refused.value.kind


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """From the state, and from the home where the state is lost; of this run only."""
    kept = store(tmp_path)
    entry = kept.read().masked(3, {part_name(SCORES, "state"): EVERYBODY}).unmasked(EVERYBODY)
    kept.write(entry)
    assert kept.read() == store(tmp_path).read() == kept.read()
    assert kept.read().step == 3
    later = store(tmp_path, run="2", newest="2024-03-02").read()
    assert later == StepJournal(run="2", newest="2024-03-02")
    assert store(None, kept.state).read().step == 3


def test_each_journal_is_written_as_it_is() -> None:
    """Bakeries of one process write theirs in turn, most of them alike and some not."""
    plain, stepped = StepJournal().masked(1, {}), StepJournal().masked(2, {})
    opened = StepJournal().masked(2, {part_name(TOTALS): EVERYBODY}).unmasked(EVERYBODY)
    for journal in (plain, stepped, plain, opened, stepped, opened, plain):
        assert StepJournal.from_json(journal.to_json()) == journal


def test_steps_only_go_up() -> None:
    """Whatever keys they are masked with."""
    journal = StepJournal().masked(3, {})
    for step in (3, 2, 0):
        with pytest.raises(RefusalError, match=f"found step {step} .* after step 3") as refused:
            journal.masked(step, {})
        assert kind_of(refused) == "a step done already"


def test_what_was_opened_is_not_opened_for_others() -> None:
    """The same again is; with one fewer among the senders or the contributors it isn't."""
    part = part_name(SCORES, "state")
    journal = StepJournal().masked(1, {part: EVERYBODY}).unmasked(EVERYBODY)
    again = journal.masked(2, {part: EVERYBODY})
    again.unmasked(EVERYBODY)
    fewer = EVERYBODY - {"a"}
    for entry, senders in ((again, fewer), (journal.masked(2, {part: fewer}), EVERYBODY)):
        with pytest.raises(RefusalError, match="difference of two") as refused:
            entry.unmasked(senders)
        assert kind_of(refused) == "a sum opened already"
    journal.masked(2, {part_name(SCORES, "another state"): fewer}).unmasked(fewer)


def test_a_cohort_that_differs_by_few_opens_nothing_of_the_same_rows(tmp_path: Path) -> None:
    """Neither as it is asked nor as it was sent; gradient sums, other rows and no floor do."""
    kept = store(tmp_path)
    kept.write(kept.read().masked(1, {part_name(LEAVES, 1): EVERYBODY}, floor=3))
    kept.write(kept.read().unmasked(EVERYBODY))
    journal, fewer = kept.read(), EVERYBODY - {"a"}
    with pytest.raises(
        RefusalError, match="found a sum about training rows over b, c, d"
    ) as refused:
        journal.masked(2, {part_name(PRESENCE, 2): fewer}, floor=3)
    assert kind_of(refused) == "too like a sum opened already"
    asked = journal.masked(2, {part_name(TOTALS, 2): EVERYBODY}, floor=3)
    with pytest.raises(RefusalError, match="the difference tells of a"):
        asked.unmasked(fewer)
    asked.unmasked(EVERYBODY)
    for part, names, floor in (
        (LEAF_GRADIENTS, fewer, 3),
        (SCORES, fewer, 3),
        (PRESENCE, fewer, 0),
        (PRESENCE, EVERYBODY | {"e", "f", "g"}, 3),
    ):
        journal.masked(2, {part_name(part, 2): names}, floor=floor).unmasked(names)


def test_a_further_run_on_the_same_data_knows_who_was_in_sums(tmp_path: Path) -> None:
    """With one bakery fewer nothing of its rows is opened, until the table has a further day."""
    kept, fewer = store(tmp_path), EVERYBODY - {"a"}
    kept.write(kept.read().masked(5, {part_name(TOTALS, 1): EVERYBODY}, floor=3))
    kept.write(kept.read().unmasked(EVERYBODY))
    again = store(tmp_path, run="2").read()
    assert (again.step, again.opened) == (0, {})
    asked = {part_name(TOTALS, 1): fewer}
    with pytest.raises(RefusalError, match="the difference tells of a"):
        again.masked(1, asked, floor=3)
    store(tmp_path, run="2").write(again.masked(1, {part_name(TOTALS, 1): EVERYBODY}, floor=3))
    with pytest.raises(RefusalError, match="the difference tells of a"):
        store(tmp_path, run="3").read().masked(1, asked, floor=3)
    store(tmp_path, run="3", newest="2024-03-02").read().masked(1, asked, floor=3)


def test_a_further_run_on_the_same_data_knows_who_learned_from_a_model(tmp_path: Path) -> None:
    """With one bakery fewer, what a model teaches isn't opened; with as many others it is."""
    part, fewer = part_name(LEAF_GRADIENTS, "model"), EVERYBODY - {"a"}
    others, model = EVERYBODY | {"e", "f", "g"}, part_name(LEAF_GRADIENTS, "another model")
    kept = store(tmp_path)
    kept.write(kept.read().masked(5, {part: EVERYBODY}, floor=3))
    kept.write(kept.read().unmasked(EVERYBODY))
    store(tmp_path, run="2").write(store(tmp_path, run="2").read())
    again = store(tmp_path, run="3").read()
    for names, senders in ((fewer, fewer), (EVERYBODY, fewer)):
        with pytest.raises(RefusalError, match=r"what is learned from a model .* tells of a"):
            again.masked(1, {part: names}, floor=3).unmasked(senders)
    for name, names in ((part, EVERYBODY), (part, others), (model, fewer)):
        assert again.masked(1, {name: names}, floor=3).unmasked(names).opened
    newer = store(tmp_path, run="3", newest="2024-03-02").read()
    assert newer.masked(1, {part: fewer}, floor=3).unmasked(fewer).opened


def test_rows_and_unit_are_the_same_in_a_run() -> None:
    """They move the thresholds of rounding; a sum that needs neither has none."""
    journal = StepJournal().masked(1, {}).masked(2, {}, unit=2.0, rows=100).masked(3, {})
    journal.masked(4, {}, unit=2.0, rows=100)
    for unit, rows in ((2.5, 100), (2.0, 128)):
        with pytest.raises(RefusalError, match="as before in this run") as refused:
            journal.masked(4, {}, unit=unit, rows=rows)
        assert kind_of(refused) == "another unit than before"


def test_a_state_that_was_put_back_is_noticed(tmp_path: Path) -> None:
    """The home has gone on since; nothing is answered until the node starts with a fresh state."""
    kept = store(tmp_path)
    kept.write(kept.read().masked(1, {}))
    old = copy.deepcopy(kept.state)
    kept.write(kept.read().masked(2, {}))
    with pytest.raises(RefusalError, match="found 2 entries of this run; wanted 1") as refused:
        store(tmp_path, old).read()
    assert kind_of(refused) == "a state or home that was put back"
    assert store(tmp_path).read().step == 2


def test_a_home_that_was_put_back_is_noticed(tmp_path: Path) -> None:
    """To an older journal, to another run's, or to none."""
    kept = store(tmp_path)
    kept.write(kept.read().masked(1, {}))
    old = (tmp_path / FILE).read_bytes()
    kept.write(kept.read().masked(2, {}))
    (tmp_path / FILE).write_bytes(old)
    with pytest.raises(RefusalError, match="found 1 entries of this run; wanted 2"):
        kept.read()
    store(tmp_path, run="0").write(StepJournal())
    with pytest.raises(RefusalError, match="found none of this run; wanted 2"):
        kept.read()
    (tmp_path / FILE).unlink()
    with pytest.raises(RefusalError, match="found none of this run; wanted 2"):
        kept.read()


def test_one_sum_at_a_time(tmp_path: Path) -> None:
    """A second ClientApp of the same bakery is turned away while the first is at work."""
    with (
        store(tmp_path).locked(),
        pytest.raises(RefusalError, match="one at a time") as refused,
        store(tmp_path).locked(),
    ):
        pass
    assert kind_of(refused) == "another sum at work"
    with store(tmp_path).locked(), store(None).locked():
        pass


def test_two_at_once_on_one_state_do_not_both_answer(tmp_path: Path) -> None:
    """The second has the state as it was before the first, and the home as it is after."""
    first = store(tmp_path)
    first.write(first.read().masked(1, {}))
    second = store(tmp_path, copy.deepcopy(first.state))
    first.write(first.read().masked(2, {}))
    with pytest.raises(RefusalError):
        second.read()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"asked": {}, "colour": 1}'])
def test_a_damaged_journal_is_an_error_that_says_so(content: str, tmp_path: Path) -> None:
    """It isn't taken for none."""
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(FederationError, match="journal of sums can't be read"):
        store(tmp_path).read()


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Before anything is masked."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    broken = store(tmp_path / "file")
    for act in (broken.read, lambda: broken.write(StepJournal()), broken.locked().__enter__):
        with pytest.raises(FederationError, match="can't be used for the journal"):
            act()


def senders(found: Federation, model: GlobalModel) -> list[str]:
    """Who is in a sum of a model's scores."""
    rounds = found.rounds.sum_rounds
    with as_server(found.grid):
        totals = rounds.totals(1)
        request = SumRequest(
            (SCORES,), (SCORES,), unit_weight=totals.unit_weight, num_clients=totals.num_clients
        )
        asked = dict.fromkeys(sorted(rounds.manager.clients.present), request)
        return list(rounds.run(1, model, asked, length=ErrorSums.length()).replies)


def test_a_bakery_whose_state_was_put_back_stays_silent(tmp_path: Path) -> None:
    """No scores are opened without it; started anew, it makes new keys and is back."""
    found, grid = deployed(tmp_path, homes=True)
    start = found.rounds._strategy.first_model()
    with as_server(grid):
        found.rounds.sum_rounds.totals(1)
    host = grid._hosts[2]
    old = copy.deepcopy(host.context.state)
    model = found.run().model
    host.context.state = old
    assert senders(found, start) == []
    assert refusals(found) == {"a state or home that was put back"}
    host.context.state = RecordDict()
    assert senders(found, model) == [f"bakery {k}" for k in range(5)]


def test_a_job_that_is_run_again_without_one_bakery_opens_nothing(tmp_path: Path) -> None:
    """Each bakery's home remembers with whom; the tables have no further day."""
    found, _ = deployed(tmp_path, homes=True, num_server_rounds=1)
    found.run()
    nodes = [dict(host.context.node_config) for host in found.grid._hosts.values()]
    grid = LyingGrid(app, nodes[:4], found.settings.to_config(), run_id=2)
    grid.replies = {}
    folder = RunFolder.create(tmp_path / "again", run_id=2)
    with as_server(grid):
        clients, infos, newcomers = register_clients(grid, found.settings, folder)
        spec = negotiate_spec(infos, newcomers, found.settings)
        loop = training_loop(clients, found.settings, spec, infos, newcomers)
        with pytest.raises(FederationError, match="too like a sum opened already"):
            loop.run()
    assert not [reply for reply in grid.replies.values() if reply.vector]
