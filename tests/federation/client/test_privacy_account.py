"""What a bakery's days spend in runs with noise, over real messages and on disk."""

from __future__ import annotations

import datetime as dt
import errno
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from glean.demand.partition import BakeryPartition
from glean.errors import FederationError, RefusalError
from glean.features.bakery_rows import bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.federation.client import ledger_store, noised_vector
from glean.federation.client.client import TOO_LITTLE
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.ledger_store import FILE, LedgerStore
from glean.federation.client.policy import ClientPolicy
from glean.federation.client.privacy_account import PrivacyAccount
from glean.federation.coordination.global_model import TreeModel
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.grids.inprocess import as_server
from glean.federation.server.oblivious import ObliviousStrategy
from glean.federation.server.training_loop import TrainingResult
from glean.federation.server.training_state import TrainingState
from glean.federation.wire.noised_parts import part_deviation, release_of, whole_run
from glean.federation.wire.sum_request import (
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
)
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import DAY_GRADIENT, DAY_WEIGHT, UNIT, DaySums
from glean.learning.oblivious_trees import LEAVES_PER_ROUND, TREES_PER_ROUND, random_trees
from glean.node_settings import NodeSettings
from glean.operations.planning.bakery_context import make_context, read_bakery
from glean.operations.planning.plan import make_plan
from glean.privacy.noise_budget import relied_on
from glean.privacy.privacy_ledger import SCORED, TRAINING, Days, PrivacyLedger
from glean.settings import RunSettings
from tests.federations import CapturingGrid, Federation, Honest
from tests.noised_deployment import Bakeries, MeddledBakeries, noised

DAY = pd.Timedelta(days=1)


@pytest.fixture(autouse=True, scope="module")
def forgetful_disk() -> Iterator[mock.Mock]:
    """A disk that is quick, as a test's need not outlive a power cut."""
    with mock.patch.object(os, "fsync") as synced:
        yield synced


NEVER = 200.0
"""An epsilon that stands for none."""


def epsilon_by_densities(mus: list[float], delta: float) -> float:
    """Epsilon of Gaussian releases, by the hockey stick of two normal distributions.

    Shares nothing with the package: SciPy's normal distribution, and its root finder.
    """
    mu = math.hypot(*mus)
    if mu == 0.0:
        return 0.0

    def excess(epsilon: float) -> float:
        first = stats.norm.sf(epsilon / mu - mu / 2)
        second = math.exp(epsilon + stats.norm.logsf(epsilon / mu + mu / 2))
        return float(first - second - delta)

    return float(optimize.brentq(excess, 0.0, NEVER)) if excess(0.0) > 0 else 0.0


def mu_of_noise(part: str, run: RunSettings) -> float:
    """What a part costs, by the noise that two thirds of 30 bakeries really add to it."""
    added = part_deviation(part, run, parties=30) / UNIT * math.sqrt(relied_on(30))
    trees = TREES_PER_ROUND * run.rounds.num_server_rounds
    moved = {DAY_HESSIANS: DAY_WEIGHT * math.sqrt(trees), DAY_GRADIENTS: DAY_GRADIENT}
    return moved[part] / added


