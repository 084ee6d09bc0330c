"""What a run's own line says of epsilon, beside the accounts of its clients."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from glean.images.privacy.noise_plan import NoisePlan
from glean.images.privacy.spent import spent_of_client
from glean.settings import ConfigValue, RunSettings
from tests.images.test_private_runs import no_report, private
from tests.images.test_runs import images, nodes_of
from tests.inprocess_runs import run

__all__ = ["no_report"]


def test_a_client_of_the_mean_number_spends_what_its_plan_says() -> None:
    """More with each round, all of it at the end; nobody's number is needed but the mean."""
    settings = RunSettings.from_config(private(num_server_rounds=5, epsilon=2.0))
    plan = NoisePlan.of(settings, 40)
    spent = [spent_of_client(settings, 40.3, number) for number in (1, 3, 5)]
    assert spent == [plan.spent_after(1), plan.spent_after(3), min(2.0, plan.spent_after(5))]
    assert 0 < plan.spent_after(1) < plan.spent_after(3) < plan.spent_after(5)
    assert plan.spent_after(5) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("config", "pictures", "rounds"),
    [
        ({"privacy": "sums"}, 40.0, 2),
        ({}, 0.0, 2),
        ({}, 40.0, 0),
        ({"delta": 1e-2}, 400.0, 2),
    ],
)
def test_what_isnt_known_isnt_told(
    config: dict[str, ConfigValue], pictures: float, rounds: int
) -> None:
    """Without noise, without their number, before a round, where a client would refuse."""
    settings = RunSettings.from_config(private(num_server_rounds=5, **config))
    assert spent_of_client(settings, pictures, rounds) is None


def test_where_whole_clients_are_hidden_all_have_spent_the_same() -> None:
    """And no more than the run's at its end."""
    config = images(privacy="dp-fedavg", num_server_rounds=6, epsilon=3.0, secure_sums=True)
    settings = RunSettings.from_config(config)
    spent = [spent_of_client(settings, 0.0, number) or 0.0 for number in range(7)]
    assert spent == sorted(spent)
    assert spent[0] == 0.0 < spent[1]
    assert 2.5 < spent[6] <= 3.0


def test_the_run_s_line_is_its_clients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and the events; of clients that are alike, what each says itself."""
    config = private(num_server_rounds=2, partitioner="iid")
    with caplog.at_level(logging.INFO, logger="glean"):
        folder = run(tmp_path, config, nodes=nodes_of(3))
    rows = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    told = [row["epsilon"] for row in rows if row["event"] == "round_finished"]
    own = re.findall(r"has spent epsilon ([\d.]+) of", caplog.text)
    ofrun = re.findall(r"round \d: .*, epsilon ([\d.]+) spent", caplog.text)
    assert [f"{value:.3f}" for value in told] == own[: len(told)] == ofrun
