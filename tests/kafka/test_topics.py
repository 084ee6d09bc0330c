"""Topics' names begin alike, so that rights are given by a prefix; members keep their partition."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import SettingsError
from glean.kafka.topics import Topics, partition_of, slug


def test_all_topics_of_a_federation_begin_with_it() -> None:
    """Also the names under which places are kept."""
    topics = Topics("north")
    assert topics.all == (
        "glean.north.runs",
        "glean.north.model",
        "glean.north.updates",
        "glean.north.presence",
        "glean.north.dead-letters",
    )
    assert topics.group("") == "glean.north.server"
    assert topics.group("Müller & Söhne").startswith("glean.north.client.M-ller-S-hne-")


def test_two_topics_may_be_named_by_the_user() -> None:
    """As other pipelines name them; each is checked."""
    topics = Topics("north", model="model-topic", update="update-topic")
    assert (topics.models, topics.updates) == ("model-topic", "update-topic")
    with pytest.raises(SettingsError, match=r"found 'a b' for a topic"):
        Topics("north", model="a b")
    with pytest.raises(SettingsError, match="one name for two topics"):
        Topics("north", model="same", update="same")


@given(st.text(max_size=80), st.integers(1, 500))
def test_a_member_s_partition_is_one_of_those_there_are(member: str, count: int) -> None:
    """And the same each time."""
    assert 0 <= partition_of(member, count) < count
    assert partition_of(member, count) == partition_of(member, count)


def test_members_are_spread() -> None:
    """Of forty members on eight partitions none is empty, and the hash is what it was."""
    found = [partition_of(f"bakery {number}", 8) for number in range(40)]
    assert set(found) == set(range(8))
    assert found[:6] == [partition_of(f"bakery {number}", 8) for number in range(6)]
    assert partition_of("bakery 0", 2**61) == partition_of("bakery 0", 2**61) != 0


@given(st.text(max_size=200))
def test_a_slug_fits_everywhere(member: str) -> None:
    """Whatever a member is called."""
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,70}", slug(member))


def test_slugs_of_two_members_differ() -> None:
    """Even where their letters are the same."""
    assert slug("a b") != slug("a-b")
