"""The reference jobs by name, so that figures can be compared over time.

The real tables come from the folder that GLEAN_TABLES names; each is imported by the command that
`docs/sales-tables.md` gives.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from glean.settings import RunSettings, parse_text

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Job:
    """A table, its windows and the number of bakeries."""

    name: str
    bakeries: int
    overrides: tuple[str, ...] = ()
    table: str = ""

    def available(self) -> bool:
        """Whether its table can be had here."""
        return not self.table or bool(os.environ.get("GLEAN_TABLES"))

    def settings(self, scratch: Path, **overrides: str) -> RunSettings:
        """Make the settings of the job, its table imported into `scratch` if it needs one."""
        words = [word.split("=", 1) for word in self.overrides]
        texts = dict(words) | {key.replace("_", "-"): text for key, text in overrides.items()}
        if self.table:
            texts["sales"] = str(import_table(self.table, scratch))
        return RunSettings.from_config({key: parse_text(key, text) for key, text in texts.items()})


JOBS = {
    job.name: job
    for job in (
        Job("synthetic-5", 5),
        Job("synthetic-40", 40),
        Job("unrelated-5", 5, ("scenario=unrelated",)),
        Job("unrelated-40", 40, ("scenario=unrelated",)),
        Job(
            "chain",
            3,
            ("test-start=2019-07-01", "holiday-region=DE-SH", "units-label=EUR"),
            "chain.csv",
        ),
        Job("restaurants-100", 100, ("test-start=2017-02-01",), "restaurants-100.csv"),
    )
}


def import_table(name: str, scratch: Path, *options: str) -> Path:
    """Import a real table by its documented command, unless it is there already.

    Of two options of one name the later counts: `options` stand behind the command's.
    """
    table = scratch / name
    if not table.exists():
        text = (ROOT / "docs" / "sales-tables.md").read_text(encoding="utf-8")
        command = re.search(rf"^glean (data import .* --out {re.escape(name)})$", text, re.M)
        assert command, f"docs/sales-tables.md has no command for {name}"
        words = shlex.split(os.path.expandvars(command[1]))
        glean = Path(sys.executable).with_name("glean")
        subprocess.run([glean, *words, *options], cwd=scratch, check=True, capture_output=True)
    return table.resolve()
