"""Where networks learn: what `device` comes to, with PyTorch's answers played; a real GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from glean.errors import SettingsError
from glean.images.networks import baselines, training
from glean.images.networks.device import device_beside, device_of
from glean.images.networks.network import initial_weights
from glean.images.networks.training import SGDOptions, fit, probabilities
from glean.images.partition import ImagePartition
from glean.images.privacy import private_training
from glean.images.privacy.noise_plan import NoisePlan
from glean.images.privacy.private_client import PrivateClient
from glean.images.privacy.private_training import fit_privately
from glean.images.workload import IMAGES
from glean.learning.model_weights import Weights
from glean.local_training_settings import LocalTrainingSettings
from glean.node_settings import NodeSettings
from glean.settings import RunSettings
from tests.images.test_networks import SPEC, image_subset
from tests.images.test_private_runs import private
from tests.images.test_runs import images, nodes_of
from tests.images.test_safetensors import no_report
from tests.inprocess_runs import facts_of, run

__all__ = ["no_report"]

ON_GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="PyTorch sees no GPU on this machine"
)


def sees(index: int | None) -> Any:
    """PyTorch's answers on a machine with a GPU of this index; None: without any."""
    return mock.patch.multiple(
        torch.cuda, is_available=lambda: index is not None, current_device=lambda: index
    )


@pytest.mark.parametrize(
    ("wanted", "index", "used"),
    [
        ("auto", None, "cpu"),
        ("auto", 0, "cuda:0"),
        ("gpu", 3, "cuda:3"),
        ("cpu", 0, "cpu"),
        ("cpu", None, "cpu"),
    ],
)
def test_a_gpu_is_taken_where_there_is_one(wanted: str, index: int | None, used: str) -> None:
    """Unless the CPU is wanted."""
    with sees(index):
        assert device_of(wanted) == device_beside(wanted) == used


def test_a_gpu_that_isnt_there_is_refused() -> None:
    """By the client, as it opens its pictures; a server that only looks on takes the CPU."""
    settings = RunSettings.from_config(images(device="gpu"))
    node = NodeSettings(partition=0, partitions=3)
    with sees(None):
        with pytest.raises(SettingsError, match=r"found gpu; PyTorch finds none here .*or 'auto'"):
            IMAGES.open_partition(node, settings, newcomer=False)
        assert device_beside("gpu") == "cpu"


def test_trees_alone_are_grown_where_they_were() -> None:
    """`device` is for networks of pictures too; other averaged weights stay on the CPU."""
    with pytest.raises(SettingsError, match="fedavg learns on the CPU"):
        RunSettings.from_config({"device": "gpu", "aggregation": "fedavg"})
    with pytest.raises(SettingsError, match="fedavg learns on the CPU"):
        RunSettings.from_config({"device": "gpu", "workload": "iris"})


def client_on(index: int, **changes: Any) -> tuple[ImagePartition, Weights, str]:
    """A client on a machine with a GPU of this index."""
    settings = RunSettings.from_config({**changes})
    node = NodeSettings(partition=0, partitions=3)
    with sees(index):
        client = IMAGES.open_partition(node, settings, newcomer=False)
    spec = IMAGES.negotiate([client.facts()], settings)
    return client, IMAGES.first_model(spec, settings), spec


def test_all_that_a_client_does_is_done_there() -> None:
    """Training, with noise and without, scores, and the rival that it trains alone."""
    client, weights, spec = client_on(2, **images())
    assert client.device_used == "cuda:2"
    with (
        mock.patch.object(training, "fit", return_value=weights) as fitted,
        mock.patch.object(training, "probabilities", side_effect=ZeroDivisionError) as asked,
        mock.patch.object(baselines, "trained_alone", return_value=weights) as alone,
    ):
        client.fit(weights, learning_rate=0.1, seed=1, number=1)
        client.local_weights(spec, 0.1)
        with pytest.raises(ZeroDivisionError):
            client.score(weights)
    for called in (fitted, asked, alone):
        assert called.call_args.kwargs["device"] == "cuda:2"


def test_noise_is_added_there_too() -> None:
    """With a key of its own: a GPU rounds otherwise, and no release has another's noise."""
    client, weights, _ = client_on(1, **private())
    assert isinstance(client._private, PrivateClient)
    found = []
    for device in ("cpu", "cuda:1", "cuda:0"):
        client.device_used = device
        with mock.patch.object(private_training, "fit_privately", return_value=weights) as fitted:
            client.fit(weights, learning_rate=0.1, seed=1, number=1)
        assert fitted.call_args.kwargs["device"] == device
        found.append(fitted.call_args.kwargs["key"])
    assert found[0] != found[1] == found[2]


@pytest.mark.slow
def test_a_run_says_where_its_clients_trained(tmp_path: Path) -> None:
    """In `run.json`."""
    folder = run(tmp_path, images(num_server_rounds=1, device="cpu"), nodes=nodes_of(3))
    assert facts_of(folder)["devices"] == ["cpu"]


@ON_GPU
@pytest.mark.parametrize("name", ["cnn", "cnn-small", "linear"])
def test_a_gpu_learns_what_the_cpu_learns(name: str) -> None:
    """To what sums in another order round, with noise and without."""
    weights, pictures = initial_weights(name, SPEC, seed=1), image_subset()
    steps = SGDOptions(LocalTrainingSettings(local_steps=4, batch_size=8), 0.05, 0.1)
    plan = NoisePlan(8.0, 1e-5, 0.5, 4, 2, 1.0, 1.5)
    device = device_of("gpu")
    pairs = [
        [fit(weights, pictures, steps, seed=2, device=where) for where in ("cpu", device)],
        [
            fit_privately(weights, pictures, steps, plan, key=bytes(32), device=where)
            for where in ("cpu", device)
        ],
    ]
    for one, other in pairs:
        for key, values in one.arrays.items():
            np.testing.assert_allclose(other.arrays[key], values, rtol=1e-3, atol=1e-5)
    mine, theirs = (probabilities(weights, pictures, device=where) for where in ("cpu", device))
    np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=1e-6)
