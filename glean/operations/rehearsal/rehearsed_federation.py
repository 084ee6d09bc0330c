"""The parts of a federation on this machine: its service, and shops that join by invitation."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from glean.errors import FederationError
from glean.federation_folder import federation_folder
from glean.operations.rehearsal import rehearsal_steps as steps
from glean.operations.rehearsal.rehearsal_plan import FEWEST
from glean.operations.rehearsal.rehearsal_steps import RehearsalStep
from glean.operations.rehearsal.rehearsed_service import RehearsedService
from glean.operations.rehearsal.scene import Scene, Tell
from glean.operations.rehearsal.started_process import StartedProcess
from glean.privacy.members import folder_name

JOIN_LIMIT_S = 300.0
POLL_S = 0.5


def start_service(
    scene: Scene,
    more: Sequence[str] = (),
    *,
    port: int = 0,
    environment: Mapping[str, str] | None = None,
) -> RehearsedService:
    """Start a service that bakeries of this machine reach, and wait until it serves.

    Parameters
    ----------
    scene : Scene
        Where.
    more : sequence of str
        Further words behind `glean serve`.
    port : int
        0 takes a free one.
    environment : mapping of str to str, optional
        Variables beside those of the scene.

    Raises
    ------
    FederationError
        It didn't come up; says what it printed.
    """
    results = scene.folder / "results"
    words = [
        *("serve", "--public", "localhost", "--host", "127.0.0.1", "--port", str(port)),
        *("--init", "--results", str(results), *more),
    ]
    process = scene.start("service", words, environment=environment)
    address = printed(process, r"^serving (https://\S+)")
    token = printed(process, r"^token: (\S+)")
    return RehearsedService(address, token, federation_folder(results).authority)


def start_shops(
    scene: Scene, service: RehearsedService, tables: Mapping[str, Path], *, pages: bool
) -> None:
    """Invite bakeries, and have each join as a shop would.

    Parameters
    ----------
    scene : Scene
        Where.
    service : RehearsedService
        Whose federation.
    tables : mapping of str to Path
        Of each bakery its table, by name.
    pages : bool
        Whether each shop has its page too.
    """
    for number, (bakery, table) in enumerate(tables.items()):
        words = _join_words(scene, service.invite(bakery), bakery, table)
        scene.start(f"shop {number + 1}", [*words, *(() if pages else ("--no-page",))])


def wait_for_members(service: RehearsedService, scene: Scene, count: int, tell: Tell) -> None:
    """Wait until so many have joined.

    Raises
    ------
    FederationError
        They don't come, or something of the scene ended.
    """
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
        time.sleep(POLL_S)


def write_tables(folder: Path, bakeries: int) -> dict[str, Path]:
    """Write a synthetic table for each bakery; their paths by name."""
    # Here, since only the rehearsal itself needs pandas.
    from glean.sales.synthetic.bakeries import synthetic_bakery
    from glean.sales.synthetic.files import write_synthetic

    paths = write_synthetic(folder, bakeries)
    return {synthetic_bakery(index).name: path for index, path in enumerate(paths)}


def printed(process: StartedProcess, pattern: str) -> str:
    """Wait until a process has printed a line, and give what the pattern finds in it.

    Raises
    ------
    FederationError
        It ended without; says what it printed.
    """
    deadline = time.monotonic() + JOIN_LIMIT_S
    while time.monotonic() < deadline:
        running = process.runs
        found = re.search(pattern, process.printed(), re.MULTILINE)
        if found is not None:
            return found[1]
        if not running:
            break
        time.sleep(POLL_S)
    raise FederationError(f"{process.name} didn't come up; it printed:\n{process.last_words()}")


def _join_words(scene: Scene, link: str, bakery: str, table: Path) -> list[str]:
    home = scene.folder / "shops" / folder_name(bakery)
    return [
        *("join", link, "--sales", str(table), "--home", str(home), "--yes"),
        *("--privacy", "sums", "--min-contributors", str(FEWEST), "--trust", "operator"),
        *("--share-scores", "yes"),
    ]
