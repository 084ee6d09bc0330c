"""Bakeries leave and join a deployment: no difference of counts, hessians or scores is of few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from glean.client_app import app
from glean.errors import FederationError, ImpossibleSumError
from glean.federation.client.sum_responder import SumResponder
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.global_model import TreeModel
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.server.kept_leaves import KeptLeaves
from glean.federation.server.setup import register_clients, training_loop
from glean.federation.server.start_model import take_opened
from glean.federation.server.training_loop import TrainingResult
from glean.federation.server.training_state import Best, TrainingState
from glean.federation.wire.opened_cohorts import TRAINING, VALIDATION, rows_told
from glean.federation.wire.sum_request import (
    LEAF_GRADIENTS,
    LEAVES,
    TOTALS,
    WEIGHT_STEPS,
    SumRequest,
)
from glean.learning.forest import Forest
from glean.learning.structure import leaf_count
from glean.metric_sums import MetricSums
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue
from tests.churn import StepLog, Vanishing, churned, stop_the_clock
from tests.federation.server.churn_runs import REFIT, checkpoints
from tests.federations import Federation, events, member_nodes
from tests.tables import random_table

SIX = [f"bakery {number}" for number in range(6)]
FIRST, FLOOR = frozenset(SIX[:5]), 3

Run = tuple[Federation, StepLog, TrainingResult]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Five bakeries begin; bakery 5 joins in round 2, bakery 4 leaves in round 4 of five."""
    out = tmp_path_factory.mktemp("churned")
    tables = {}
    for name, rows in random_table(bakeries=6, days=80).rows.groupby("bakery"):
        tables[str(name)] = out / f"{name}.csv"
        rows.to_csv(tables[str(name)], index=False)
    with pytest.MonkeyPatch.context() as patch:
        stop_the_clock(patch)
        log = StepLog(patch)
        found, grid = churned(
            out / "run",
            "",
            {**REFIT, "share_scores": "auto", "num_server_rounds": 5, "early_stopping_rounds": 5},
            bakeries=6,
            nodes=member_nodes(out / "keys", tables),
            going={"bakery 4": (SUM, 4, 0)},
            coming={"bakery 5": (SUM, 2, 0)},
        )
        result = found.run()
        assert isinstance(grid, Vanishing)
        assert found.errors(result) is None
        yield found, log, result


def cohorts_of(log: StepLog) -> dict[str, list[frozenset[str]]]:
    """Whose numbers were in each opened sum, by the rows that it tells of."""
    found = defaultdict(list)
    for _, result in log.results:
        if result.replies:
            for part in {part for request in result.requests.values() for part in request.parts}:
                senders = frozenset(
                    name for name in result.replies if part in result.requests[name].contributes
                )
                found[rows_told(part)].append(senders)
    return found


def test_no_two_sums_differ_by_fewer_than_the_floor(run: Run) -> None:
    """Totals, counts, leaves with hessians, scores, error moments: all that were opened."""
    _, log, _ = run
    found = cohorts_of(log)
    assert {TRAINING, VALIDATION} <= found.keys()
    for rows in (TRAINING, VALIDATION):
        assert {*found[rows]} == {FIRST}
        assert not [1 for a, b in combinations(found[rows], 2) if 0 < len(a ^ b) < FLOOR]


def test_gradient_sums_go_on_without_the_one_who_left(run: Run) -> None:
    """Each round has a model of its own, and nobody's reply is lost over it."""
    found, log, result = run
    assert log.counted(LEAF_GRADIENTS, 5) == FIRST - {"bakery 4"}
    models = [Forest.from_bytes(content) for content in checkpoints(found)]
    assert [model.tree_count for model in models] == sorted({m.tree_count for m in models})
    assert result.last_round == 5
    assert {name for _, name, _ in found.failures()} == {"bakery 4"}


def test_a_round_without_a_score_says_so_and_its_model_is_taken(run: Run) -> None:
    """Its cells are empty; it has learned more than the last one that was scored."""
    found, _, result = run
    table = found.table("rounds.csv")
    scored = table["wape"].notna()
    assert scored.tolist() == [True, True, False, False, False]
    assert result.best_round == 5
    text = (found.folder.path / "rounds.csv").read_text().splitlines()
    assert text[-1].count(",,") >= 2
    told = [event for event in events(found.folder) if event["event"] == "round_unscored"]
    assert {(event["round"], event["missing"]) for event in told} == {
        (number, "bakery 4") for number in (3, 4, 5)
    }


def test_totals_are_opened_once(run: Run) -> None:
    """And kept, with who was in them, for a run that goes on from here."""
    found, log, result = run
    sums = [
        result for _, result in log.results if TOTALS in next(iter(result.requests.values())).parts
    ]
    assert len(sums) == 1
    kept = pd.read_json(found.folder.path / "cohorts.json", typ="series")
    learned = {frozenset(names): models for names, models in kept["opened"].pop("learned")}
    assert learned.keys() == {FIRST, FIRST - {"bakery 4"}}
    assert len({*chain(*learned.values())}) == result.last_round
    assert kept["opened"] == {TRAINING: [sorted(FIRST)], VALIDATION: [sorted(FIRST)]}


