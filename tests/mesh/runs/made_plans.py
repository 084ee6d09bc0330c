"""Plans of runs that nobody trains anything by."""

from __future__ import annotations

from glean.mesh.runs.run_plan import RunPlan

KEY = "0123456789abcdef" * 2


def made_plan(
    *participants: str, key: str = KEY, created: float = 1_800_000_000.0, lease_s: float = 15.0
) -> RunPlan:
    """A plan of the first of these."""
    return RunPlan(
        key=key,
        created=created,
        proposer=participants[0],
        participants=tuple(sorted(participants)),
        run_config={"num-server-rounds": 3, "workload": "demand"},
        lease_s=lease_s,
        release="1.0",
        code="00",
    )
