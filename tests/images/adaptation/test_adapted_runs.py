"""Whole runs on drawn shapes whose clients have several networks: bytes, floors, breaks, scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from glean.images import conclusion
from glean.images.adaptation.own_network import matching_of
from glean.images.networks.network import shapes_of
from glean.images.networks.training import SGDOptions, fit
from glean.images.workload import IMAGES
from glean.languages.language import ENGLISH, Language
from glean.learning.model_weights import Weights
from glean.learning.step_sizes import step_size_in
from glean.node_settings import NodeSettings
from glean.runs.folder import read_events
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.images.test_runs import assert_same, images, nodes_of
from tests.inprocess_runs import cut_off, facts_of, run

pytestmark = pytest.mark.slow

MIXED: dict[str, ConfigValue] = {
    "image_model": "cnn",
    "image_models": "cnn,cnn-half",
    "adapt_weights": True,
    "adapt_shapes": True,
    "local_steps": 2,
    "batch_size": 8,
    "num_server_rounds": 2,
}


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures, which take seconds and have a test of their own."""
    with mock.patch.object(conclusion.ImageConclusion, "write_report"):
        yield


def mixed(**changes: ConfigValue) -> dict[str, ConfigValue]:
    return images(**{**MIXED, **changes})


def events_of(folder: Path, kind: str) -> list[dict[str, object]]:
    found = read_events(folder / "events.jsonl")
    return [event for event in found if event["event"] == kind]


def test_masks_change_no_byte(tmp_path: Path) -> None:
    """Of the model, the scores and the tables, where some train in part."""
    masked, plain = (
        run(tmp_path / str(on), mixed(secure_sums=on), nodes=nodes_of(6)) for on in (True, False)
    )
    assert_same(masked, plain)
    assert (masked / "layers.csv").read_bytes() == (plain / "layers.csv").read_bytes()


def test_messages_are_as_large_as_ever(tmp_path: Path) -> None:
    """But for the name of a part without a number; without such clients they are the same."""

    def run_sizes(name: str, **changes: ConfigValue) -> pd.DataFrame:
        folder = run(tmp_path / name, mixed(secure_sums=True, **changes), nodes=nodes_of(6))
        return pd.read_csv(folder / "rounds.csv")[["bytes_down", "bytes_up"]]

    plain = run_sizes("plain", image_models="", adapt_weights=False)
    alike = run_sizes("alike", image_models="")
    adapted = run_sizes("adapted")
    pd.testing.assert_frame_equal(alike, plain, atol=50)
    more = (adapted - plain).abs().to_numpy()
    assert (more < 6 * 2_000).all(), more


def test_a_round_is_the_mean_of_what_each_trained(tmp_path: Path) -> None:
    """By hand: who doesn't train a weight gives it as it was, by its number of pictures."""
    config = mixed(num_server_rounds=1)
    folder = run(tmp_path, config, nodes=nodes_of(3))
    settings = RunSettings.from_config(config)
    shares = [
        IMAGES.open_partition(NodeSettings(partition=k, partitions=3), settings, newcomer=False)
        for k in range(3)
    ]
    spec = IMAGES.negotiate([share.facts() for share in shares], settings)
    before = IMAGES.first_model(spec, settings)
    steps = SGDOptions(settings.local_training, step_size_in(1, 0.02, settings))
    total = {name: np.zeros(values.shape) for name, values in before.arrays.items()}
    counts = [float(f"{share.totals()[0]:.1e}") for share in shares]  # two digits are told
    for share, count, network in zip(shares, counts, ("cnn", "cnn-half", "cnn"), strict=True):
        matching = matching_of(network, spec, settings)
        shapes = shapes_of(network, spec)
        empty = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        begun = matching.down(before, Weights(network, spec, empty))
        mine = share._among(before, share._pictures.training)
        fitted = fit(begun, mine, steps, seed=derived_seed(42, "train", 1, share.name))
        for name in total:
            given = before.arrays[name].astype(float).copy()
            inside = tuple(slice(0, n) for n in shapes[name])
            halved = (
                2.0 if network == "cnn-half" and len(inside) > 1 and shapes[name][1] > 1 else 1.0
            )
            step = (fitted.arrays[name] - begun.arrays[name]).astype(float) / halved
            given[inside] += step
            total[name] += count * given
    found = Weights.from_npz(
        (folder / "models" / "round_001.npz").read_bytes(), shapes_of=shapes_of
    )
    for name, sums in total.items():
        np.testing.assert_allclose(found.arrays[name], sums / sum(counts), atol=2e-6)
        assert (found.arrays[name] != before.arrays[name]).mean() > 0.5


