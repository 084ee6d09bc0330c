"""Groups are drawn from the roster, by nobody's choice, and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.aggregation.robust_aggregation import median_noise
from glean.errors import FederationError
from glean.federation.coordination.groups import FEWEST_GROUPS, FILE, Groups
from glean.federation.wire.noised_parts import score_deviation
from glean.runs.folder import RunFolder
from glean.settings import RunSettings

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=18, max_size=60, unique=True)


@given(NAMES, st.integers(3, 6), st.integers(0, 10))
def test_everybody_is_in_one_group_of_enough(names: list[str], floor: int, scoring: int) -> None:
    """In each as many that learn as the floor; whatever the order in which they came."""
    trainers, others = names[scoring:], names[:scoring]
    found = Groups.of_roster(trainers, others, floor=floor)
    if len(trainers) < FEWEST_GROUPS * floor:
        assert found is None
        return
    assert found is not None
    assert sorted(name for each in found.members for name in each) == sorted(names)
    learning = [found.learning(place) for place in range(found.count)]
    assert min(learning) >= floor
    assert max(learning) - min(learning) <= 1
    sizes = [len(each) for each in found.members]
    assert max(sizes) - min(sizes) <= 1
    assert found == Groups.of_roster(trainers[::-1], {*others}, floor=floor)


def test_another_roster_has_other_groups() -> None:
    """One more member, and who is with whom is drawn anew."""
    names = [f"bakery {k}" for k in range(40)]
    first, second = (Groups.of_roster(some, [], floor=5) for some in (names, [*names[1:], "other"]))
    assert first is not None
    assert second is not None
    together = [{*each} & {*names[1:]} for each in first.members]
    assert not any(each <= {*other} for each in together for other in second.members)


def test_of_forty_three_groups_may_be_spoilt_and_most_can_lack_one() -> None:
    """Seven groups, five of them of six bakeries where five are wanted."""
    found = Groups.of_roster([f"{k}" for k in range(40)], [], floor=5)
    assert found is not None
    assert sorted(len(each) for each in found.members) == [5, 5, 6, 6, 6, 6, 6]
    assert found.count - found.least == 3


@pytest.mark.parametrize(
    ("bakeries", "floor", "sizes"),
    [(18, 3, {3}), (40, 5, {5, 6}), (40, 3, {5, 6}), (100, 5, {10}), (36, 6, {6}), (300, 5, {10})],
)
def test_roomy_groups_are_of_twice_the_floor_where_seven_are_left(
    bakeries: int, floor: int, sizes: set[int]
) -> None:
    """And never smaller than the floor, with six at least."""
    found = Groups.of_roster([f"{k}" for k in range(bakeries)], [], floor=floor, roomy=True)
    assert found is not None
    assert {len(members) for members in found.members} == sizes
    assert found.count >= FEWEST_GROUPS


def test_without_a_floor_there_are_none() -> None:
    """As in a simulation by default."""
    assert Groups.of_roster([f"{k}" for k in range(100)], [], floor=0) is None


def test_most_have_to_be_there() -> None:
    """More than half, of an even number and of an odd one."""
    names = [f"{k}" for k in range(24)]
    even, odd = Groups.of_roster(names[:18], [], floor=3), Groups.of_roster(names, [], floor=3)
    assert even is not None
    assert odd is not None
    assert (even.count, even.least, odd.count, odd.least) == (6, 4, 7, 4)


def test_who_came_later_is_in_none() -> None:
    """It waits for the next run."""
    found = Groups.of_roster([f"{k}" for k in range(18)], [], floor=3)
    assert found is not None
    parted = [name for _, names in found.parted(["3", "late", "5"]) for name in names]
    assert sorted(parted) == ["3", "5"]


def test_they_are_kept_and_read_again(tmp_path: Path) -> None:
    """A run that resumes has the same; damage is named."""
    found = Groups.of_roster([f"{k}" for k in range(18)], ["x"], floor=3)
    assert found is not None
    found.write(RunFolder(tmp_path))
    assert Groups.read(tmp_path / FILE) == found
    assert Groups.read(tmp_path / "none.json") is None
    for damaged in (b"{", b"[]", b'{"members": 3, "trainers": [], "floor": 3}'):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(FederationError, match=r"groups\.json is damaged"):
            Groups.read(tmp_path / FILE)


@pytest.mark.parametrize(("bakeries", "told"), [(40, "0.206"), (100, "0.130"), (400, "0.065")])
def test_the_noise_of_a_score_in_groups_is_what_the_page_says(bakeries: int, told: str) -> None:
    """By the formula of one sum for each group, and the median of them."""
    settings = RunSettings.from_config({"privacy": "noise"})
    groups = Groups.of_roster([f"{k}" for k in range(bakeries)], [], floor=5)
    assert groups is not None
    sizes = [groups.learning(place) for place in range(groups.count)]
    each = [size * score_deviation(settings, parties=size, senders=size) for size in sizes]
    found = median_noise(np.array(each), np.array(sizes, float), size=1.0)
    assert f"{found:.3f}" == told
    page = Path(__file__).parents[3].joinpath("docs", "privacy.md")
    assert told in page.read_text(encoding="utf-8")
