"""Which networks of clients' own a run takes, what it refuses, and what it tells of them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import GleanError, RefusalError, SettingsError
from glean.federation.client.client import Client
from glean.federation.client.disclosure import disclosed
from glean.federation.wire.messages import FinalTask
from glean.federation.wire.sum_request import WEIGHTS, WHOLE, SumRequest
from glean.images.adaptation.own_network import OwnNetwork, network_names, simulated_network
from glean.images.client_images import simulated_images
from glean.images.inversion.image_audit import ImageAudit
from glean.images.networks.network import shapes_of
from glean.images.partition import ImagePartition
from glean.images.workload import IMAGES
from glean.learning.model_weights import Weights
from glean.node_settings import NodeSettings
from glean.runs.code_version import code_fingerprint
from glean.runs.index import StoredRun
from glean.settings import ConfigValue, RunSettings
from tests.images.test_runs import images

FACTS = {"size": 12, "channels": 1, "classes": ["a", "b", "c"]}


def settings_of(**changes: ConfigValue) -> RunSettings:
    given: dict[str, ConfigValue] = {
        "image_model": "cnn",
        "adapt_weights": True,
        "adapt_shapes": True,
        "local_steps": 1,
    }
    return RunSettings.from_config(images(**{**given, **changes}))


def own_client(network: str, settings: RunSettings, home: str = "") -> ImagePartition:
    """A client with pictures of its own, though they come from nobody's files."""
    mine = simulated_images(settings.image, settings.seed, 3)[0]
    own = OwnNetwork("north", network, settings, home=home)
    return ImagePartition("north", mine, settings, own_table=True, home=home, own=own)


def test_a_run_refuses_another_network_unless_it_adapts(tmp_path: Path) -> None:
    """The client says so before it opens a picture, and the operator hears which setting it is."""
    node = NodeSettings(images=str(tmp_path / "none"), bakery="north", image_model="cnn-half")
    words = r"'cnn-half', the run's 'cnn'; .*adapt-weights=true"
    with pytest.raises(RefusalError, match=words) as refused:
        IMAGES.open_partition(node, settings_of(adapt_weights=False), newcomer=False)
    assert refused.value.kind == "a network of its own in a run without adapt-weights"
    with pytest.raises(SettingsError, match="no such file"):
        IMAGES.open_partition(node, settings_of(), newcomer=False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_models": "cnn,vgg"}, "image-model: found 'vgg'"),
        ({"image_models": "cnn,cnn-half", "adapt_weights": False}, "wanted adapt-weights=true"),
        (
            {"privacy": "noise", "privacy_unit": "client", "secure_sums": True},
            "adapt-weights: found true with privacy-unit=client",
        ),
    ],
)
def test_networks_of_a_simulation_are_checked(changes: dict[str, ConfigValue], said: str) -> None:
    """Before anything starts."""
    with pytest.raises(SettingsError, match=said):
        IMAGES.check(settings_of(**changes))


def test_networks_go_round_the_clients_of_a_simulation() -> None:
    """One after the other, and again from the first."""
    settings = settings_of(image_models=" cnn , cnn-half,, linear")
    assert network_names(settings) == ["cnn", "cnn-half", "linear"]
    assert [simulated_network(settings, k) for k in (0, 1, 2, 3)] == [
        "cnn", "cnn-half", "linear", "cnn",
    ]  # fmt: skip
    assert network_names(settings_of()) == ["cnn"]


@pytest.mark.parametrize(
    ("network", "changes", "why"),
    [
        ("cnn-half", {}, ""),
        ("cnn-half", {"adapt_share": 1.0}, ""),
        ("cnn-half", {"adapt_shapes": False}, "'cnn-half' begins afresh and trains alone: 0%"),
        ("cnn-small", {}, r"7% of it is the run's, wanted 50% \(adapt-share\)"),
        ("cnn-small", {"adapt_share": 0.05}, ""),
        ("linear", {"adapt_share": 0.0}, "0% of it is the run's"),
    ],
)
def test_too_little_in_common_begins_afresh(
    network: str, changes: dict[str, ConfigValue], why: str
) -> None:
    """By the share of the client's own network; with nothing in common in any case."""
    found = OwnNetwork("north", network, settings_of(**changes)).why_afresh(FACTS)
    assert bool(found) == bool(why)
    assert re.search(why, found)


