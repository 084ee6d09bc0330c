"""Sums in groups, over real messages: a few liars move the model little, and are named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message
from numpy.typing import NDArray

from benchmarks.bad_members import ATTACKS, FORGED, lying
from glean.aggregation.robust_aggregation import median_noise
from glean.audit.received import received_by_server
from glean.audit.rerun import run_again
from glean.client_app import app as glean_app
from glean.errors import FederationError
from glean.evaluation import plain_conclusion
from glean.federation.client.sum_responder import SumResponder
from glean.federation.coordination.group_exchange import GroupExchange
from glean.federation.coordination.grouped_sums import GroupedSums, sums_of
from glean.federation.coordination.groups import FILE, Groups
from glean.federation.coordination.sum_noise import noise_in
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import DAY_GRADIENTS, SumRequest
from glean.learning.day_sums import UNIT
from glean.privacy.noise_budget import relied_on
from glean.privacy.place_sets import set_from_bytes
from glean.settings import ConfigValue, RunSettings
from tests.federations import (
    Federation,
    Honest,
    MeddledApp,
    events,
    federation_of,
    small_settings,
)
from tests.inprocess_runs import config_of, cut_off, facts_of, run
from tests.tables import random_table

pytestmark = pytest.mark.slow

BAKERIES = 18
NODES = tuple({"partition-id": k, "num-partitions": BAKERIES} for k in range(BAKERIES))
NAMES = sorted(f"bakery {k}" for k in range(BAKERIES))
BAD = {"bakery 1", "bakery 2"}
"""In two groups of six."""

KINDS: dict[str, dict[str, ConfigValue]] = {
    "oblivious": {"aggregation": "oblivious", "learning_rate": 0.0},
    "noise": {"aggregation": "oblivious", "learning_rate": 0.0, "privacy": "noise"},
}

Meddle = Callable[[Message, str, Honest], Message]


@pytest.fixture(scope="module")
def bakeries(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sales") / "many.csv"
    rows = random_table(bakeries=BAKERIES, products=1, days=60).rows
    with_swings(rows).to_csv(path, index=False)
    return str(path)


def with_swings(rows: pd.DataFrame) -> pd.DataFrame:
    """Let each bakery's demand swing from day to day, so that its last days say much of the next.

    Without, the level says all there is, and rounds are no better than the first model.
    """
    swings, rng = [], np.random.default_rng(5)
    for _, days in rows.groupby("bakery"):
        steps = rng.normal(0.0, 0.25, len(days))
        swing = np.zeros(len(days))
        for day in range(1, len(days)):
            swing[day] = 0.8 * swing[day - 1] + steps[day]
        swings.append(pd.Series(np.exp(swing), index=days.index))
    return rows.assign(units=(rows["units"] * pd.concat(swings)).round())


def honestly(_message: Message, _name: str, honest: Honest) -> Message:
    return honest()


def silent_for(*names: str) -> Meddle:
    """Some bakeries fail in every sum from the second round on."""

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        told = message.metadata
        if (
            NAMES[int(name.split()[1])] in names
            and told.message_type == SUM
            and int(told.group_id) > 1
        ):
            raise RuntimeError("away")
        return honest()

    return meddle


def grouped(
    out: Path, sales: str, kind: str, meddle: Meddle = honestly, **changes: ConfigValue
) -> Federation:
    config = {**KINDS[kind], "secure_sums": True, "min_contributors": 3, **changes}
    settings = small_settings(sales, **config)
    return federation_of(out, settings, nodes=NODES, app=MeddledApp(meddle))


def kinds_of(found: Federation) -> list[str]:
    return [event["event"] for event in events(found.folder)]


def groups_of(found: Federation) -> Groups:
    groups = found.rounds.sum_rounds.groups
    assert groups is not None
    return groups


def opened_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[int, SumResult]]:
    """All sums that groups open from now on, step by step."""
    steps: list[dict[int, SumResult]] = []
    honest = GroupExchange.open_sums

    def spy(exchange: GroupExchange, *parts: object) -> dict[int, SumResult]:
        found = honest(exchange, *parts)  # type: ignore[arg-type]
        steps.append(found)
        return found

    monkeypatch.setattr(GroupExchange, "open_sums", spy)
    return steps


def test_masks_change_nothing(tmp_path: Path, bakeries: str) -> None:
    """The same model, to the byte; each group's sum was masked among its own."""
    models = [
        grouped(tmp_path / str(masked), bakeries, "oblivious", secure_sums=masked)
        .run()
        .model.to_bytes()
        for masked in (True, False)
    ]
    assert models[0] == models[1]


