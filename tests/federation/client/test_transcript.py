"""What masks are bound to: every field of a task, every setting, every member."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from glean.federation.client.transcript import transcript_digest
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import TOTALS, SumRequest
from glean.privacy.members import Member
from glean.settings import RunSettings, declared_fields, group_of

TASK = SumTask(
    round=2,
    spec="a spec",
    base="a state before",
    state="a state",
    learning_rate=0.1,
    newcomer=False,
    model=b"trees",
    number=7,
    request=SumRequest((TOTALS,), (TOTALS,)).to_json(),
    structures=b"leaves",
    participants=b"\x07",
    cohort=b"keys",
)
SETTINGS = RunSettings()
MEMBERS = (Member("A", "a key", "a node key"), Member("B", "b key", "b node key"))


def digest() -> bytes:
    return transcript_digest(TASK, SETTINGS, MEMBERS)


def another(value: Any) -> Any:
    """A value of the same type."""
    match value:
        case bool():
            return not value
        case bytes():
            return value + b"x"
        case str():
            return value + "x"
    return value + 1


NOT_TOLD_ALIKE = {
    "base": "each bakery gets what it lacks of the model",
    "model": "likewise; the state's name is checked against what comes of it",
    "newcomer": "refused where it could matter, and of a simulation's bakeries some are",
    "cohort": "the masks are made with these keys themselves",
}
"""Fields of a task that the digest leaves out, and why."""


@pytest.mark.parametrize("name", [field.name for field in fields(SumTask)])
def test_each_field_of_a_task_is_in_the_digest(name: str) -> None:
    """A further field is, or says here why not."""
    changed = replace(TASK, **{name: another(getattr(TASK, name))})
    same = transcript_digest(changed, SETTINGS, MEMBERS) == digest()
    assert same == (name in NOT_TOLD_ALIKE)


@pytest.mark.parametrize("key", sorted(declared_fields()))
def test_each_setting_is_in_the_digest(key: str) -> None:
    """But the device, which a bakery's own environment may change."""
    name, group = key.replace("-", "_"), group_of(key)
    whole: Any = getattr(SETTINGS, group) if group else SETTINGS
    other: Any = replace(whole, **{name: another(getattr(whole, name))})
    parts: dict[str, Any] = {group: other} if group else vars(other)
    changed = replace(SETTINGS, **parts)
    assert (transcript_digest(TASK, changed, MEMBERS) == digest()) == (key == "device")


def test_each_member_is_in_the_digest() -> None:
    """With the key that the bakery's own list has."""
    other = replace(MEMBERS[1], signing_key="another key")
    for members in (MEMBERS[:1], (MEMBERS[0], other), ()):
        assert transcript_digest(TASK, SETTINGS, members) != digest()


def test_the_log_of_keys_up_to_the_latest_of_these_is_in_the_digest() -> None:
    """Who was shown another log shares no mask, though those who take part have the same keys."""

    def with_heads(*heads: tuple[int, str]) -> bytes:
        logged = [
            replace(member, logged=number, log_head=head)
            for member, (number, head) in zip(MEMBERS, heads, strict=True)
        ]
        return transcript_digest(TASK, SETTINGS, logged)

    one = with_heads((1, "a"), (3, "c"))
    assert one != digest()
    assert one != with_heads((1, "a"), (3, "d"))
    assert one == with_heads((2, "b"), (3, "c"))  # the head of 3 covers all before it
