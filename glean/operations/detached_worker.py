"""The process that `detached_run` starts: it runs what a request asks for and says how it went."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from glean.errors import GleanError
from glean.operations.detached_run import ERROR, PROCESS, RUN_ID
from glean.operations.run_request import RunRequest, prepare_request
from glean.operations.signals import raised_as_interrupts
from glean.operations.simulation import run_simulation
from glean.runs.folder import write_whole
from glean.runs.process_tree import this_process


def main(folder: Path) -> int:
    """Run what the request in a folder asks for; the exit code is 0 where it ran to an end."""
    if not _claimed(folder):
        return 0
    try:
        with raised_as_interrupts():
            _run(RunRequest.read(folder), folder)
    except GleanError as error:
        write_whole(folder / ERROR, str(error).encode())
        return 1
    except KeyboardInterrupt:
        write_whole(folder / ERROR, b"interrupted")
        return 1
    return 0


def _run(request: RunRequest, folder: Path) -> None:
    def started(run_id: int) -> None:
        write_whole(folder / RUN_ID, str(run_id).encode())

    run_simulation(prepare_request(request), started)


def _claimed(folder: Path) -> bool:
    """Say who works on the request, unless somebody does or did already."""
    mine = folder / f".{PROCESS}-{os.getpid()}"
    mine.write_text(json.dumps(this_process()), encoding="utf-8")
    try:
        # Unlike a rename this fails where there is one; unlike a new file it's never half there.
        (folder / PROCESS).hardlink_to(mine)
    except FileExistsError:
        return False
    finally:
        mine.unlink()
    return True


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
