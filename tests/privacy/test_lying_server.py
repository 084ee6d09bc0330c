"""A server that lies about what it asks: no bakery's numbers come of it, and bakeries say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pytest

from glean.aggregation_kinds import ALL_PARTS
from glean.errors import FederationError
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.grids.inprocess import as_server
from glean.federation.server.training_loop import TrainingResult
from glean.federation.wire.model_state import trees_state
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import (
    FINAL,
    LEAF_GRADIENTS,
    LEAVES,
    SCORES,
    TOTALS,
    SumRequest,
)
from glean.learning.forest import Forest
from glean.learning.structure import leaf_count
from glean.learning.tree import Tree
from glean.metrics import ErrorSums
from tests.federations import Federation
from tests.lying_server import Lie, LyingGrid, asked, deployed, refusals, with_request

NAMES = [f"bakery {k}" for k in range(5)]
VICTIM, OTHERS = "bakery 2", [f"bakery {k}" for k in (0, 1, 3, 4)]
ONLY_VICTIM, EVERYBODY = f"{1 << 2:x}", f"{(1 << 5) - 1:x}"
LENGTH = ErrorSums.length()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Federation, GlobalModel]:
    """Five bakeries after two honest rounds; three are enough for a sum."""
    found, _ = deployed(tmp_path_factory.mktemp("five"))
    return found, found.run().model


@pytest.fixture
def lying(
    run: tuple[Federation, GlobalModel], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Federation, GlobalModel, LyingGrid]]:
    """The same, where the server's own conscience is off; the events begin anew."""
    found, model = run
    monkeypatch.setattr(SecAggServer, "check", lambda *_: None)
    monkeypatch.setattr(CohortMemory, "too_like", lambda *_: None)
    monkeypatch.setattr(CohortMemory, "_check_gradients", lambda *_: None)
    (found.folder.path / "events.jsonl").unlink(missing_ok=True)
    assert isinstance(found.grid, LyingGrid)
    found.grid.replies.clear()
    yield found, model, found.grid
    found.grid.lie = found.grid.retold = None


def scores(found: Federation) -> SumRequest:
    with as_server(found.grid):
        totals = found.rounds.sum_rounds.totals(1)
    return SumRequest(
        (SCORES,),
        (SCORES,),
        rows=totals.rows,
        unit_weight=totals.unit_weight,
        num_clients=totals.num_clients,
    )


def to_others(**changes: object) -> Lie:
    """Tell everybody but the victim another request."""
    return lambda name, task: task if name == VICTIM else with_request(task, **changes)


LIES: Mapping[str, Lie] = {
    "another number of clients": to_others(num_clients=6),
    "another round": lambda name, task: (
        task if name == VICTIM else replace(task, round=task.round + 1)
    ),
    "another model, by its own name": lambda name, task: (
        task if name == VICTIM else with_model(task, value=0.5)
    ),
    "another rate": lambda name, task: (
        task if name == VICTIM else replace(task, learning_rate=0.01)
    ),
}


def with_model(task: SumTask, *, value: float, renamed: bool = True) -> SumTask:
    """The same task about another model: a leaf more, under its name or that of the honest one."""
    found, leaf = found_model(task), np.array([value], np.float32)
    ends = np.full(1, -1, np.int32)
    zeros = np.zeros(1, np.int32)
    forest = replace(found, trees=(*found.trees, Tree(ends, ends, zeros, leaf, zeros.astype("u1"))))
    state = trees_state("", forest) if renamed else task.state
    return replace(task, base="", model=forest.to_bytes(), state=state)


