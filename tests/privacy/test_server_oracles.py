"""A server that asks until an answer, an error or a structure tells of one bakery's rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import FederationError, ModelError
from glean.federation.coordination.global_model import TreeModel
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.grids.inprocess import as_server
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import DAY_GRADIENTS, LEAF_GRADIENTS, SumRequest
from glean.learning.forest import Forest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND
from glean.learning.structure import leaf_count
from tests.federations import Federation
from tests.lying_server import LyingGrid, asked, deployed, refusals, with_request

NAMES = [f"bakery {k}" for k in range(5)]
VICTIM = "bakery 2"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Federation, TreeModel]:
    """Five bakeries that have met, and the model without trees."""
    found, _ = deployed(tmp_path_factory.mktemp("begun"), homes=True, num_server_rounds=8)
    return found, first_model(found)


def first_model(found: Federation) -> TreeModel:
    model = found.rounds._strategy.first_model()
    assert isinstance(model, TreeModel)
    return model


def proposal(found: Federation, model: TreeModel, number: int, name: str = VICTIM) -> bytes:
    """One bakery's structures, b"" where it sends none."""
    request = {name: SumRequest(proposes=True)}
    with as_server(found.grid):
        result = found.rounds.sum_rounds.run(number, model, request, length=0)
    return result.replies[name].proposal if name in result.replies else b""


def test_a_bakery_proposes_once_a_round(begun: tuple[Federation, TreeModel]) -> None:
    """Or twice; of a made up model each answer tells on which sides of an edge rows are.

    The same request again, of a reply that was lost, has the same answer.
    """
    found, model = begun
    first = proposal(found, model, 1)
    other = TreeModel.of(replace(model.forest, trees=Forest.from_bytes(first).trees))
    assert first
    assert proposal(found, model, 1) == first
    assert proposal(found, other, 1)  # as of a round that was learned ahead and is taken back
    third = TreeModel.of(replace(other.forest, trees=other.forest.trees * 2))
    assert not proposal(found, third, 1)
    assert proposal(found, other, 2)
    assert not proposal(found, model, 1)
    assert not proposal(found, model, found.settings.rounds.num_server_rounds + 1)
    assert refusals(found) == {"structures given already"}


def test_no_error_tells_how_much_a_bakery_sells(
    begun: tuple[Federation, TreeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the least scale all answer: at first two weighed too much for it, and said so.

    Nor is the scale moved from sum to sum: what is rounded or cut tells who is above a threshold.
    """
    monkeypatch.setattr(SecAggServer, "check", lambda *_: None)
    found, model = begun
    assert isinstance(found.grid, LyingGrid)
    structures = proposal(found, model, 1, "bakery 0")
    length = leaf_count(Forest.from_bytes(structures))
    request = SumRequest((LEAF_GRADIENTS,), (LEAF_GRADIENTS,), num_clients=5)
    told = dict.fromkeys(NAMES, replace(request, rows=1, unit_weight=1.0))
    asked(found, model, told, length=length, structures=structures)
    assert {*found.grid.replies} == {*NAMES}
    found.grid.replies.clear()
    for rows, unit in ((1, 1.01), (100, 1.0)):
        told = dict.fromkeys(NAMES, replace(request, rows=rows, unit_weight=unit))
        with pytest.raises(FederationError, match="another unit than before"):
            asked(found, model, told, length=length, structures=structures)
    assert not found.grid.replies


@pytest.mark.parametrize(
    "changes", [{"unit_weight": 1e-30}, {"unit_weight": 1e30}, {"num_clients": 2**40}, {"rows": -1}]
)
def test_a_scale_that_no_federation_has_is_refused(changes: dict[str, float]) -> None:
    """Rounded on it, a sum would count who is above a threshold; no data is looked at."""
    request = replace(SumRequest((LEAF_GRADIENTS,)), **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=f"found {next(iter(changes))}="):
        SumRequest.from_json(request.to_json())


def test_no_sum_is_opened_on_less_noise_than_is_accounted(tmp_path: Path) -> None:
    """Of six four are confirmed, and relied on; one of them is gone, and two strangers sent.

    Where only vectors were counted before they were masked, the sum was opened over three.
    """
    confirmed = ",".join(f"bakery {k}" for k in range(4))
    found, grid = deployed(
        tmp_path,
        bakeries=6,
        homes=True,
        policy={"trusted_members": confirmed},
        privacy="noise",
        aggregation="oblivious",
        learning_rate=0.0,
        num_server_rounds=3,
    )

    def lie(name: str, task: SumTask) -> SumTask:
        return with_request(task, num_clients=1000) if name == "bakery 3" else task

    grid.lie = lie
    request = SumRequest((DAY_GRADIENTS,), (DAY_GRADIENTS,), num_clients=6)
    told = dict.fromkeys([f"bakery {k}" for k in range(6)], request)
    with pytest.raises(FederationError):
        asked(found, first_model(found), told, length=LEAVES_PER_ROUND)
    assert "too little noise" in refusals(found)
