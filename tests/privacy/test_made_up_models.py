"""A server that makes up specs, or asks about one model twice; and honest runs that come near."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flwr.app import RecordDict

from glean.aggregation.fedavg import encoded_length
from glean.demand.margin_cache import MarginCache
from glean.errors import FederationError
from glean.features.definition import FeatureDefinition
from glean.federation.client.client import client_of
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.secagg_server import SecAggServer
from glean.federation.server import training_loop
from glean.federation.server.setbacks import Primaries, setback
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_request import SCORES, WEIGHT_STEPS, WEIGHTS, SumRequest
from glean.federation.workload.client_state import ClientState
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from tests.federations import Federation
from tests.lying_server import LyingGrid, asked, deployed, refusals

NAMES = [f"bakery {k}" for k in range(5)]
VICTIM, OTHERS = "bakery 2", [f"bakery {k}" for k in (0, 1, 3, 4)]

AnyTask = TypeVar("AnyTask", bound=Task)
Begun = tuple[Federation, GlobalModel, LyingGrid]


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Five bakeries after two honest rounds; the server's own conscience is off."""
    found, grid = deployed(tmp_path)
    model = found.run().model
    monkeypatch.setattr(SecAggServer, "check", lambda *_: None)
    (found.folder.path / "events.jsonl").unlink()
    grid.replies.clear()
    return found, model, grid


def scores(found: Federation, **changes: object) -> SumRequest:
    totals = found.rounds.sum_rounds.cohorts.totals
    assert totals is not None
    request = SumRequest(
        (SCORES,),
        (SCORES,),
        rows=totals.rows,
        unit_weight=totals.unit_weight,
        num_clients=totals.num_clients,
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def with_spec(task: AnyTask, **changes: object) -> AnyTask:
    definition = replace(FeatureDefinition.from_json(task.spec), **changes)  # type: ignore[arg-type]
    return replace(task, spec=definition.to_json())


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"covariates": ("units",)}, "SettingsError at the bakery"),
        ({"covariates": ("guests",)}, "the bakery refuses: features beyond the settings"),
        ({"horizon_days": 2}, "the bakery refuses: features beyond the settings"),
    ],
)
def test_features_that_the_settings_do_not_name_are_refused(
    changes: dict[str, object], kind: str, begun: Begun
) -> None:
    """A day's own sales as a feature, say: counts by node would tell them."""
    found, model, grid = begun
    grid.lie = lambda _, task: with_spec(task, **changes)
    with pytest.raises(FederationError, match=kind):
        asked(found, model, dict.fromkeys(NAMES, scores(found)), length=ErrorSums.length())
    assert not grid.replies


def test_what_was_followed_under_one_spec_is_not_taken_for_another_s(begun: Begun) -> None:
    """Else the difference of two sums about one state would be the victim's."""
    found, model, _ = begun
    task = found.rounds.manager.task(VICTIM, model, 3, whole=True)
    other = with_spec(task, season=not FeatureDefinition.from_json(task.spec).season)
    node = next(iter(found.grid._hosts.values())).context.node_config
    client = client_of(NodeSettings.from_config(dict(node)), found.settings)
    assert client is not None
    state = RecordDict()
    followed = []
    for each in (task, other, task):
        assert client.catch_up(each, state)
        followed.append(MarginCache.state_in(ClientState(state)))
    assert followed[0] == followed[2] != followed[1]


def test_weights_of_one_model_are_not_opened_in_two_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their own weight and without it, or under another name, over all but the victim."""
    found, _ = deployed(tmp_path, aggregation="fedavg", fedavg_model="poisson")
    model = found.run().model
    for name in ("too_like", "_check_gradients"):
        monkeypatch.setattr(CohortMemory, name, lambda *_: None)
    monkeypatch.setattr(SecAggServer, "check", lambda *_: None)
    length = encoded_length(model.weights) - 1  # type: ignore[union-attr]
    whole = scores(found, parts=(WEIGHTS,), contributes=(WEIGHTS,))
    assert any(asked(found, model, dict.fromkeys(NAMES, whole), length=length + 1))
    steps = replace(whole, parts=(WEIGHT_STEPS,), contributes=(WEIGHT_STEPS,))
    for request in (steps, replace(steps, tested="another name")):
        with pytest.raises(FederationError, match=r"lost in a row|opened already"):
            asked(found, model, dict.fromkeys(OTHERS, request), length=length)
    assert refusals(found) == {"a sum opened already"}


KINDS: dict[str, dict[str, Any]] = {
    "bagging": {},
    "oblivious": {"aggregation": "oblivious"},
    "fedavg": {"aggregation": "fedavg", "fedavg_model": "poisson"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_that_is_taken_back_is_learned_anew(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bakeries had proposed, and summed, for the next round of the model that is gone."""
    changes = []

    def once(before: Primaries, after: Primaries, *, least_scale: float) -> float:
        changes.append(setback(before, after, least_scale=least_scale))
        return 1.0 if len(changes) == 2 else changes[-1]

    monkeypatch.setattr(training_loop, "setback", once)
    found, _ = deployed(tmp_path, num_server_rounds=4, **KINDS[kind])
    assert found.run().last_round == 4
    assert not refusals(found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bakery_that_fails_in_every_sum_and_stays_ends_no_run(kind: str, tmp_path: Path) -> None:
    """Rounds have no score without it, as scores were opened with it."""
    found, grid = deployed(tmp_path, num_server_rounds=4, **KINDS[kind])
    grid.lie = lambda name, task: (
        replace(task, request="{") if name == VICTIM and task.round > 2 else task
    )
    assert found.run().last_round == 4
    assert {name for _, name, _ in found.failures()} == {VICTIM}
