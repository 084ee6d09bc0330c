"""The process of a rehearsal that a page started: it writes down what happens, until it is ended.

python -m glean.operations.rehearsal.rehearsal_worker FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from glean.errors import GleanError
from glean.operations.rehearsal.detached_rehearsal import (
    ERROR,
    PLAN,
    PROCESS,
    STEPS,
)
from glean.operations.rehearsal.rehearsal import rehearse
from glean.operations.rehearsal.rehearsal_plan import RehearsalPlan
from glean.operations.rehearsal.rehearsal_steps import READY, RehearsalStep
from glean.operations.signals import raised_as_interrupts
from glean.runs.folder import utc_now, write_whole
from glean.runs.process_tree import this_process

KEPT_S = 2 * 60 * 60.0
"""One that is forgotten ends by itself."""


def main(folder: Path) -> None:
    """Rehearse what the folder's plan says."""
    write_whole(folder / PROCESS, json.dumps(this_process()).encode())
    plan = RehearsalPlan(**json.loads((folder / PLAN).read_bytes()))
    try:
        with raised_as_interrupts(), (folder / STEPS).open("w", encoding="utf-8") as steps:

            def tell(step: RehearsalStep) -> None:
                line = {"time": utc_now(), **asdict(step)}
                steps.write(json.dumps(line, ensure_ascii=False) + "\n")
                steps.flush()

            with rehearse(plan, tell) as found:
                tell(RehearsalStep(READY, {"address": found.address, "token": found.token}))
                time.sleep(KEPT_S)
    except KeyboardInterrupt:
        pass
    except GleanError as error:
        write_whole(folder / ERROR, str(error).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
