"""Splits over clients: each picture is one client's, and odd as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import SettingsError
from glean.images.partitioners import FEWEST, SHARDS, Places, like, partition

KINDS = ("dirichlet", "iid", "quantity", "shard")


def labels_of(count: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, count)


def split(
    labels: np.ndarray, clients: int, kind: str, alpha: float = 0.5, seed: int = 0
) -> list[Places]:
    rng = np.random.default_rng(seed)
    return partition(labels, clients, kind=kind, alpha=alpha, rng=rng)


@given(
    st.sampled_from(KINDS),
    st.integers(300, 900),
    st.integers(2, 6),
    st.integers(1, 6),
    st.integers(),
)
def test_each_picture_is_one_client_s(
    kind: str, count: int, classes: int, clients: int, seed: int
) -> None:
    """And every client has some."""
    labels = labels_of(count, classes, seed % 2**31)
    parts = split(labels, clients, kind, alpha=5.0, seed=seed % 2**31)
    assert len(parts) == clients
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert min(map(len, parts)) >= FEWEST


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_splits_alike(kind: str) -> None:
    """And another one otherwise."""
    labels = labels_of(500, 5)
    one, same, other = (split(labels, 4, kind, alpha=3.0, seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(one, other, strict=True))


def shares(labels: np.ndarray, parts: list[Places]) -> np.ndarray:
    """Share of each class in each client's pictures, shape (clients, classes)."""
    counts = np.array([np.bincount(labels[part], minlength=labels.max() + 1) for part in parts])
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def test_the_smaller_alpha_the_odder_the_classes() -> None:
    """Distance of clients' shares from those of all, falling with alpha; near zero for iid."""
    labels = labels_of(20_000, 5)
    every = np.bincount(labels) / len(labels)
    off = [
        np.abs(shares(labels, split(labels, 5, "dirichlet", alpha)) - every).mean()
        for alpha in (0.1, 3.0, 300.0)
    ]
    assert off[0] > 1.5 * off[1] > 3 * off[2]
    assert np.abs(shares(labels, split(labels, 5, "iid")) - every).max() < 0.03


def test_quantities_differ_and_classes_do_not() -> None:
    """Of a Dirichlet draw of 0.5 the largest client has a multiple of the smallest."""
    labels = labels_of(20_000, 5)
    parts = split(labels, 5, "quantity")
    every = np.bincount(labels) / len(labels)
    assert max(map(len, parts)) > 3 * min(map(len, parts))
    large = [part for part in parts if len(part) > 1000]
    assert np.abs(shares(labels, large) - every).max() < 0.06


def test_of_shards_each_client_has_few_classes() -> None:
    """Two pieces of the sorted pictures, each of one class here."""
    labels = np.repeat(np.arange(10), 100)
    parts = split(labels, 5, "shard")
    assert {len(part) for part in parts} == {200}
    assert max(len(np.unique(labels[part])) for part in parts) <= SHARDS


def test_test_pictures_follow_the_training_pictures() -> None:
    """A client's shares of each class are those that it trains on, to a picture."""
    labels, others = labels_of(3000, 4), labels_of(1000, 4, seed=1)
    parts = split(labels, 5, "dirichlet")
    apart = like([labels[part] for part in parts], others, np.random.default_rng(0))
    assert sorted(np.concatenate(apart).tolist()) == list(range(1000))
    for label in range(4):
        have = np.array([(labels[part] == label).sum() for part in parts])
        got = np.array([(others[part] == label).sum() for part in apart])
        assert np.abs(got - have / have.sum() * got.sum()).max() <= 1.0


def test_a_class_that_nobody_trains_on_is_tested_by_all() -> None:
    """Rather than by nobody."""
    apart = like([np.zeros(5, int), np.zeros(9, int)], np.ones(10, int), np.random.default_rng(0))
    assert [len(part) for part in apart] == [5, 5]


def test_too_few_pictures_are_refused() -> None:
    """As are draws that go on leaving a client nearly none."""
    with pytest.raises(SettingsError, match="found 3 training pictures for 5 clients"):
        split(np.zeros(3, int), 5, "iid")
    with pytest.raises(SettingsError, match=r"alpha: found 0\.01; 200 draws"):
        split(labels_of(400, 2), 30, "dirichlet", alpha=0.01)
