"""Whole runs on drawn shapes in this process: masks, aggregations, resume, newcomers, bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from glean.aggregation.server_optimizers import first_moments, stepped
from glean.errors import SettingsError
from glean.images import conclusion
from glean.images.networks.network import shapes_of
from glean.images.networks.training import SGDOptions, fit
from glean.images.workload import IMAGES
from glean.languages.language import ENGLISH
from glean.learning.model_weights import Weights
from glean.learning.step_sizes import step_size_in
from glean.node_settings import NodeSettings
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.demand_words import demand_words, words_of
from tests.inprocess_runs import config_of, cut_off, facts_of, run

pytestmark = pytest.mark.slow

SAME = ("model.npz", "bakeries.csv", "scores.csv", "bakery_rounds.csv")
"""Files that hold no time."""


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures, which take seconds and have a test of their own."""
    with mock.patch.object(conclusion.ImageConclusion, "write_report"):
        yield


def images(**changes: ConfigValue) -> dict[str, ConfigValue]:
    """Run config; keys with "_" for "-"."""
    given: dict[str, ConfigValue] = {
        "workload": "images",
        "image_model": "linear",
        "learning_rate": 0.02,
        "min_available_bakeries": 3,
    }
    return config_of("", **{**given, **changes})


def nodes_of(clients: int) -> list[dict[str, ConfigValue]]:
    return [{"partition-id": k, "num-partitions": clients} for k in range(clients)]


def assert_same(one: Path, other: Path) -> None:
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_masks_change_no_byte(tmp_path: Path) -> None:
    """Of the model, the scores and the tables."""
    masked, plain = (
        run(tmp_path / str(on), images(secure_sums=on), nodes=nodes_of(4)) for on in (True, False)
    )
    assert_same(masked, plain)
    assert facts_of(masked)["synthetic"] is True


def by_hand(settings: RunSettings, name: str, clients: int) -> Weights:
    """Weights after all rounds: each client's fit, their mean by pictures, the optimiser's step."""
    nodes = (NodeSettings(partition=k, partitions=clients) for k in range(clients))
    shares = [IMAGES.open_partition(node, settings, newcomer=False) for node in nodes]
    spec = IMAGES.negotiate([share.facts() for share in shares], settings)
    weights = IMAGES.first_model(spec, settings)
    moments = first_moments(weights)
    counts = np.array([share.totals()[0] for share in shares], dtype=float)
    for number in range(1, settings.rounds.num_server_rounds + 1):
        mu = settings.local_training.proximal_mu if name == "fedprox" else 0.0
        rate = step_size_in(number, settings.rounds.learning_rate, settings)
        fitted = [
            fit(
                weights,
                share._among(weights, share._pictures.training),
                SGDOptions(settings.local_training, rate, mu),
                seed=derived_seed(settings.seed, "train", number, share.name),
            )
            for share in shares
        ]
        arrays = {
            key: np.average([f.arrays[key] for f in fitted], axis=0, weights=counts)
            for key in weights.arrays
        }
        mean = Weights(weights.kind, spec, {k: v.astype(np.float32) for k, v in arrays.items()})
        if optimizer := settings.rounds.kind.server_optimizer:
            mean, moments = stepped(optimizer, weights, mean, moments, learning_rate=0.0)
        weights = mean
    return weights


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "fedadam", "fedyogi", "fedavgm"])
def test_rounds_go_by_the_formula(name: str, tmp_path: Path) -> None:
    """Three of them, as by hand, to what fixed point and single precision round."""
    config = images(aggregation=name, num_server_rounds=3, proximal_mu=1.0)
    folder = run(tmp_path, config, nodes=nodes_of(3))
    last = (folder / "models" / "round_003.npz").read_bytes()
    found = Weights.from_npz(last, shapes_of=shapes_of)
    expected = by_hand(RunSettings.from_config(config), name, 3)
    for key, values in expected.arrays.items():
        # Clients' weights are told to two digits.
        np.testing.assert_allclose(found.arrays[key], values, atol=1e-2 * np.abs(values).max())


def test_an_optimiser_s_moments_outlive_a_cut(tmp_path: Path) -> None:
    """A run of fedadam that goes on after round 2 of 4 ends in the same bytes."""
    config = images(aggregation="fedadam", num_server_rounds=4)
    whole = run(tmp_path / "whole", config, nodes=nodes_of(3))
    old = cut_off(tmp_path / "out", config, round_number=4, nodes=nodes_of(3))
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(3))
    assert facts_of(new)["resumed_round"] == 2
    assert_same(whole, new)


