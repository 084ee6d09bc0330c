"""Which settings go with noise: the rest is refused before anything starts, with the reason."""

from __future__ import annotations

import pytest

from glean.errors import SettingsError
from glean.settings import ConfigValue, RunSettings


def test_the_default_opens_sums_and_noise_takes_random_trees() -> None:
    """ "auto" is resolved by name, so that a run's record says what it was."""
    plain = RunSettings.from_config({})
    assert not plain.noise.wanted
    assert plain.rounds.aggregation == "bagging"
    noised = RunSettings.from_config({"privacy": "noise"})
    assert noised.noise.wanted
    assert noised.rounds.aggregation == "oblivious"
    assert RunSettings.from_config(noised.to_config()) == noised
    assert RunSettings().rounds.kind is plain.rounds.kind


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aggregation": "bagging"}, "its structures are grown on rows, and tell of them"),
        (
            {"aggregation": "bagging", "leaf-values": "scaled"},
            "each one's trees leave it as they are",
        ),
        ({"aggregation": "cyclic"}, "each one's trees leave it as they are"),
        ({"aggregation": "histogram"}, "its many cells want much noise"),
        ({"aggregation": "fedavg"}, "a day can move thousands of weights"),
        ({"workload": "iris"}, "a day can move thousands of weights"),
        ({"secure-sums": False}, "secure-sums: found false with privacy=noise"),
        ({"share-scores": "yes"}, "share-scores: found 'yes' with privacy=noise"),
        ({"fraction-train": 0.5}, "fraction-train: found 0.5 with privacy=noise"),
        ({"early-stopping-rounds": 2}, "early-stopping-rounds: found 2 with privacy=noise"),
        ({"objective": "count:poisson"}, "oblivious is for squared error"),
    ],
)
def test_what_doesnt_go_with_noise_is_refused(changes: dict[str, ConfigValue], words: str) -> None:
    """Says what was found, why it can't be, and what is wanted; without noise most are fine."""
    with pytest.raises(SettingsError, match="wanted") as refused:
        RunSettings.from_config({"privacy": "noise", **changes})
    assert words in str(refused.value)
    RunSettings.from_config(changes)


def test_random_trees_without_noise_are_a_choice_too() -> None:
    """What noise costs can be told apart from what random trees cost."""
    assert RunSettings.from_config({"aggregation": "oblivious"}).rounds.kind.has_state
