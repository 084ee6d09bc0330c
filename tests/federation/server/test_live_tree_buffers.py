"""Buffers of bakeries with tables of their own: random trees, noise on their days, own speeds."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from glean.aggregation.oblivious import leaf_values
from glean.errors import SettingsError
from glean.federation.wire.noised_parts import part_deviation, release_of
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.day_sums import UNIT
from glean.privacy.privacy_ledger import TRAINING
from glean.settings import ConfigValue, RunSettings
from tests.federations import Federation
from tests.images.test_live_buffers import CutOffApp
from tests.inprocess_runs import CutOffError, config_of, facts_of, run
from tests.noised_deployment import NOISED, Bakeries
from tests.paced_grid import PacedGrid


@pytest.fixture
def five(tmp_path: Path) -> Bakeries:
    return Bakeries(tmp_path / "machines", bakeries=5)


def met(
    bakeries: Bakeries, *, buffer_size: int = 3, min_contributors: int = 3
) -> tuple[Federation, PacedGrid]:
    """Let them meet; the fifth takes two rounds for what the others do at once."""
    federation = bakeries.meet(
        grid_type=PacedGrid,
        mode="async",
        num_server_rounds=6,
        buffer_size=buffer_size,
        min_contributors=min_contributors,
    )
    assert isinstance(federation.grid, PacedGrid)
    federation.grid.lags = {"bakery 4": 2}
    return federation, federation.grid


@pytest.mark.slow
def test_each_day_pays_for_the_sums_that_it_is_in(five: Bakeries) -> None:
    """The weights of all once, and gradients of the buffers; nobody waits for the slow one."""
    federation, _ = met(five)
    federation.run()
    rows = federation.table("participation.csv")
    assert rows.groupby("round").size().to_dict() == dict.fromkeys(range(1, 7), 3)
    counts = Counter(rows["bakery"])
    assert 0 < counts["bakery 4"] < max(counts.values())
    assert rows[rows["bakery"] == "bakery 4"]["staleness"].min() >= 2
    assert not federation.failures()
    settings = federation.settings
    gradients = release_of(DAY_GRADIENTS, settings, number=1).cost
    hessians = release_of(DAY_HESSIANS, settings, number=1).cost
    for place in range(5):
        spent = five.ledger(place).spent[TRAINING]
        wanted = hessians + counts[f"bakery {place}"] * gradients
        assert [*spent.values()] == pytest.approx([wanted] * len(spent), rel=1e-9)
        assert spent


def test_a_buffer_has_all_of_the_noise_and_it_counts_as_its_sum_does(five: Bakeries) -> None:
    """Made for a roster of the buffer's size; gradients stand for those of all, and so does it."""
    federation, _ = met(five)
    noise: list[float] = []

    def keep(gradients: Any, hessians: Any, **given: Any) -> Any:
        noise.append(given["noise"])
        return leaf_values(gradients, hessians, **given)

    with mock.patch("glean.federation.server.oblivious.leaf_values", keep):
        federation.run()
    each = part_deviation(DAY_GRADIENTS, federation.settings, parties=3) / UNIT
    assert noise == pytest.approx([each * math.sqrt(3) * 5 / 3] * 6)


def test_a_floor_above_a_fifth_is_kept(five: Bakeries) -> None:
    """Four of five, as min-contributors says."""
    federation, _ = met(five, buffer_size=0, min_contributors=4)
    federation.run()
    assert (federation.table("participation.csv").groupby("round").size() == 4).all()


def test_who_vanishes_is_left_out(five: Bakeries, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it trains; the run comes to its end, which scores those who are there."""
    monkeypatch.setattr("glean.federation.coordination.open_requests.GRACE_S", 0.0)
    federation, grid = met(five)
    grid.lags = {"bakery 4": -1}

    def leave(_kind: str, _name: str, number: int) -> None:
        if number == 3 and "bakery 4" not in grid.gone:
            grid.gone.add("bakery 4")
            grid.forget_trainings_of("bakery 4")

    grid.on_push = leave
    result = federation.run()
    assert result.last_round == 6
    assert "bakery 4" not in set(federation.table("participation.csv")["bakery"])
    assert {name for _, name, _ in federation.failures()} == {"bakery 4"}


@pytest.mark.slow
def test_a_run_that_goes_on_has_all_begin_anew(five: Bakeries, tmp_path: Path) -> None:
    """Weights of leaves come from the checkpoint, not from another sum; days pay what was given."""
    changes = {**NOISED, "mode": "async", "buffer_size": 3, "num_server_rounds": 4}
    config = config_of("", **changes, baselines=False, min_available_bakeries=3)
    with pytest.raises(CutOffError):
        run(tmp_path / "out", config, nodes=five.nodes, app=CutOffApp(3), grid_type=PacedGrid)
    five.start_anew()
    old = (tmp_path / "out" / "latest").resolve()
    config |= {"resume": str(old)}
    new = run(tmp_path / "out", config, nodes=five.nodes, grid_type=PacedGrid)
    rows = pd.read_csv(new / "participation.csv")
    assert facts_of(new)["resumed_round"] == 2
    assert rows.groupby("round").size().to_dict() == dict.fromkeys(range(1, 5), 3)
    given = Counter(rows["bakery"]) + Counter(f"bakery {k}" for k in range(3))
    settings = RunSettings.from_config(config)
    gradients = release_of(DAY_GRADIENTS, settings, number=1).cost
    hessians = release_of(DAY_HESSIANS, settings, number=1).cost
    for place in range(5):
        spent = five.ledger(place).spent[TRAINING]
        wanted = hessians + given[f"bakery {place}"] * gradients
        assert max(spent.values()) == pytest.approx(wanted, rel=1e-9)


def test_where_noise_is_the_default_buffers_are_taken_as_they_come() -> None:
    """Trees without noise in a deployment are refused, and weights with noise on days are none."""
    told: dict[str, ConfigValue] = {"mode": "async", "min-contributors": 3}
    settings = RunSettings.from_config(told, deployed=True)
    assert settings.rounds.kind.name == "oblivious"
    assert not [*settings.floor_problems(deployed=True)]
    bare = RunSettings.from_config(told | {"privacy": "sums"}, deployed=True)
    (problem,) = bare.floor_problems(deployed=True)
    assert "mode: found 'async' with privacy=sums where clients have data of their own" in problem
    with pytest.raises(SettingsError, match="aggregation: found 'fedavg' with privacy=noise"):
        RunSettings.from_config(told | {"aggregation": "fedavg"}, deployed=True)
