"""`glean rehearse`: service, SuperLink and joined shops on this machine, a run, and all taken down.

Everything lies in one temporary folder, a HOME of its own for what the shops would keep in theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glean.errors import FederationError
from glean.languages.language import ENGLISH, NOTHING
from glean.operations.rehearsal import rehearsal_steps as steps
from glean.operations.rehearsal.rehearsal_plan import RehearsalPlan
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.rehearsal.rehearsed_federation import (
    POLL_S,
    start_service,
    start_shops,
    wait_for_members,
    write_tables,
)
from glean.operations.rehearsal.rehearsed_service import RehearsedService
from glean.operations.rehearsal.scene import Scene, Tell, scene_for

CONNECTION = "bakeries"
"""Name of the SuperLink of a service that bakeries reach."""

RUN_LIMIT_S = 1800.0


@dataclass(frozen=True)
class Rehearsed:
    """What came of it.

    Parameters
    ----------
    address, token : str
        Of the control room, while all stays up.
    members : dict of str to str
        How each stands.
    score : float or None
        Of the run: WAPE on validation days.
    seconds : float
        From asking for the run to its end.
    """

    address: str
    token: str
    members: dict[str, str]
    score: float | None
    seconds: float


@contextmanager
def rehearse(plan: RehearsalPlan, tell: Tell) -> Iterator[Rehearsed]:
    """Bring a federation up, have it run once, and keep it up until the end of the body.

    Parameters
    ----------
    plan : RehearsalPlan
        What shall be rehearsed.
    tell : callable
        Told what happens.

    Raises
    ------
    GleanError
        Something didn't come up, or the run failed; says which, and what it printed last.
    """
    with scene_for(tell) as scene:
        tell(RehearsalStep(steps.BEGINS))
        service = start_service(scene)
        tell(RehearsalStep(steps.SERVES, {"address": service.address}))
        tables = write_tables(scene.folder / "tables", plan.bakeries)
        tell(RehearsalStep(steps.INVITES, {"bakeries": ENGLISH.listed(list(tables))}))
        start_shops(scene, service, tables, pages=plan.pages)
        wait_for_members(service, scene, len(tables), tell)
        score, seconds = _run(service, plan, scene, tell)
        yield Rehearsed(service.address, service.token, service.members(), score, seconds)


def _run(
    service: RehearsedService, plan: RehearsalPlan, scene: Scene, tell: Tell
) -> tuple[float | None, float]:
    settings = {
        "num-server-rounds": plan.rounds,
        "privacy": "sums",
        "min-contributors": min(plan.bakeries, 5),
        "min-available-bakeries": plan.bakeries,
    }
    began = time.monotonic()
    run_id = service.start_run(CONNECTION, settings)
    tell(RehearsalStep(steps.RUN_BEGINS, {"rounds": str(plan.rounds)}))
    done = 0
    while time.monotonic() - began < RUN_LIMIT_S:
        scene.check()
        found = service.run(run_id)
        while done < found["rounds_done"]:
            done += 1
            values = {"round": str(done), "rounds": str(plan.rounds)}
            tell(RehearsalStep(steps.ROUND, values))
        if found["status"] == "completed":
            seconds = time.monotonic() - began
            score = found["score"]
            said = NOTHING if score is None else ENGLISH.percent(score)
            values = {"seconds": f"{seconds:.0f}", "score": said}
            tell(RehearsalStep(steps.COMPLETED, values))
            return score, seconds
        if found["status"] in ("failed", "cancelled"):
            raise FederationError(f"the run failed: {found['reason'] or found['status']}")
        time.sleep(POLL_S)
    raise FederationError(f"the run didn't end within {RUN_LIMIT_S:.0f} s")
