"""Runs whose clients train with noise: masks, retries, breaks, promises and refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from glean.errors import RefusalError, SettingsError
from glean.federation.client.policy import ClientPolicy
from glean.images import conclusion
from glean.images.client_images import simulated_images
from glean.images.partition import ImagePartition
from glean.images.privacy.private_client import PrivateClient
from glean.images.workload import IMAGES
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.images.test_runs import assert_same, images, nodes_of
from tests.inprocess_runs import cut_off, facts_of, run


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures."""
    with mock.patch.object(conclusion.ImageConclusion, "write_report"):
        yield


def private(**changes: ConfigValue) -> dict[str, ConfigValue]:
    return images(**{"privacy": "noise", "local_steps": 3, "reduced_data": 40, **changes})


def settings_of(**changes: ConfigValue) -> RunSettings:
    return RunSettings.from_config(private(**changes))


def own_client(home: Path, settings: RunSettings, **node: float) -> ImagePartition:
    """A client with pictures of its own, though they come from nobody's files."""
    mine = simulated_images(settings.image, settings.seed, 3)[0]
    told = NodeSettings(home=str(home), images="somewhere", bakery="a", **node)  # type: ignore[arg-type]
    told_of = PrivateClient("a", told, settings, own_table=True)
    return ImagePartition("a", mine, settings, own_table=True, private=told_of)


def first_of(client: ImagePartition, settings: RunSettings) -> Weights:
    return IMAGES.first_model(IMAGES.negotiate([client.facts()], settings), settings)


def test_noise_means_noise_in_steps_where_clients_take_steps() -> None:
    """So sums carry none, and no days are counted."""
    for told, deployed in (("noise", False), ("auto", True), ("dp-sgd", False)):
        config = private(privacy=told)
        noise = RunSettings.from_config(config, deployed=deployed).noise
        assert (noise.privacy, noise.wanted, noise.in_steps) == ("dp-sgd", False, True)
    assert not settings_of(privacy="sums").noise.in_steps
    with pytest.raises(SettingsError, match="clients of workload=demand take no steps"):
        RunSettings.from_config({"privacy": "dp-sgd"})


@pytest.mark.parametrize(("told", "answers"), [("noise", True), ("sums", False)])
def test_an_owner_who_wants_noise_has_it_in_steps(told: str, answers: bool) -> None:
    """Of a run without it, it wants no part."""
    node = NodeSettings(images="somewhere", bakery="a", privacy="noise")
    settings = settings_of(privacy=told, secure_sums=True, share_scores="no")
    policy = ClientPolicy(node, settings, own_table=True)
    if answers:
        policy.check_run()
    else:
        with pytest.raises(RefusalError, match="carry no noise"):
            policy.check_run()


def test_a_round_that_is_asked_again_is_the_same_release(tmp_path: Path) -> None:
    """Not so with other weights, another step size, round or other pictures: each counts."""
    settings = settings_of(num_server_rounds=4)
    client = own_client(tmp_path, settings)
    weights = first_of(client, settings)

    def ask(client: ImagePartition, weights: Weights, rate: float, number: int) -> bytes:
        return client.fit(weights, learning_rate=rate, seed=1, number=number).to_npz()

    first = ask(client, weights, 0.02, 1)
    assert ask(client, weights, 0.02, 1) == first
    assert ask(own_client(tmp_path, settings), weights, 0.02, 1) == first
    ledger = json.loads((tmp_path / "picture-ledger.json").read_text(encoding="utf-8"))
    assert len(ledger["plans"][0]["releases"]) == 1
    other = replace(weights, arrays={k: v + np.float32(0.001) for k, v in weights.arrays.items()})
    found = {first, ask(client, other, 0.02, 1), ask(client, weights, 0.01, 1)}
    fewer = own_client(tmp_path, settings)
    fewer._pictures = replace(
        fewer._pictures,
        training=fewer._pictures.training.at(fewer._pictures.training.places[::-1]),
    )
    found.add(ask(fewer, weights, 0.02, 1))
    assert len(found) == 4
    for number in range(2, 6):  # two plans of four rounds
        ask(client, weights, 0.02, number)
    with pytest.raises(RefusalError, match="wanted 12 or more"):
        ask(client, weights, 0.02, 6)
    assert ask(client, weights, 0.02, 1) == first


