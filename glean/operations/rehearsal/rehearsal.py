"""`glean rehearse`: service, SuperLink and joined shops on this machine, a run, and all taken down.

Everything lies in one temporary folder, a HOME of its own for what the shops would keep in theirs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError
from glean.federation_folder import federation_folder
from glean.languages.language import ENGLISH, NOTHING
from glean.operations.rehearsal import rehearsal_steps as steps
from glean.operations.rehearsal.rehearsal_plan import FEWEST, RehearsalPlan
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.rehearsal.rehearsed_service import RehearsedService
from glean.operations.rehearsal.scene import Scene, Tell, scene_for
from glean.operations.rehearsal.started_process import StartedProcess
from glean.privacy.members import folder_name

CONNECTION = "bakeries"
"""Name of the SuperLink of a service that bakeries reach."""

JOIN_LIMIT_S, RUN_LIMIT_S = 300.0, 1800.0
_POLL_S = 0.5


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
        service = _start_service(scene)
        tell(RehearsalStep(steps.SERVES, {"address": service.address}))
        tables = _write_tables(scene.folder / "tables", plan.bakeries)
        tell(RehearsalStep(steps.INVITES, {"bakeries": ENGLISH.listed(list(tables))}))
        for number, (bakery, table) in enumerate(tables.items()):
            words = _join_words(scene, service.invite(bakery), bakery, table)
            scene.start(f"shop {number + 1}", [*words, *(() if plan.pages else ("--no-page",))])
        _wait_for_members(service, scene, len(tables), tell)
        score, seconds = _run(service, plan, scene, tell)
        yield Rehearsed(service.address, service.token, service.members(), score, seconds)


def _start_service(scene: Scene) -> RehearsedService:
    results = scene.folder / "results"
    words = [
        *("serve", "--public", "localhost", "--host", "127.0.0.1", "--port", "0"),
        *("--init", "--results", str(results)),
    ]
    process = scene.start("service", words)
    address = _printed(process, r"^serving (https://\S+)")
    token = _printed(process, r"^token: (\S+)")
    return RehearsedService(address, token, federation_folder(results).authority)


def _join_words(scene: Scene, link: str, bakery: str, table: Path) -> list[str]:
    home = scene.folder / "shops" / folder_name(bakery)
    return [
        *("join", link, "--sales", str(table), "--home", str(home), "--yes"),
        *("--privacy", "sums", "--min-contributors", str(FEWEST), "--trust", "operator"),
        *("--share-scores", "yes"),
    ]


def _write_tables(folder: Path, bakeries: int) -> dict[str, Path]:
    """Write a synthetic table for each bakery, by name."""
    # Here, since only the rehearsal itself needs pandas.
    from glean.sales.synthetic.bakeries import synthetic_bakery
    from glean.sales.synthetic.files import write_synthetic

    paths = write_synthetic(folder, bakeries)
    return {synthetic_bakery(index).name: path for index, path in enumerate(paths)}


def _printed(process: StartedProcess, pattern: str) -> str:
    """Wait until a process has printed a line, and give what the pattern finds in it."""
    deadline = time.monotonic() + JOIN_LIMIT_S
    while time.monotonic() < deadline:
        running = process.runs
        found = re.search(pattern, process.printed(), re.MULTILINE)
        if found is not None:
            return found[1]
        if not running:
            break
        time.sleep(_POLL_S)
    raise FederationError(f"{process.name} didn't come up; it printed:\n{process.last_words()}")


def _wait_for_members(service: RehearsedService, scene: Scene, count: int, tell: Tell) -> None:
    deadline = time.monotonic() + JOIN_LIMIT_S
    seen: set[str] = set()
    while len(seen) < count:
        scene.check()
        present = [name for name, state in service.members().items() if state == "joined"]
        for name in present:
            if name not in seen:
                seen.add(name)
                values = {"bakery": name, "present": str(len(seen)), "count": str(count)}
                tell(RehearsalStep(steps.JOINED, values))
        if time.monotonic() > deadline:
            raise FederationError(
                f"only {len(seen)} of {count} joined within {JOIN_LIMIT_S:.0f} s; the last "
                f"printed:\n{scene.processes[-1].last_words()}"
            )
        time.sleep(_POLL_S)


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
        time.sleep(_POLL_S)
    raise FederationError(f"the run didn't end within {RUN_LIMIT_S:.0f} s")