class Bakery:
    """A bakery whose table, process and disk do what a test wants; an account of its own."""

    def __init__(self, home: Path, total: float) -> None:
        self.home = home
        self.node = NodeSettings(sales="/a/table", home=str(home), epsilon_total=total)
        self.states: defaultdict[int, RecordDict] = defaultdict(RecordDict)
        self.days: dict[str, Days] = {TRAINING: frozenset(), SCORED: frozenset()}
        self.mus: defaultdict[str, list[float]] = defaultdict(list)

    def import_table(self, first: int, length: int) -> None:
        """Have days from a first one on, the last third of them for validation."""
        dates = [str(dt.date(2026, 1, 1) + dt.timedelta(days=first + k)) for k in range(length)]
        split = length * 2 // 3
        self.days = {TRAINING: frozenset(dates[:split]), SCORED: frozenset(dates[split:])}

    def asked(self, part: str, run: RunSettings, *, run_id: int, number: int, ends: str) -> None:
        """Be asked for a part; what leaves is noted, as the server might note it."""
        policy = ClientPolicy(self.node, run, own_table=True)
        partition = SimpleNamespace(days=self.days.__getitem__)
        client: Any = SimpleNamespace(settings=run, policy=policy, partition=partition)
        journal = JournalStore(self.states[run_id], self.home, str(run_id))
        account = PrivacyAccount.of(client, journal)
        assert account is not None
        charge = account.charge({part: 1}, number=number)
        if ends != "before the ledger":
            try:
                entry = replace(journal.read().noted(), ledger=charge.write())
            except RefusalError:  # another run came between: nothing leaves
                return
            if ends != "after the ledger":
                journal.write(entry)
                # From here on it may have left, whatever happens to the process.
                for day in charge.days[part] if part != CLIPPED_SCORE else ():
                    self.mus[day].append(mu_of_noise(part, run))
        if ends:
            self.states.clear()

    def put_back(self, copy_of_ledger: bytes) -> None:
        """Have an old ledger for a moment, and be asked: nothing leaves."""
        newest = (self.home / FILE).read_bytes()
        (self.home / FILE).write_bytes(copy_of_ledger)
        with pytest.raises(RefusalError, match="put back from a copy"):
            self.asked(DAY_HESSIANS, noised(), run_id=99, number=1, ends="")
        (self.home / FILE).write_bytes(newest)


PARTS = (DAY_HESSIANS, DAY_GRADIENTS, CLIPPED_SCORE)
ENDS = ("", "", "", "before the ledger", "after the ledger", "after the journal")
RUNS = [
    noised(epsilon=epsilon, num_server_rounds=rounds, delta=delta)
    for epsilon, rounds, delta in [(4.0, 20, 1e-6), (4.0, 2, 1e-6), (0.5, 1, 1e-6), (2.0, 3, 1e-3)]
]

asked = st.tuples(
    st.sampled_from(PARTS),
    st.sampled_from(range(len(RUNS))),
    st.integers(1, 4),
    st.integers(1, 20),
    st.sampled_from(ENDS),
    st.integers(1, 4),
)
imported = st.tuples(st.integers(0, 9), st.integers(3, 12))
events = st.lists(st.one_of(asked, imported), min_size=5, max_size=40)


@settings(max_examples=30)
@given(total=st.sampled_from([0.0, 0.7, 4.0, 6.0, 9.0]), happens=events)
def test_no_day_ever_spends_more_than_its_owner_allows(
    total: float, happens: list[tuple[Any, ...]]
) -> None:
    """Whatever runs, repeats, tables, kills and old copies follow each other.

    What left is added up from the noise that is really drawn, by other formulas.
    """
    allowed = total or epsilon_by_densities([math.sqrt(2 * whole_run(noised()))], 1e-6)
    with TemporaryDirectory() as folder:
        bakery = Bakery(Path(folder), total)
        bakery.import_table(0, 9)
        old = None
        for event in happens:
            if len(event) == 2:
                bakery.import_table(*event)
                continue
            part, run, run_id, number, ends, times = event
            for _ in range(times):
                bakery.asked(part, RUNS[run], run_id=run_id, number=number, ends=ends)
            seen = JournalStore(RecordDict(), bakery.home, "").ledger_seen()
            if old is not None and PrivacyLedger.from_json(old.decode()).count < seen:
                bakery.put_back(old)
            elif (bakery.home / FILE).exists():
                old = (bakery.home / FILE).read_bytes()
        for mus in {tuple(mus) for mus in bakery.mus.values()}:
            assert epsilon_by_densities([*mus], 1e-6) <= allowed * (1 + 1e-6)


def test_a_total_is_used_up(tmp_path: Path) -> None:
    """What is allowed can be had: the bound above isn't kept by letting nothing leave."""
    bakery = Bakery(tmp_path, 0.0)
    bakery.import_table(0, 9)
    for run_id in range(3):
        for number in range(21):
            part = DAY_GRADIENTS if number else DAY_HESSIANS
            bakery.asked(part, noised(num_server_rounds=20), run_id=run_id, number=number, ends="")
    for day in bakery.days[TRAINING]:
        mus = bakery.mus[day]
        assert len(mus) == 42
        assert epsilon_by_densities(mus, 1e-6) == pytest.approx(5.934, abs=1e-3)