def test_a_run_that_goes_on_after_a_break_has_the_same_bytes(tmp_path: Path) -> None:
    """With clients that are cut, and such that have layers of their own."""
    config = mixed(
        image_models="cnn-small,cnn-half,cnn",
        image_model="cnn-half",
        adapt_share=0.02,
        num_server_rounds=4,
    )
    whole = run(tmp_path / "whole", config, nodes=nodes_of(3))
    old = cut_off(tmp_path / "out", config, round_number=3, nodes=nodes_of(3))
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(3))
    assert facts_of(new)["resumed_round"] in (1, 2)
    assert_same(whole, new)


@pytest.mark.parametrize("secure", [True, False])
def test_too_few_that_train_all_weights_are_no_sum(tmp_path: Path, secure: bool) -> None:
    """Each round is given up, with the reason: the model stays the first one."""
    config = mixed(min_contributors=3, secure_sums=secure, adapt_weights=True)
    folder = run(tmp_path, config, nodes=nodes_of(4))
    events = events_of(folder, "round_given_up")
    assert "found 2 clients that train the run's whole network; wanted 3" in str(events[0])
    settings = RunSettings.from_config(config)
    content = (folder / "model.npz").read_bytes()
    spec = Weights.from_npz(content, shapes_of=shapes_of).spec
    assert content == IMAGES.first_model(spec, settings).to_npz()


def test_enough_that_train_all_weights_are_a_sum(tmp_path: Path) -> None:
    """Three of them, beside two others."""
    config = mixed(min_contributors=3, secure_sums=True)
    folder = run(tmp_path, config, nodes=nodes_of(5))
    assert not events_of(folder, "round_given_up")


def test_a_client_that_begins_afresh_is_trained_alone(tmp_path: Path) -> None:
    """And says so; the model is that of the others, without its weight."""
    config = mixed(image_models="cnn,cnn,cnn-small", baselines=True)
    folder = run(tmp_path, config, nodes=nodes_of(3))
    (event,) = events_of(folder, "bakery_not_trained")
    assert event["bakery"] == "client 3"
    reason = str(event["reason"])
    assert "'cnn-small' begins afresh and trains alone: 7% of it is the run's" in reason
    scores = pd.read_csv(folder / "bakeries.csv")
    losses = scores.pivot_table(index="bakery", columns="method", values="log_loss")
    assert (losses["federated"] == losses["local"]).to_dict() == {
        "client 1": False,
        "client 2": False,
        "client 3": True,
    }
    rounds = pd.read_csv(folder / "bakery_rounds.csv")
    unscored = rounds[rounds["log_loss"].isna()]
    assert list(unscored["bakery"]) == ["client 3"] * len(rounds["round"].unique())


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (ENGLISH, ("client 2, client 4: trained cnn-half, of which 100.0% is the run", ">cut<")),
        (Language("de"), ("client 2, client 4", ">gekürzt<")),
        (Language("fr"), ("client 2, client 4", ">coupée<")),
    ],
)
def test_the_report_has_a_table_of_layers(
    tmp_path: Path, language: Language, words: tuple[str, ...]
) -> None:
    """By network, in each language."""
    folder = run(tmp_path, mixed(num_server_rounds=1), nodes=nodes_of(4))
    page = conclusion.CONCLUSION.report_html(folder, language)
    for text in (*words, "32 x 32 x 3 x 3", "16 x 16 x 3 x 3", "13.weight"):
        assert text in page


def test_who_trains_in_part_learns_from_the_others(tmp_path: Path) -> None:
    """Its network tells more of its test pictures right than trained alone, by a tenth of them."""
    config = mixed(
        batch_size=32,
        local_steps=0,
        learning_rate=0.05,
        num_server_rounds=12,
        alpha=1.0,
        seed=1,
        baselines=True,
    )
    folder = run(tmp_path, config, nodes=nodes_of(6))
    scores = pd.read_csv(folder / "bakeries.csv")
    mine = scores[scores["bakery"].isin(["client 2", "client 4", "client 6"])]
    hits = (mine["accuracy"] * mine["rows"]).groupby(mine["method"]).sum()
    rows = mine["rows"].groupby(mine["method"]).sum()
    share = hits / rows
    assert share["federated"] > share["local"] + 0.1