def test_scores_are_counts_of_each_client_s_test_pictures(tmp_path: Path) -> None:
    """All tables fit together, with a row for the rivals."""
    folder = run(tmp_path, images(num_server_rounds=3, baselines=True), nodes=nodes_of(3))
    labels = pd.read_csv(folder / "labels.csv")
    by_client = pd.read_csv(folder / "bakeries.csv")
    of_all = pd.read_csv(folder / "scores.csv").set_index("method")
    confusion = pd.read_csv(folder / "confusion.csv")
    assert list(of_all.index) == ["federated", "local", "local-on-all", "pooled"]
    tested = labels.groupby("client")["test"].sum()
    looks = pd.Series({"local-on-all": len(tested)}).reindex(of_all.index, fill_value=1)
    assert (of_all["rows"] == looks * tested.sum()).all()
    for method in ("federated", "local"):
        mine = by_client[by_client["method"] == method].set_index("bakery")
        assert mine["rows"].to_dict() == tested.to_dict()
        accuracy = np.average(mine["accuracy"], weights=mine["rows"])
        assert of_all.loc[method, "accuracy"] == pytest.approx(accuracy)
    hits = confusion.query("`class` == taken_for")["rows"].sum()
    assert hits / confusion["rows"].sum() == pytest.approx(of_all.loc["federated", "accuracy"])
    true = confusion.groupby("class")["rows"].sum()
    assert true.to_dict() == labels.groupby("class")["test"].sum().to_dict()


def test_a_network_trained_alone_knows_less_of_what_others_have(tmp_path: Path) -> None:
    """On test pictures of one class mixture it does well; on all clients' it is what it learned."""
    config = images(num_server_rounds=3, baselines=True, alpha=0.1)
    folder = run(tmp_path, config, nodes=nodes_of(3))
    scores = pd.read_csv(folder / "scores.csv").set_index("method")["accuracy"]
    assert scores["local-on-all"] < scores["local"]


def test_without_shown_scores_there_are_sums_only(tmp_path: Path) -> None:
    """Of all clients, which are those of the clients one by one."""
    config = images(num_server_rounds=1, secure_sums=True)
    shown = run(tmp_path / "shown", config, nodes=nodes_of(3))
    hidden = run(tmp_path / "hidden", config | {"share-scores": "no"}, nodes=nodes_of(3))
    assert set(pd.read_csv(hidden / "bakeries.csv")["bakery"]) == {"(all)"}
    one, other = (pd.read_csv(folder / "scores.csv") for folder in (shown, hidden))
    pd.testing.assert_frame_equal(one, other, rtol=1e-5)


def test_newcomers_are_served_and_not_learned_from(tmp_path: Path) -> None:
    """They have a row of their own, beside a network that each trained on its few pictures."""
    config = images(newcomer_fraction=0.4, num_server_rounds=2, baselines=True)
    folder = run(tmp_path, config, nodes=nodes_of(5))
    newcomers = facts_of(folder)["newcomers"]
    assert len(newcomers) == 2
    of_all = pd.read_csv(folder / "scores.csv").set_index(["group", "method"])["rows"]
    tested = pd.read_csv(folder / "labels.csv").groupby("client")["test"].sum()
    for method in ("federated", "local"):
        assert of_all["newcomers", method] == tested[newcomers].sum()
    assert "pooled" not in of_all["newcomers"]
    events = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    left_out = [json.loads(e)["bakery"] for e in events if "bakery_not_trained" in e]
    assert sorted(left_out) == sorted(newcomers)


def test_a_run_goes_on_from_a_model_file(tmp_path: Path) -> None:
    """And scores it beside the final one; another network's is refused."""
    first = run(tmp_path / "first", images(), nodes=nodes_of(3))
    config = images(start_from=str(first / "model.npz"), num_server_rounds=1)
    folder = run(tmp_path / "second", config, nodes=nodes_of(3))
    scores = pd.read_csv(folder / "scores.csv").set_index("method")
    before = pd.read_csv(first / "scores.csv").set_index("method")
    assert scores["accuracy"]["start-from"] == before["accuracy"]["federated"]
    with pytest.raises(SettingsError, match="a network 'linear'; this run's image-model is 'cnn"):
        run(tmp_path / "third", config | {"image-model": "cnn-small"}, nodes=nodes_of(3))


def test_the_report_says_how_it_went(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Four pictures beside the learning curve, and nowhere a word of bakeries, not in the log."""
    mock.patch.stopall()
    caplog.set_level("INFO", logger="glean")
    config = images(num_server_rounds=2, newcomer_fraction=0.25, secure_sums=True)
    folder = run(tmp_path, config, nodes=nodes_of(4))
    found = words_of(folder)
    assert not any(found.values()), found
    assert "4 clients, 2 rounds of fedavg" in caplog.text
    assert demand_words(caplog.text) == set()
    page = conclusion.CONCLUSION.report_html(folder, ENGLISH)
    text = re.sub(r'src="data:[^"]*"|<style.*?</style>', "", page, flags=re.S)
    for words in ("Which classes are taken for which?", "sure, and wrong?", "macro f1"):
        assert words in text
    assert page.count('src="data:') == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_model": "vgg"}, "image-model: found 'vgg'"),
        ({"image_model": ""}, "image-model: found ''"),
    ],
)
def test_settings_that_pictures_can_not_have_are_refused(
    changes: dict[str, ConfigValue], said: str
) -> None:
    """Before anything starts."""
    settings = RunSettings.from_config(images(**changes))
    with pytest.raises(SettingsError, match=said):
        IMAGES.check(settings)