def ledger_of(tmp_path: Path) -> LedgerStore:
    return LedgerStore(tmp_path / "home")


def test_a_ledger_is_kept_in_a_new_home(tmp_path: Path, forgetful_disk: mock.Mock) -> None:
    """An empty one is none at all; what can't be read or written is said, with the place."""
    store = ledger_of(tmp_path)
    assert store.read() == PrivacyLedger()
    forgetful_disk.reset_mock()
    store.write(PrivacyLedger(count=3))
    assert forgetful_disk.call_count == 2  # the file, and its name in the folder
    assert store.read(at_least=3).count == 3
    assert [path.name for path in store.home.iterdir()] == [FILE]
    with pytest.raises(RefusalError, match="found 3 releases; wanted 4") as refused:
        store.read(at_least=4)
    assert refused.value.kind == "a state or home that was put back"
    (store.home / FILE).write_text('{"count": ', encoding="utf-8")
    with pytest.raises(RefusalError, match=f"{FILE}, the ledger .* can't be read") as refused:
        store.read()
    assert refused.value.kind == "a ledger that can't be used"
    (store.home / FILE).unlink()
    with pytest.raises(RefusalError, match="or deleted"):
        store.read(at_least=3)
    (tmp_path / "file").write_text("", encoding="utf-8")
    broken = LedgerStore(tmp_path / "file")
    for act in (broken.read, lambda: broken.write(PrivacyLedger())):
        with pytest.raises(RefusalError, match="the ledger of what days here"):
            act()


def spent(ledger: PrivacyLedger, window: str = TRAINING) -> set[float]:
    return {round(amount, 9) for amount in ledger.spent[window].values()}


def test_each_vector_of_a_run_is_charged_before_it_leaves(tmp_path: Path) -> None:
    """At the end each training day has spent the run, each validation day its score."""
    bakeries = Bakeries(tmp_path)
    counted: list[tuple[str, int, int]] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        place = int(name.split()[1])
        before = bakeries.ledger(place).count
        reply = honest()
        counted.append((message.metadata.message_type, before, bakeries.ledger(place).count))
        return reply

    found = bakeries.meet(app=MeddledBakeries(meddle), num_server_rounds=3)
    found.run()
    assert [(before, after) for kind, before, after in counted if kind == SUM] == [
        (place, place + 1) for place in range(5) for _ in range(3)
    ]
    assert all(before == after for kind, before, after in counted if kind != SUM)
    whole = round(whole_run(noised(num_server_rounds=3)), 9)
    for bakery in range(3):
        ledger = bakeries.ledger(bakery)
        assert (spent(ledger), spent(ledger, SCORED)) == ({whole}, {round(whole / 3, 9)})
        assert (ledger.days, ledger.reserved) == (frozenset(ledger.spent[TRAINING]), 0.0)


def summed_hessians(found: Federation) -> NDArray[np.float64]:
    """What the server opens before the first round."""
    strategy = ObliviousStrategy(found.rounds.manager, found.rounds.sum_rounds)
    with as_server(found.grid):
        return np.frombuffer(strategy.init(found.rounds._start or strategy.first_model()))