def test_draws_differ_where_only_a_step_size_does(tmp_path: Path) -> None:
    """Else their difference would be without noise."""
    settings = settings_of()
    client = own_client(tmp_path, settings)
    weights = first_of(client, settings)
    one, other = (
        client.fit(weights, learning_rate=rate, seed=1, number=1) for rate in (0.02, 0.04)
    )
    key = next(iter(weights.arrays))
    half = (other.arrays[key] - weights.arrays[key]) / 2
    step = one.arrays[key] - weights.arrays[key]
    assert abs(np.corrcoef(half.ravel(), step.ravel())[0, 1]) < 0.5


def test_a_client_of_its_own_needs_a_home_and_room(tmp_path: Path) -> None:
    """It says so before anything is trained."""
    settings = settings_of()
    homeless = own_client(tmp_path, settings)
    assert homeless._private is not None
    homeless._private = replace(homeless._private, node=NodeSettings(images="x", bakery="a"))
    with pytest.raises(RefusalError, match="node config home: found none"):
        homeless.facts()
    with pytest.raises(RefusalError, match="epsilon-total: found 3"):
        own_client(tmp_path, settings, epsilon_total=3.0).facts()


def test_a_client_hears_what_is_spent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After each round, of how much, in which unit."""
    settings = settings_of(num_server_rounds=2, baselines=True)
    client = own_client(tmp_path, settings)
    weights = first_of(client, settings)
    with caplog.at_level(logging.INFO, logger="glean"):
        for number in (1, 2):
            client.fit(weights, learning_rate=0.02, seed=1, number=number)
    said = [message for message in caplog.messages if message.startswith("privacy:")]
    assert len(said) == 2
    assert "of 4 after round 2 (delta 1e-06, unit: a training picture; DP-SGD" in said[1]
    spent = [float(text.split("epsilon ")[1].split(" ")[0]) for text in said]
    assert 0 < spent[0] < spent[1] <= 4.0


@pytest.mark.slow
def test_masks_change_no_byte(tmp_path: Path) -> None:
    """And what is promised stands in the run's file, on the card and in its table."""
    masked, plain = (
        run(tmp_path / str(on), private(secure_sums=on), nodes=nodes_of(3)) for on in (True, False)
    )
    assert_same(masked, plain)
    told = facts_of(masked)["privacy"]
    assert (told["epsilon"], told["delta"], told["clip_norm"]) == (4.0, 1e-6, 1.0)
    assert "one training picture of one client" in told["unit"]
    card = json.loads((masked / "model_card.json").read_text(encoding="utf-8"))
    assert card["privacy"] | told == card["privacy"]
    table = conclusion.CONCLUSION.result_table(masked)
    assert "epsilon 4, delta 1e-06" in table.sentences[1]
    without = run(tmp_path / "without", private(privacy="sums"), nodes=nodes_of(3))
    assert "privacy" not in facts_of(without)
    assert (without / "model.npz").read_bytes() != (masked / "model.npz").read_bytes()


@pytest.mark.slow
def test_a_run_that_goes_on_ends_in_the_same_bytes(tmp_path: Path) -> None:
    """After round 2 of 4."""
    config = private(num_server_rounds=4)
    whole = run(tmp_path / "whole", config, nodes=nodes_of(3))
    old = cut_off(tmp_path / "out", config, round_number=4, nodes=nodes_of(3))
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(3))
    assert facts_of(new)["resumed_round"] == 2
    assert_same(whole, new)


def test_no_rival_without_noise_is_scored_where_pictures_are_a_client_s_own(
    tmp_path: Path,
) -> None:
    """Its scores would tell of the pictures that it learned from."""
    settings = settings_of(baselines=True)
    client = own_client(tmp_path, settings)
    weights = first_of(client, settings)
    task = mock.Mock(model=weights.to_npz(), learning_rate=0.02)
    federated, *rivals = client.final_test(task, run_id=1).sums
    assert federated.any()
    assert not np.any(rivals)
