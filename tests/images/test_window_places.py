"""Windows of a client's own pictures: they follow from each picture, whatever the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glean.classification import ClassificationSums
from glean.image_settings import ImageSettings
from glean.images.client_images import ClientImages, own_images
from glean.images.image_subset import ImageSubset, Labels, Pixels
from glean.images.shapes import SHAPES, drawn_shapes
from glean.images.window_places import window_places
from glean.images.workload import IMAGES
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings

PIXELS, LABELS = drawn_shapes(1)
SHARES = (0.1, 0.2, 0.7)
WINDOWS = ("training", "validation", "test")


def own(path: Path, pixels: Pixels, labels: Labels) -> ClientImages:
    """A client with these pictures in its file."""
    np.savez(path, images=pixels, labels=np.array(SHAPES)[labels])
    return own_images(str(path), ImageSettings())


def seen(subset: ImageSubset) -> set[bytes]:
    return {subset.pixels[place].tobytes() for place in subset.places}


def by_window(client: ClientImages) -> dict[str, set[bytes]]:
    return {name: seen(getattr(client, name)) for name in WINDOWS}


def test_windows_have_about_their_shares() -> None:
    """Of 1,200 pictures, each in one; to four standard deviations."""
    parts = window_places(PIXELS, SHARES)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(PIXELS)))
    for places, share in zip(parts, SHARES, strict=True):
        assert abs(len(places) / 1200 - share) < 4 * np.sqrt(share * (1 - share) / 1200)


def test_further_pictures_and_another_order_move_none(tmp_path: Path) -> None:
    """Also one with 16 bits, which brings all to 16."""
    few = by_window(own(tmp_path / "few.npz", PIXELS[:400], LABELS[:400]))
    order = np.random.default_rng(0).permutation(1200)
    many = by_window(own(tmp_path / "many.npz", PIXELS[order], LABELS[order]))
    for name in WINDOWS:
        assert few[name] <= many[name]
    deep = window_places(PIXELS.astype(np.uint16) * 257, SHARES)
    for one, other in zip(deep, window_places(PIXELS, SHARES), strict=True):
        np.testing.assert_array_equal(one, other)


def test_equal_pictures_are_in_one_window() -> None:
    """None is trained on and tested by its copy."""
    twice = np.concatenate([PIXELS[:50], PIXELS[:50]])
    for places in window_places(twice, SHARES):
        assert set(places % 50) == {place for place in places if place < 50}


def test_every_run_and_name_has_the_same_windows(tmp_path: Path) -> None:
    """Whatever a server sets: the seed, the split of simulations, rounds, privacy."""
    path = tmp_path / "mine.npz"
    mine = own(path, PIXELS[:300], LABELS[:300])
    changes: list[dict[str, ConfigValue]] = [
        {"seed": 1},
        {"seed": 2, "partitioner": "iid", "num-server-rounds": 3},
        {"seed": 3, "alpha": 5.0, "aggregation": "fedadam"},
    ]
    for number, config in enumerate(changes):
        settings = RunSettings.from_config({"workload": "images", "privacy": "sums", **config})
        node = NodeSettings(images=str(path), bakery=f"client {number}")
        client = IMAGES.open_partition(node, settings, newcomer=False)
        for name in WINDOWS:
            found, kept = (getattr(each, name).places for each in (client._pictures, mine))
            np.testing.assert_array_equal(found, kept)


def test_a_test_of_the_source_s_own_stays_the_test(tmp_path: Path) -> None:
    """Then validation pictures alone are dealt out."""
    path = tmp_path / "mine.npz"
    names = np.array(SHAPES)[LABELS]
    np.savez(
        path,
        train_images=PIXELS[40:400],
        train_labels=names[40:400],
        test_images=PIXELS[:40],
        test_labels=names[:40],
    )
    client = own_images(str(path), ImageSettings())
    assert len(client.test) == 40
    assert len(client.training) + len(client.validation) == 360
    whole = by_window(own(tmp_path / "whole.npz", PIXELS[40:400], LABELS[40:400]))
    assert seen(client.validation) == whole["validation"]
    assert seen(client.training) == whole["training"] | whole["test"]


def test_reduced_data_leaves_the_same_few(tmp_path: Path) -> None:
    """Fewer of them are some of the more."""
    path = tmp_path / "mine.npz"
    whole = own(path, PIXELS[:400], LABELS[:400])
    found = [seen(own_images(str(path), ImageSettings(reduced_data=n)).training) for n in (30, 60)]
    assert [len(each) for each in found] == [30, 60]
    assert found[0] < found[1] < seen(whole.training)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_window_may_be_empty(count: int, tmp_path: Path) -> None:
    """Of a few pictures; scores of none are no rows."""
    path = tmp_path / "mine.npz"
    np.savez(path, images=PIXELS[:count], labels=np.arange(count).astype(str))
    settings = RunSettings.from_config(
        {"workload": "images", "privacy": "sums", "image-model": "linear"}
    )
    node = NodeSettings(images=str(path), bakery="few")
    client = IMAGES.open_partition(node, settings, newcomer=False)
    if client.why_untrained:
        return
    weights = IMAGES.first_model(IMAGES.negotiate([client.facts()], settings), settings)
    scored = client.score(weights)
    assert isinstance(scored, ClassificationSums)
    assert scored.rows == len(client._pictures.validation)