def test_a_month_later_only_new_days_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two runs use the old days up; the third goes on from the model with the new ones alone."""
    bakeries = Bakeries(tmp_path)
    for _ in range(2):
        model = bakeries.meet(num_server_rounds=1).run().model
    assert isinstance(model, TreeModel)
    old = bakeries.ledger().days
    assert max(old) == "2023-02-23"
    bakeries.write_tables(110)
    # Without noise what is opened is the sum over the days that take part, and no other.
    monkeypatch.setattr(
        noised_vector, "sample", lambda _, length, **__: np.zeros(length, dtype=np.int64)
    )
    with caplog.at_level("INFO"):
        later = bakeries.meet(num_server_rounds=1, start=model)
        weights = summed_hessians(later)
    new = bakeries.ledger().days
    assert new
    assert min(new) > max(old)
    assert f"{len(new)} of the {len(old) + len(new)} days here take part" in caplog.text
    settings_ = later.settings
    expected = np.zeros(LEAVES_PER_ROUND)
    for node in bakeries.nodes:
        rows = bakery_rows_of(NodeSettings.from_config(node), settings_)
        assert rows is not None
        definition = FeatureDefinition.from_json(later.rounds.manager.spec)
        training = rows.training(definition).between(start=pd.Timestamp(max(old)) + DAY)
        layout = BinLayout(definition, settings_.boosting.bins)
        trees = random_trees(layout, seed=settings_.seed, number=1)
        expected += DaySums(training, layout).hessians(trees) / UNIT
    np.testing.assert_allclose(weights, expected)
    grown = later.run().model
    assert isinstance(grown, TreeModel)
    assert grown.forest.tree_count == model.forest.tree_count + TREES_PER_ROUND


def test_a_day_is_a_date_under_whatever_name_it_comes(tmp_path: Path) -> None:
    """Another path, other products, another order of rows: it has spent what it has spent."""
    bakeries = Bakeries(tmp_path, policy={"epsilon_total": 4.0})
    begun(bakeries.meet(num_server_rounds=1))
    spent_up = bakeries.ledger()
    bakeries.export_anew(0)
    found = bakeries.meet(num_server_rounds=1)
    assert not any(info.trains for info in found.bakeries.values())
    rows = bakery_rows_of(NodeSettings.from_config(bakeries.nodes[0]), found.settings)
    assert rows is not None
    assert BakeryPartition(rows).days(TRAINING) == frozenset(spent_up.spent[TRAINING])
    assert bakeries.ledger() == spent_up


@pytest.mark.slow
def test_a_bakery_without_any_left_gets_the_model_and_its_plan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It learns nothing; the server is told that, and no more; its own log says why."""
    bakeries = Bakeries(tmp_path)
    for _ in range(2):
        model = bakeries.meet(num_server_rounds=1).run().model
    spent_up = bakeries.ledger(2)
    bakeries.write_tables(110, but=["bakery 2"])
    caplog.clear()
    with caplog.at_level("WARNING"):
        found = bakeries.meet(num_server_rounds=1, start=model, min_available_bakeries=3)
    assert "too much of what epsilon-total=5.93 allows" in caplog.text
    assert {name: info.note for name, info in found.bakeries.items()} == {
        "bakery 0": "",
        "bakery 1": "",
        "bakery 2": TOO_LITTLE,
    }
    assert not found.bakeries["bakery 2"].trains
    with as_server(found.grid):
        found.rounds.test(TrainingResult(model, 1, 1))
    assert bakeries.ledger(2) == spent_up
    table = read_bakery(bakeries.tables["bakery 2"], "")
    context = make_context(bakeries.home(2), table, products={}, bakery="bakery 2")
    plan = make_plan(context, {}, date=None).plan
    assert [line.bake > 0 for line in plan.products] == [True, True]


def rounds_from(found: Federation, state: TrainingState, rounds: int) -> TrainingState:
    """Run some rounds."""
    with as_server(found.grid):
        for _ in range(rounds):
            state = found.rounds._round(state)
    return state


def begun(found: Federation) -> TrainingState:
    """Ask for what comes before the first round."""
    with as_server(found.grid):
        return found.rounds._begin()


def test_a_resumed_run_is_charged_for_what_it_asks(tmp_path: Path) -> None:
    """Its steps are new releases; with room for the rest of a run it goes on with the same days."""
    bakeries = Bakeries(tmp_path, policy={"epsilon_total": 5.0})
    run = noised(num_server_rounds=4)
    broken = bakeries.meet(num_server_rounds=4)
    after_two = rounds_from(broken, begun(broken), 2)
    rounds_from(broken, after_two, 1)
    days = bakeries.ledger().days
    resumed = bakeries.meet(num_server_rounds=4, resume="/the/interrupted/run")
    assert all(info.trains for info in resumed.bakeries.values())
    rounds_from(resumed, after_two, 2)
    round_ = release_of(DAY_GRADIENTS, run, number=1).cost
    ledger = bakeries.ledger()
    assert (ledger.days, ledger.count) == (days, 7)
    assert spent(ledger) == {round(whole_run(run) + round_, 9)}
    assert not any(info.trains for info in bakeries.meet(num_server_rounds=4).bakeries.values())