def test_noise_wants_a_network_that_is_all_the_run_s() -> None:
    """What is the client's own would be scored as it is."""
    settings = settings_of(adapt_share=0.01, privacy="noise")
    OwnNetwork("north", "cnn-half", settings).check_private(FACTS)
    with pytest.raises(RefusalError, match="all of a client's network has to be the run's"):
        OwnNetwork("north", "cnn-small", settings).check_private(FACTS)


@pytest.mark.parametrize(
    "request_",
    [
        SumRequest((WEIGHTS,), (WEIGHTS,)),
        SumRequest((WEIGHTS, WHOLE), (WEIGHTS, WHOLE)),
    ],
)
def test_a_client_does_not_pass_for_one_that_trains_all(request_: SumRequest) -> None:
    """Else others would think that more stand behind the rest of the weights than do."""
    own = OwnNetwork("north", "cnn-half", settings_of())
    with pytest.raises(RefusalError, match="it trains a part of it"):
        own.check_counted(request_)
    own.check_counted(SumRequest((WEIGHTS, WHOLE), (WEIGHTS,)))


def test_the_server_hears_that_a_network_is_its_own_and_not_which(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which layers are taken stands in the client's own log, once."""
    settings = settings_of()
    node = NodeSettings(images="somewhere", bakery="north", image_model="cnn-half")
    client = Client(node, own_client("cnn-half", settings), settings)
    info = client.info()
    assert info.in_part
    said = disclosed(info, IMAGES.wording, round_number="0")
    assert "that network is its own" in said
    assert "cnn-half" not in info.facts + info.note
    spec = IMAGES.negotiate([client.partition.facts()], settings)
    caplog.set_level(logging.INFO, logger="glean")
    for _ in range(2):
        client.trainer(spec)
    assert "this client's network 'cnn-half': 40,340 of its 40,340 weights (100.0%)" in caplog.text
    assert (
        caplog.text.count("  4.weight: the run's 32 x 32 x 3 x 3, here 16 x 16 x 3 x 3: cut") == 1
    )


def test_a_home_has_the_network_and_what_it_took(tmp_path: Path) -> None:
    """Beside the run's final model."""
    settings = settings_of(baselines=False)
    client = own_client("cnn-half", settings, home=str(tmp_path))
    spec = IMAGES.negotiate([client.facts()], settings)
    model = IMAGES.first_model(spec, settings)
    task = FinalTask(3, spec, "", "", 0.02, False, model.to_npz(), "", "")
    client.final_test(task, run_id=1)
    assert (tmp_path / "model.npz").read_bytes() == model.to_npz()
    kept = Weights.from_npz((tmp_path / "own-network.npz").read_bytes(), shapes_of=shapes_of)
    assert kept.kind == "cnn-half"
    np.testing.assert_array_equal(kept.arrays["0.bias"], model.arrays["0.bias"][:16])
    table = pd.read_csv(tmp_path / "layers.csv").set_index("layer")
    assert set(table["what"]) == {"cut", "taken"}
    assert list(table.loc["13.weight"]) == ["128 x 1024", "64 x 512", "cut", 32768, 32768]


def test_a_run_of_several_networks_is_not_audited(tmp_path: Path) -> None:
    """Its attacks know one network."""
    facts = {
        "status": "completed",
        "code": code_fingerprint(),
        "nodes": 3,
        "settings": settings_of(image_models="cnn,cnn-half").to_config(),
    }
    with pytest.raises(GleanError, match="found image-models='cnn,cnn-half'"):
        ImageAudit().check(StoredRun(tmp_path, facts))
