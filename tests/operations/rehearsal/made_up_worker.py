"""In the place of a rehearsal's process: it says two things and waits, or fails at once."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from glean.operations.rehearsal.detached_rehearsal import ERROR, PLAN, PROCESS, STEPS
from glean.operations.rehearsal.rehearsal_steps import BEGINS, READY
from glean.runs.process_tree import this_process


def main(folder: Path) -> None:
    plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    (folder / PROCESS).write_text(json.dumps(this_process()), encoding="utf-8")
    if plan["rounds"] == int(os.environ.get("GLEAN_TEST_FAILS", "0")):
        (folder / ERROR).write_text("shop 1 ended by itself", encoding="utf-8")
        return
    values = {"address": "https://localhost:1/", "token": "glean_x"}
    lines = [{"text": BEGINS, "values": {}}, {"text": READY, "values": values}]
    text = "".join(json.dumps({"time": "2026-05-01T03:00:00+00:00", **one}) + "\n" for one in lines)
    (folder / STEPS).write_text(text + '{"time": "half a li', encoding="utf-8")
    time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