def test_a_run_without_a_floor_or_with_too_few_has_none(tmp_path: Path, bakeries: str) -> None:
    """18 are six times 3, and no six times 4; `histogram` has no floor."""
    for name, changes in {
        "none": {"min_contributors": 0},
        "four": {"min_contributors": 4},
        "histogram": {"aggregation": "histogram", "min_contributors": 0},
    }.items():
        found = grouped(tmp_path / name, bakeries, "oblivious", **changes)  # type: ignore[arg-type]
        assert not isinstance(found.rounds.sum_rounds, GroupedSums)
        assert not (found.folder.path / FILE).exists()


@pytest.mark.parametrize("attack", ["random words", "scaled gradient"])
def test_two_liars_of_eighteen_move_nothing_beyond_the_others(
    attack: str, tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number of each sum is within those of groups without a liar; the run ends, scored."""
    steps = opened_in(monkeypatch)
    totals: list[NDArray[np.int64]] = []
    honest = GroupedSums._median

    def median(sums: GroupedSums, whole: object, usable: dict[int, SumResult]) -> SumResult:
        found = honest(sums, whole, usable)  # type: ignore[arg-type]
        totals.append(found.total)
        return found

    monkeypatch.setattr(GroupedSums, "_median", median)
    found = grouped(tmp_path, bakeries, "oblivious")
    with lying(BAD, attack):
        result = found.run()
    groups = groups_of(found)
    spoilt = {groups.places[name] for name in BAD}
    assert len(spoilt) == 2
    assert len(totals) == len(steps) == 4  # totals, hessians and two rounds of gradients
    for total, opened in zip(totals, steps, strict=True):
        means = np.array([one.total for place, one in opened.items() if place not in spoilt]) / 3
        assert (total >= BAKERIES * means.min(axis=0) - 1).all()
        assert (total <= BAKERIES * means.max(axis=0) + 1).all()
    assert result.last_round == 2
    assert 0 < found.table("rounds.csv")["wape"].iloc[-1] < 1
    named = [event for event in events(found.folder) if event["event"] == "group_left_out"]
    if attack == "random words":
        assert {frozenset(event["members"]) for event in named} == {
            frozenset(groups.members[place]) for place in spoilt
        }
    assert {groups.places[event["members"][0]] for event in named} <= spoilt


def test_liars_who_hide_in_noise_are_told_by_what_is_accounted(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They send six times the noise of a group; honest groups are never left out."""
    rng = np.random.default_rng(6)

    def hidden(_part: str, honest: NDArray[np.int64], who: SumResponder) -> NDArray[np.int64]:
        parties = who.request.num_clients
        each = part_deviation(DAY_GRADIENTS, who._client.settings, parties=parties)
        noise = rng.normal(0.0, 6.0 * each * math.sqrt(parties), len(honest))
        return honest + np.rint(noise).astype(np.int64)

    monkeypatch.setitem(ATTACKS, "hidden", hidden)
    for bad in (set(), BAD):
        found = grouped(tmp_path / str(len(bad)), bakeries, "noise")
        with lying(bad, "hidden"):
            found.run()
        named = [event for event in events(found.folder) if event["event"] == "group_left_out"]
        places = groups_of(found).places
        assert {places[event["members"][0]] for event in named} == {places[name] for name in bad}


@pytest.mark.parametrize("shared", ["yes", "no"])
def test_forged_scores_choose_no_round(shared: str, tmp_path: Path, bakeries: str) -> None:
    """The first model praised, the second damned: the change is about that without liars."""
    found = []
    for liars in (set(), BAD):
        federation = grouped(
            tmp_path / str(len(liars)),
            bakeries,
            "oblivious",
            secure_sums=shared == "no",
            share_scores=shared,
        )
        with lying(liars, FORGED):
            federation.run()
        wapes = federation.table("rounds.csv")["wape"]
        told = federation.table("bakery_rounds.csv").pivot_table("wape", "bakery", "round")
        first = [e for e in events(federation.folder) if e["event"] == "first_model_better"]
        told[0] = pd.Series(first[0]["scores"]) if first else told[1]
        honest = told[told[0] > 0]
        changes = [(honest[number] / honest[0]).median() for number in (1, 2)]
        assert wapes[1] / wapes[0] == pytest.approx(changes[1] / changes[0])
        found.append(wapes)
        assert "round_taken_back" not in kinds_of(federation)
    learned = [each.iloc[1] / each.iloc[0] - 1 for each in found]
    assert abs(learned[1] - learned[0]) < 0.01


def test_groups_take_no_more_exchanges_than_one_sum(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are asked at once: for keys, vectors and shares."""
    pushed: Counter[str] = Counter()
    honest = InProcessGrid.push_messages

    def push(grid: InProcessGrid, messages: Iterable[Message]) -> Iterable[str]:
        sent = list(messages)
        pushed.update({each.metadata.message_type for each in sent})
        return honest(grid, sent)

    monkeypatch.setattr(InProcessGrid, "push_messages", push)
    counts = []
    for floor in (0, 3):
        pushed.clear()
        grouped(tmp_path / str(floor), bakeries, "oblivious", min_contributors=floor).run()
        counts.append(Counter(pushed))
    assert counts[0] == counts[1]
    assert counts[1][SUM] == 5


def test_a_group_that_lacks_one_stays_closed_and_the_others_go_on(
    tmp_path: Path, bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two groups of six; where half lack one, rounds are given up, and the run ends."""
    steps = opened_in(monkeypatch)
    found = grouped(tmp_path / "two", bakeries, "oblivious", silent_for(*BAD))
    assert found.run().last_round == 2
    assert found.table("rounds.csv")["replies"].tolist() == [18, 12]
    lacking = {groups_of(found).places[name] for name in BAD}
    assert [{*step} & lacking for step in steps][-1] == set()
    away = [names[0] for names in groups_of(found).members[:3]]
    half = grouped(tmp_path / "half", bakeries, "oblivious", silent_for(*away))
    assert half.run().last_round == 2
    assert half.table("rounds.csv")["replies"].tolist() == [18, 0]
    assert "round_given_up" in kinds_of(half)


def test_no_two_opened_sums_differ_by_fewer_than_the_floor(tmp_path: Path, bakeries: str) -> None:
    """Hidden scores and one that leaves: the scores of its group, too, aren't opened then."""
    found = grouped(tmp_path, bakeries, "oblivious", silent_for("bakery 5"), share_scores="no")
    found.run()
    place = groups_of(found).places["bakery 5"]
    for cohorts in found.rounds.sum_rounds.cohorts._opened.cohorts.values():
        assert all(len(one ^ other) >= 3 for one, other in combinations(cohorts, 2))
        assert all(len(one) >= 3 for one in cohorts)
    rows = found.table("bakery_rounds.csv")
    for number in (1, 2):
        labels = {*rows["bakery"][rows["round"] == number]}
        assert labels == {f"(group {k + 1})" for k in range(6) if k != place}


def test_each_group_carries_all_the_noise_that_is_accounted(tmp_path: Path, bakeries: str) -> None:
    """So few alone give it: each bakery is told the size of its group, and adds its part."""
    told: list[tuple[str, SumRequest, int]] = []

    def meddle(message: Message, name: str, honest: Honest) -> Message:
        if message.metadata.message_type == SUM:
            task = SumTask.from_record(message.content)
            asked = set_from_bytes(task.participants).bit_count()
            told.append((name, SumRequest.from_json(task.request), asked))
        return honest()

    found = grouped(tmp_path, bakeries, "noise", meddle)
    found.run()
    assert len(told) >= 4 * BAKERIES
    assert {(request.num_clients, asked) for _, request, asked in told} == {(3, 3)}
    one, whole = (part_deviation(DAY_GRADIENTS, found.settings, parties=n) for n in (3, 1))
    assert one**2 * relied_on(3) >= (whole - 1) ** 2
    groups, sums = groups_of(found), found.rounds.sum_rounds
    everybody = [name for each in groups.members for name in each]
    each = np.full(6, one * 3**0.5 / UNIT)
    expected = median_noise(each, np.full(6, 3.0), size=18.0)
    assert noise_in(sums, DAY_GRADIENTS, everybody) == pytest.approx(expected)
    score = found.rounds.score_noise
    assert score > 0


def test_a_run_that_resumes_has_the_groups_that_it_began_with(
    tmp_path: Path,
) -> None:
    """The same model and rounds; also the file, which is taken over as it is. On the irises."""
    config = config_of(
        "", workload="iris", learning_rate=0.1, min_contributors=3, num_server_rounds=3
    )
    with mock.patch.object(plain_conclusion.PlainConclusion, "write_report"):
        whole = run(tmp_path / "whole", config, nodes=NODES)
        old = cut_off(tmp_path / "out", config, round_number=3, nodes=NODES)
        new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=NODES)
    assert facts_of(whole)["best_round"] == facts_of(new)["best_round"]
    for name in ("model.npz", "bakery_rounds.csv", FILE):
        assert (new / name).read_bytes() == (whole / name).read_bytes()
    scores = [pd.read_csv(folder / "rounds.csv").iloc[:, 4] for folder in (whole, new)]
    assert scores[0].tolist() == scores[1].tolist()


def test_one_that_wants_more_than_most_is_left_out(tmp_path: Path, bakeries: str) -> None:
    """Its word would keep the others from being safe from each other; it is named."""
    found = grouped(tmp_path, bakeries, "oblivious", min_contributors=0)
    manager = found.rounds.manager
    wanted = dict.fromkeys(manager.infos, 3) | {"bakery 0": 900}
    for name, info in manager.infos.items():
        manager.infos[name] = replace(info, own_table=True, min_contributors=wanted[name])
    manager.settings = replace(manager.settings, min_contributors=3)
    assert sums_of(manager).groups is None  # 17 are too few for six groups of 3
    manager.infos["newcomer"] = replace(manager.infos["bakery 1"], bakery="newcomer")
    groups = sums_of(manager).groups
    assert groups is not None
    assert "bakery 0" not in groups.places
    assert [(name, reason) for _, name, reason in found.failures()] == [
        ("bakery 0", "its own min-contributors wants 900 in each sum; a group has 3")
    ]


def test_a_liar_that_scores_beyond_what_rows_can_have_is_no_group_s(
    tmp_path: Path, bakeries: str
) -> None:
    """Its group has no score in that round, and the others do."""
    found = grouped(tmp_path, bakeries, "oblivious", share_scores="no")
    with lying({"bakery 1"}, FORGED, boast=-30.0):
        found.run()
    assert np.isfinite(found.table("rounds.csv")["wape"]).all()
    place = groups_of(found).places["bakery 1"]
    rows = found.table("bakery_rounds.csv")
    assert f"(group {place + 1})" not in {*rows["bakery"]}


def test_damaged_groups_are_named(tmp_path: Path, bakeries: str) -> None:
    """Without them nothing may be opened."""
    found = grouped(tmp_path, bakeries, "oblivious")
    (found.folder.path / FILE).write_bytes(b"[")
    with pytest.raises(FederationError, match=r"groups\.json is damaged"):
        sums_of(found.rounds.manager)


def test_an_audit_works_out_each_group_s_sum(
    bakeries: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, out of messages that groups had side by side."""
    steps = opened_in(monkeypatch)
    config = config_of(
        bakeries, **KINDS["oblivious"], secure_sums=True, min_contributors=3, num_server_rounds=1
    )
    rerun = run_again(RunSettings.from_config(config), range(BAKERIES), glean_app, newcomers=())
    had = [one for step in steps for one in step.values()]
    found = received_by_server(rerun.exchanges).sums
    assert len(found) == len(had) == 18  # totals, hessians and gradients of six groups
    for mine, own in zip(found, had, strict=True):
        np.testing.assert_array_equal(mine.total, own.total)
        assert {*mine.senders} == own.replies.keys()
