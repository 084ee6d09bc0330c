"""What is proposed: the same at all participants, and nothing else is taken for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glean.errors import FederationError
from glean.mesh.runs.run_plan import MOST_PLAN_BYTES, RunPlan
from tests.mesh.runs.made_plans import made_plan

PLAN = made_plan("Ost", "Nord", "West")


def test_a_plan_comes_as_it_was_sent() -> None:
    """With its participants in text order, whoever proposed it."""
    assert RunPlan.from_bytes(PLAN.to_bytes()) == PLAN
    assert PLAN.participants == ("Nord", "Ost", "West")
    assert PLAN.proposer == "Ost"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"key": "../../etc"}, "wanted 32 hexadecimal digits"),
        ({"key": 7}, "wanted 32 hexadecimal digits"),
        ({"created": float("inf")}, "can't be read|seconds since 1970"),
        ({"created": "now"}, "seconds since 1970"),
        ({"created": True}, "seconds since 1970"),
        ({"proposer": "Nobody"}, "who doesn't take part"),
        ({"participants": []}, "found 0"),
        ({"participants": "Ost"}, "wanted a list of names"),
        ({"participants": ["West", "Ost"]}, "in text order"),
        ({"participants": ["Ost", "Ost"]}, "in text order"),
        ({"participants": [str(n).zfill(4) for n in range(101)]}, "wanted 1 to 100"),
        ({"participants": ["", "Ost"]}, "wanted a short text"),
        ({"run_config": []}, "wanted plain values"),
        ({"run_config": {"rounds": [1]}}, "wanted plain values"),
        ({"lease_s": 0.5}, "wanted 1 to 600 seconds"),
        ({"lease_s": True}, "wanted 1 to 600 seconds"),
        ({"code": "0" * 300}, "wanted a short text"),
        ({"format": "glean mesh run 2"}, "different versions of Glean"),
        ({"more": 1}, "different versions of Glean"),
    ],
)
def test_what_can_t_be_a_plan_is_refused(changed: dict[str, Any], said: str) -> None:
    """In words that say what was found."""
    content = {**json.loads(PLAN.to_bytes()), **changed}
    with pytest.raises(FederationError, match=said):
        RunPlan.from_bytes(json.dumps(content).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 5000, b" " * (MOST_PLAN_BYTES + 1)])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Neither read nor tried for long."""
    with pytest.raises(FederationError, match="plan of a run on the mesh"):
        RunPlan.from_bytes(body)