def found_model(task: SumTask) -> Forest:
    return Forest.from_bytes(task.model)


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_bakeries_that_are_told_different_things_give_no_sum(
    lie: Lie, lying: tuple[Federation, GlobalModel, LyingGrid]
) -> None:
    """Shares are bound to what was told: the victim's don't open, nor do the others' for it."""
    found, model, grid = lying
    grid.lie = lie
    with pytest.raises(FederationError, match="secure sums were lost in a row"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert {*grid.replies} == {*NAMES}


@pytest.mark.parametrize("changes", [{"rows": 1}, {"unit_weight": 1.0}])
def test_another_scale_than_before_is_refused(
    changes: dict[str, float], lying: tuple[Federation, GlobalModel, LyingGrid]
) -> None:
    """It was named in every sum of the run so far; the victim, who isn't told, gives no sum."""
    found, model, grid = lying
    grid.lie = to_others(**changes)
    with pytest.raises(FederationError, match="another unit than before"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert {*grid.replies} <= {VICTIM}


def test_a_lie_told_to_all_is_refused(lying: tuple[Federation, GlobalModel, LyingGrid]) -> None:
    """One contributor among five who take part is too few, for each of them."""
    found, model, grid = lying
    grid.lie = lambda _, task: with_request(task, contributors=(ONLY_VICTIM,))
    with pytest.raises(FederationError, match="too few contributors"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert refusals(found) == {"too few contributors"}
    assert not grid.replies


def test_another_model_under_the_same_name_is_refused(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """A bakery works out the name of the state itself."""
    found, model, grid = lying
    grid.lie = lambda name, task: (
        task if name == VICTIM or not task.model else with_model(task, value=0.5, renamed=False)
    )
    with pytest.raises(FederationError, match="ModelError at the bakery"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert {*grid.replies} == {VICTIM}


def test_others_who_are_to_contribute_nothing_refuse(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """The victim alone is told that all contribute; its vector stays masked with theirs."""
    found, model, grid = lying
    grid.lie = to_others(contributors=(ONLY_VICTIM,))
    with pytest.raises(FederationError, match="too few contributors"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert {*grid.replies} == {VICTIM}


def test_others_who_are_told_of_fewer_contributors_refuse(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """Scores were opened over all five in the run."""
    found, model, grid = lying
    grid.lie = to_others(contributors=("f",))
    with pytest.raises(FederationError, match="too like a sum opened already"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert {*grid.replies} == {VICTIM}


def test_a_request_for_one_bakery_alone_is_refused(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """A masked sum's request names the contributors of each part, and nothing else says it."""
    found, model, grid = lying
    grid.lie = lambda _, task: with_request(task, contributes=(SCORES,), contributors=())
    with pytest.raises(FederationError, match="ModelError at the bakery"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert not grid.replies


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"masked": False, "contributes": (SCORES,), "contributors": ()}, "unmasked"),
        ({"scorers": EVERYBODY}, "scores in the clear"),
    ],
)
def test_numbers_in_the_clear_are_refused(
    changes: Mapping[str, object],
    kind: str,
    lying: tuple[Federation, GlobalModel, LyingGrid],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The settings of the run say masked and hidden; the server is told the kind, the log more."""
    found, model, grid = lying
    grid.lie = lambda _, task: with_request(task, **changes)
    with pytest.raises(FederationError, match=f"the bakery refuses: {kind}"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert refusals(found) == {kind}
    assert "Nothing is sent" in caplog.text
    assert not grid.replies


@pytest.mark.parametrize("part", [TOTALS, SCORES])
def test_a_sum_that_was_opened_is_not_opened_without_somebody(
    part: str, lying: tuple[Federation, GlobalModel, LyingGrid]
) -> None:
    """Rows and levels, or scores of one model: the difference would be the victim's."""
    found, model, _ = lying
    request = replace(scores(found), parts=(part,), contributes=(part,))
    length = 2 if part == TOTALS else LENGTH
    whole = asked(found, model, dict.fromkeys(NAMES, request), length=length)
    assert whole == asked(found, model, dict.fromkeys(NAMES, request), length=length)
    with pytest.raises(FederationError, match="a sum opened already"):
        asked(found, model, dict.fromkeys(OTHERS, request), length=length)
    silent = {name: replace(request, contributes=part_of(name, part)) for name in NAMES}
    with pytest.raises(FederationError, match="a sum opened already"):
        asked(found, model, silent, length=length)


def test_scores_are_not_opened_for_another_model_without_somebody(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """Units and rows of a validation window are the same whatever the model."""
    found, model, grid = lying
    request = scores(found)
    asked(found, model, dict.fromkeys(NAMES, request), length=LENGTH)
    grid.replies.clear()
    assert isinstance(model, TreeModel)
    other = TreeModel.of(replace(model.forest, trees=model.forest.trees[:-1]))
    with pytest.raises(FederationError, match="too like a sum opened already"):
        asked(found, other, dict.fromkeys(OTHERS, request), length=LENGTH)
    assert refusals(found) == {"too like a sum opened already"}
    assert not grid.replies
    asked(found, other, dict.fromkeys(NAMES, request), length=LENGTH)


def test_hessians_are_not_opened_without_somebody_and_gradients_are(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """All leaves of a tree add up to the totals, which were opened with the victim."""
    found, model, grid = lying
    assert isinstance(model, TreeModel)
    forest = replace(model.forest, trees=model.forest.trees[:1])
    leaves = leaf_count(forest)
    request = replace(scores(found), parts=(LEAVES,), contributes=(LEAVES,))
    structures = Forest.to_bytes(forest)
    with pytest.raises(FederationError, match="too like a sum opened already"):
        asked(
            found,
            model,
            dict.fromkeys(OTHERS, request),
            length=2 * leaves,
            structures=structures,
        )
    assert not grid.replies
    gradients = replace(request, parts=(LEAF_GRADIENTS,), contributes=(LEAF_GRADIENTS,))
    told = dict.fromkeys(OTHERS, gradients)
    assert any(asked(found, model, told, length=leaves, structures=structures))


def test_a_final_test_is_not_summed_without_somebody(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """Nor is another one, of the model that a run started from, say: it has the same rows."""
    found, model, grid = lying
    found.test(TrainingResult(model, 1, 2))
    states = [host.context.state for host in grid._hosts.values()]
    kept = [state.array_records["glean-final"]["glean-final"].numpy() for state in states]
    request = replace(scores(found), parts=(FINAL,), contributes=(FINAL,), tested=last_test(found))
    asked(found, model, dict.fromkeys(NAMES, request), length=kept[0].size)
    with pytest.raises(FederationError, match="a sum opened already"):
        asked(found, model, dict.fromkeys(OTHERS, request), length=kept[0].size)
    found.test(TrainingResult(fewer_trees(model), 1, 2))
    request = replace(request, tested=last_test(found))
    with pytest.raises(FederationError, match="too like a sum opened already"):
        asked(found, model, dict.fromkeys(OTHERS, request), length=kept[0].size)
    asked(found, model, dict.fromkeys(NAMES, request), length=kept[0].size)


def test_a_final_test_of_another_model_at_one_bakery_is_not_summed(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """The difference to the sum of the honest test would be the victim's."""
    found, model, grid = lying
    found.test(TrainingResult(model, 1, 2))
    request = replace(scores(found), parts=(FINAL,), contributes=(FINAL,), tested=last_test(found))
    states = [host.context.state for host in grid._hosts.values()]
    length = states[0].array_records["glean-final"]["glean-final"].numpy().size
    asked(found, model, dict.fromkeys(NAMES, request), length=length)
    grid.retold = lambda name, task: (
        replace(task, model=fewer_trees(model).to_bytes()) if name == VICTIM else task
    )
    found.test(TrainingResult(model, 1, 2))
    grid.replies.clear()
    with pytest.raises(FederationError, match="secure sums were lost in a row"):
        asked(found, model, dict.fromkeys(NAMES, request), length=length)
    assert VICTIM not in grid.replies


def test_gradients_of_one_model_are_not_opened_without_somebody(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """Whatever else of the request is another: the order of trees, a scale that nobody needs."""
    found, model, _ = lying
    assert isinstance(model, TreeModel)
    forest = replace(model.forest, trees=model.forest.trees[:2])
    model = fewer_trees(model)  # nobody was asked about this one
    turned = replace(forest, trees=forest.trees[::-1])
    leaves = leaf_count(forest)
    request = replace(scores(found), parts=(LEAF_GRADIENTS,), contributes=(LEAF_GRADIENTS,))
    whole = dict.fromkeys(NAMES, request)
    assert any(asked(found, model, whole, length=leaves, structures=forest.to_bytes()))
    assert any(asked(found, model, whole, length=leaves, structures=turned.to_bytes()))
    for structures, other in ((forest, replace(request, scale=(1.0,))), (turned, request)):
        with pytest.raises(FederationError, match=r"lost in a row|opened already"):
            asked(
                found,
                model,
                dict.fromkeys(OTHERS, other),
                length=leaves,
                structures=structures.to_bytes(),
            )
    assert refusals(found) == {"a sum opened already"}


def test_nobody_plays_a_newcomer_on_a_table_of_its_own(
    lying: tuple[Federation, GlobalModel, LyingGrid],
) -> None:
    """With no rows left but the victim's, any sum would be the victim's."""
    found, model, grid = lying
    grid.lie = lambda name, task: replace(task, newcomer=name != VICTIM)
    request = replace(scores(found), parts=(TOTALS,), contributes=(TOTALS,))
    with pytest.raises(FederationError, match="the bakery refuses: a table cut short"):
        asked(found, model, dict.fromkeys(NAMES, request), length=2)
    assert {*grid.replies} <= {VICTIM}


@pytest.mark.parametrize(
    "part",
    [
        *sorted(ALL_PARTS - {"presence", "leaves", "leaf gradients"}),
        "clipped score",
        "clipped final scores",
    ],
)
def test_parts_that_the_aggregation_does_not_sum_are_refused(
    part: str, lying: tuple[Federation, GlobalModel, LyingGrid]
) -> None:
    """Cells of histograms, say, have no floor, and what noise is for may be opened over anybody."""
    found, model, grid = lying
    request = replace(scores(found), parts=(part,), contributes=(part,))
    with pytest.raises(FederationError, match="the bakery refuses: parts of another aggregation"):
        asked(found, model, dict.fromkeys(NAMES, request), length=8)
    assert not grid.replies


def last_test(found: Federation) -> str:
    return found.rounds.final._tested


def fewer_trees(model: GlobalModel) -> TreeModel:
    assert isinstance(model, TreeModel)
    return TreeModel.of(replace(model.forest, trees=model.forest.trees[:1]))


def part_of(name: str, part: str) -> tuple[str, ...]:
    return () if name == VICTIM else (part,)


def deep_tree(levels: int) -> Tree:
    """A chain of splits on one column."""
    nodes = 2 * levels + 1
    left = np.full(nodes, -1, np.int32)
    left[: 2 * levels : 2] = np.arange(1, nodes, 2)
    right = np.where(left >= 0, left + 1, -1).astype(np.int32)
    zeros = np.zeros(nodes, np.int32)
    return Tree(left, right, zeros, zeros.astype(np.float32), zeros.astype(np.uint8))


@pytest.mark.parametrize(("trees", "levels"), [(1, 3), (11, 2)])
def test_structures_beyond_the_settings_are_refused(
    trees: int, levels: int, lying: tuple[Federation, GlobalModel, LyingGrid]
) -> None:
    """A server's own trees, with a row a leaf: the settings say two levels and ten trees."""
    found, model, _ = lying
    forest = replace(model.forest, trees=(deep_tree(levels),) * trees)  # type: ignore[union-attr]
    request = replace(scores(found), parts=(LEAVES,), contributes=(LEAVES,))
    with pytest.raises(FederationError, match="structures beyond the settings"):
        asked(
            found,
            model,
            dict.fromkeys(NAMES, request),
            length=2 * leaf_count(forest),
            structures=Forest.to_bytes(forest),
        )
    assert refusals(found) == {"structures beyond the settings"}


def test_a_step_is_not_done_twice(lying: tuple[Federation, GlobalModel, LyingGrid]) -> None:
    """Nor with new keys: the number of a sum only goes up in a run."""
    found, model, grid = lying
    number = iter((10**6, 10**6 - 1, 5, 10**6))

    def lie(_: str, task: SumTask) -> SumTask:
        return replace(task, number=numbers[task.number])

    numbers: dict[int, int] = {}
    first = found.rounds.sum_rounds._number + 1
    numbers |= {first + k: next(number) for k in range(4)}
    grid.lie = lie
    with pytest.raises(FederationError, match="lost in a row"):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=LENGTH)
    assert refusals(found) == {"a step done already"}