def test_a_run_that_resumes_without_one_bakery_opens_nothing_anew(run: Run, tmp_path: Path) -> None:
    """Totals and leaves come from the folder; gradients are summed over those who are left."""
    found, log, result = run
    later = RunFolder.create(tmp_path, run_id=2)
    take_opened(found.folder.path, later)
    nodes = [dict(host.context.node_config) for host in found.grid._hosts.values()]
    there = [node for node in nodes if node["bakery"] != "bakery 4"]
    state = TrainingState(4, result.model, Best(2, 0.1), result.model, b"")
    log.results.clear()
    grid = InProcessGrid(app, there, found.settings.to_config(), run_id=2)
    with as_server(grid):
        clients, infos, newcomers = register_clients(grid, found.settings, later)
        loop = training_loop(clients, found.settings, result.model.spec, infos, newcomers)
        assert loop.run(state).last_round == 5
    (sums,) = [each for _, each in log.results if each.replies]
    assert log.counted(LEAF_GRADIENTS, 5) == FIRST - {"bakery 4"} == sums.replies.keys()


def test_weights_are_averaged_on_without_telling_the_missing_one_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of fedavg the bakeries' own weights are summed up once; who is left goes steps, no leaps."""
    stop_the_clock(monkeypatch)
    log = StepLog(monkeypatch)
    sales = tmp_path / "five.csv"
    random_table(bakeries=5, days=80).rows.to_csv(sales, index=False)
    changes: dict[str, ConfigValue] = {
        "aggregation": "fedavg",
        "fedavg_model": "poisson",
        "share_scores": "no",
        "min_contributors": FLOOR,
        "num_server_rounds": 4,
    }
    going = {"bakery 4": (SUM, 2, 0)}
    found, _ = churned(tmp_path / "run", str(sales), changes, bakeries=5, going=going)
    honest = SumResponder._part

    def leaping(who: SumResponder, part: str, sums: MetricSums | None) -> NDArray[np.int64]:
        steps = honest(who, part, sums)
        leaps = part == WEIGHT_STEPS and who._client.name == "bakery 0" and who._task.round == 4
        return np.full_like(steps, 1 << 58) if leaps else steps

    monkeypatch.setattr(SumResponder, "_part", leaping)
    found.run()
    assert {*cohorts_of(log)[TRAINING]} == {FIRST}
    assert log.counted(WEIGHT_STEPS, 3) == FIRST - {"bakery 4"}
    assert len({*checkpoints_of(found)}) == 3
    told = [(e["round"], e["reason"]) for e in events(found.folder) if e["event"] == "sum_refused"]
    assert [number for number, _ in told] == [4, 4, 4]
    assert "found a weight that moved by " in told[0][1]


@pytest.mark.parametrize(("bakeries", "left"), [(7, 4), (5, 0)])
def test_who_leaves_before_the_first_leaves_takes_others_out_with_it(
    bakeries: int, left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many that the floor is kept; where too few are left the run ends and says for whom."""
    stop_the_clock(monkeypatch)
    log = StepLog(monkeypatch)
    sales = tmp_path / "table.csv"
    random_table(bakeries=bakeries, days=80).rows.to_csv(sales, index=False)
    changes: dict[str, ConfigValue] = {**REFIT, "min_contributors": FLOOR}
    going = {"bakery 1": (SUM, 1, 3)}
    found, _ = churned(tmp_path / "run", str(sales), changes, bakeries=bakeries, going=going)
    if not left:
        with pytest.raises(FederationError, match="bakery 1 is missing with whom counts"):
            found.run()
        return
    found.run()
    first, second = dict.fromkeys(cohorts_of(log)[TRAINING])
    assert (len(first), len(second), len(first - second)) == (bakeries, left, FLOOR)
    assert "bakery 1" not in second
    assert log.counted(LEAVES, 3) == second


def checkpoints_of(found: Federation) -> list[bytes]:
    return [path.read_bytes() for path in (found.folder.path / "models").glob("*.npz")]


def test_damaged_files_are_named(run: Run, tmp_path: Path) -> None:
    """Of whom what was opened has to be known; leaves only don't serve again."""
    found, _, _ = run
    later = RunFolder.create(tmp_path, run_id=2)
    manager = copy(found.rounds.manager)
    manager.clients = replace(manager.clients, folder=later)
    (later.path / "leaves.npz").write_bytes(b"PK")
    assert KeptLeaves(later).serving(3) is None
    (later.path / "cohorts.json").write_text('{"totals": 3}')
    with pytest.raises(FederationError, match=r"cohorts\.json is damaged"):
        CohortMemory(manager)


def test_gradients_of_a_model_are_summed_over_the_same_bakeries_or_lost(run: Run) -> None:
    """As of a round that is given up or taken back, after which one leaves; the run goes on."""
    found, _, result = run
    assert isinstance(result.model, TreeModel)
    sums = found.rounds.sum_rounds
    forest = replace(result.model.forest, trees=result.model.forest.trees[:1])
    other = TreeModel.of(forest)
    with as_server(found.grid):
        totals = sums.totals(6)
    request = SumRequest(
        (LEAF_GRADIENTS,),
        (LEAF_GRADIENTS,),
        rows=totals.rows,
        unit_weight=totals.unit_weight,
        num_clients=totals.num_clients,
    )

    def summed(model: TreeModel, names: Iterable[str]) -> object:
        with as_server(found.grid):
            return sums.run(
                6,
                model,
                dict.fromkeys(names, request),
                length=leaf_count(forest),
                structures=forest.to_bytes(),
            )

    there = sorted(found.clients.present)
    assert summed(result.model, there)
    assert summed(result.model, there)
    with pytest.raises(ImpossibleSumError, match=f"would tell of {there[0]}$"):
        summed(result.model, there[1:])
    assert summed(other, there[1:])
    with pytest.raises(ImpossibleSumError):  # also once another model was learned from
        summed(result.model, there[1:])
