"""Requests travel as JSON, and what comes from outside is believed only after a look."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.histogram_request import HistogramRequest
from glean.learning.row_sample import MOST_SEED
from glean.settings import BoostingSettings
from tests.histogram_federation import HistogramFederation, non_iid_matrix
from tests.matrices import DEFINITION

LAYOUT = BinLayout(DEFINITION, 32)


@cache
def requests() -> list[HistogramRequest]:
    """All requests of a group of three trees."""
    boosting = BoostingSettings(trees_per_round=3, max_depth=4, min_child_weight=2)
    federation = HistogramFederation([non_iid_matrix(500, seed=3)], boosting)
    grower, found = federation.grower(seed=MOST_SEED), []
    while (request := grower.request()) is not None:
        found.append(request)
        (sums,) = federation.replies(request)
        assert sums.shape == (request.size(LAYOUT),)
        grower.take(sums)
    return found


def last_request() -> str:
    """The request of the deepest level, as it travels."""
    return requests()[-1].to_json()


def test_a_request_reads_as_it_was_written() -> None:
    """Every level's request, to the last number."""
    assert len(requests()) == 4
    for request in requests():
        text = request.to_json()
        again = HistogramRequest.from_json(text, layout=LAYOUT)
        assert again.to_json() == text
        assert again.size(LAYOUT) == request.size(LAYOUT)
        for tree, other in zip(request.trees, again.trees, strict=True):
            assert tree.splits.begin_with(other.splits)
            assert other.splits.begin_with(tree.splits)
            assert other.wanted.dtype == np.int64


def test_a_request_asks_for_one_child_of_each_pair_and_half_the_columns() -> None:
    """The root first, then never two siblings, and only slots of the sampled columns."""
    for depth, request in enumerate(requests()):
        for tree in request.trees:
            assert len(tree.columns) == len(DEFINITION.names) // 2
            assert tree.shape(LAYOUT)[1] == LAYOUT.widths[tree.columns].sum()
            depths = tree.splits.depths()
            assert (depths[tree.wanted] == depth).all()
            pairs = (tree.wanted - 1) // 2
            assert len(np.unique(pairs)) == len(pairs)


def tampered(change: Callable[[dict[str, Any]], object]) -> str:
    request = json.loads(last_request())
    change(request)
    return json.dumps(request)


def first(request: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = request["trees"][0]
    return tree


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no share": lambda o: o.pop("subsample"),
    "a share of nothing": lambda o: o.update(subsample=0),
    "a share beyond all": lambda o: o.update(subsample=1.5),
    "a share that is no number": lambda o: o.update(subsample=float("nan")),
    "a share that is a word": lambda o: o.update(subsample="1"),
    "a share that is true": lambda o: o.update(subsample=True),
    "no trees": lambda o: o.update(trees=[]),
    "trees that are none": lambda o: o.update(trees={"a": 1}),
    "a tree that is none": lambda o: o["trees"].append(7),
    "more than a request": lambda o: o.update(extra=1),
    "a tree with more": lambda o: first(o).update(extra=1),
    "a negative seed": lambda o: first(o).update(seed=-1),
    "a seed too large": lambda o: first(o).update(seed=MOST_SEED + 1),
    "a seed with a fraction": lambda o: first(o).update(seed=1.0),
    "no columns": lambda o: first(o).update(columns=[]),
    "a column that isn't there": lambda o: first(o).update(columns=[len(DEFINITION.names)]),
    "columns twice": lambda o: first(o).update(columns=[3, 3]),
    "columns in disorder": lambda o: first(o).update(columns=[3, 2]),
    "a request for a node that isn't there": lambda o: first(o).update(wanted=[10_000]),
    "a negative node": lambda o: first(o).update(wanted=[-1]),
    "a node that is a yes": lambda o: first(o).update(wanted=[True]),
    "a list of lists": lambda o: first(o).update(wanted=[[1]]),
    "a node split before it is there": lambda o: first(o)["node"].__setitem__(0, 1),
    "a node split twice": lambda o: first(o)["node"].__setitem__(1, 0),
    "a split of a column that isn't there": lambda o: first(o)["column"].__setitem__(0, 99),
    "a split at an edge that isn't there": lambda o: first(o)["edge"].__setitem__(0, 300),
    "a direction that is none": lambda o: first(o)["default_left"].__setitem__(0, 2),
    "arrays of different lengths": lambda o: first(o)["edge"].pop(),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """Nothing out of range reaches the loops over rows, which trust what they are given."""
    with pytest.raises(ModelError, match="request"):
        HistogramRequest.from_json(tampered(change), layout=LAYOUT)


@pytest.mark.parametrize(
    "text", ["", "[1]", "null", "{", "[" * 100_000, '{"trees": 1' + "0" * 5000]
)
def test_text_that_is_no_request_is_refused(text: str) -> None:
    """Neither JSON that isn't one nor text that isn't JSON."""
    with pytest.raises(ModelError, match="request"):
        HistogramRequest.from_json(text, layout=LAYOUT)


def test_a_tree_beyond_the_deepest_and_an_answer_beyond_all_memory_are_refused() -> None:
    """A chain of thirteen splits; hundreds of trees that want every node."""
    chain = {"node": [0, *range(2, 26, 2)], "column": [0] * 13, "edge": [0] * 13}
    deep = tampered(lambda o: first(o).update(chain, default_left=[0] * 13, wanted=[]))
    with pytest.raises(ModelError, match="at most 12 levels"):
        HistogramRequest.from_json(deep, layout=LAYOUT)
    tree = {"seed": 1, "columns": list(range(26)), "wanted": list(range(25))}
    shallow = {key: values[:12] for key, values in chain.items()} | {"default_left": [0] * 12}
    many = {"subsample": 1.0, "trees": [tree | shallow] * 700}
    with pytest.raises(ModelError, match=r"at most .* sums"):
        HistogramRequest.from_json(json.dumps(many), layout=BinLayout(DEFINITION, 256))


@given(place=st.integers(0, 2**20), replacement=st.characters())
def test_a_damaged_letter_is_refused_or_harmless(place: int, replacement: str) -> None:
    """Whatever a letter becomes, the request is refused or can be answered."""
    text = last_request()
    position = place % len(text)
    damaged = text[:position] + replacement + text[position + 1 :]
    try:
        request = HistogramRequest.from_json(damaged, layout=LAYOUT)
    except ModelError:
        return
    for tree in request.trees:
        assert (tree.wanted < tree.splits.nodes).all()
        assert (tree.splits.edge <= LAYOUT.edge_counts[tree.splits.column]).all()