def test_a_lost_sum_is_charged_and_so_is_its_repeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody opens a sum of which all were charged; it is made anew, and days run out of room."""
    bakeries = Bakeries(tmp_path, policy={"epsilon_total": 4.0})
    lost: list[str] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == UNMASK and message.metadata.group_id == "2":
            lost.append(name)
            if len(lost) <= 3:
                raise RuntimeError("the question is lost")
        return honest()

    found = bakeries.meet(app=MeddledBakeries(meddle), num_server_rounds=3)
    before = rounds_from(found, begun(found), 1)
    with caplog.at_level("WARNING"):
        rounds_from(found, before, 2)
    run = noised(num_server_rounds=3)
    for bakery in range(3):
        ledger = bakeries.ledger(bakery)
        # Hessians, rounds 1 and 2, and 2 again; of round 3 and its score it sends noise.
        assert ledger.count == 6
        assert spent(ledger) == {round(whole_run(run), 9)}
        assert ledger.days == frozenset()
    assert "days leave this run before its end: steps were repeated" in caplog.text


def test_a_lost_sum_is_made_again_over_others(tmp_path: Path) -> None:
    """Two have opened their part of it; over fewer it has noise of its own, and is charged."""
    bakeries = Bakeries(tmp_path, bakeries=4)
    last, before_last = "bakery 3", "bakery 2"
    lost: list[str] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        kind, about = message.metadata.message_type, message.metadata.group_id
        if kind == UNMASK and about == "1" and name in (last, before_last) and name not in lost:
            lost.append(name)
            raise RuntimeError("the question is lost")
        if kind == SUM and name == last and lost:
            raise RuntimeError("gone")
        return honest()

    found = bakeries.meet(app=MeddledBakeries(meddle), num_server_rounds=1)
    begun(found)
    assert lost == [before_last, last]
    assert [bakeries.ledger(bakery).count for bakery in range(4)] == [2, 2, 2, 1]


class Killed(BaseException):
    """The process is gone."""


def test_a_kill_between_ledger_and_message_loses_no_charge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stays charged, though it never left; the bakery goes on with new keys."""
    bakeries = Bakeries(tmp_path)
    found = bakeries.meet(num_server_rounds=2)
    with monkeypatch.context() as patched:
        patched.setattr(JournalStore, "write", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            begun(found)
    assert bakeries.ledger().count == 1
    bakeries.start_anew()
    begun(bakeries.meet(num_server_rounds=2))
    hessians = release_of(DAY_HESSIANS, noised(num_server_rounds=2), number=1).cost
    assert bakeries.ledger().count == 2
    assert spent(bakeries.ledger()) == {round(2 * hessians, 9)}


def full_disk(path: Path, _content: bytes) -> Path:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_on_a_full_disk_nothing_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The bakery says why in one line; the server hears the kind."""
    bakeries = Bakeries(tmp_path)
    found = bakeries.meet(num_server_rounds=1, grid_type=CapturingGrid)
    monkeypatch.setattr(ledger_store, "write_whole", full_disk)
    with pytest.raises(FederationError):
        begun(found)
    assert "refused (a ledger that can't be used): home" in caplog.text
    assert "No space left on device" in caplog.text
    assert "Nothing is sent" in caplog.text
    assert found.failures()
    for *_, reason in found.failures():
        assert "the bakery refuses: a ledger that can't be used; its own log says more" in reason
    assert isinstance(found.grid, CapturingGrid)
    sent = [m for m in found.grid.captured if m.metadata.message_type == SUM and m.has_content()]
    assert not [m for m in sent if m.metadata.reply_to_message_id]
    assert bakeries.ledger() == PrivacyLedger()


def test_a_damaged_ledger_keeps_its_bakery_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before anything is asked but its name; the others meet."""
    bakeries = Bakeries(tmp_path)
    begun(bakeries.meet(num_server_rounds=1))
    (bakeries.home(1) / FILE).write_text("{", encoding="utf-8")
    found = bakeries.meet(num_server_rounds=1)
    assert list(found.bakeries) == ["bakery 0", "bakery 2"]
    assert "refused (a ledger that can't be used)" in caplog.text
    (bakeries.home(1) / FILE).unlink()
    assert list(bakeries.meet(num_server_rounds=1).bakeries) == ["bakery 0", "bakery 2"]
    assert "refused (a state or home that was put back)" in caplog.text
