"""`docs/workloads.md` shows the workload as it is."""

from __future__ import annotations

import re

from glean.evaluation.plain_conclusion import PlainConclusion
from glean.federation.server.conclusion import Conclusion
from glean.federation.workload.protocols import LocalTrainer, Partition, Workload
from glean.runs.code_version import PACKAGE

PAGE = (PACKAGE.parent / "docs" / "workloads.md").read_text(encoding="utf-8")
SOURCE = (PACKAGE / "iris" / "workload.py").read_text(encoding="utf-8")
LONGEST = 80


def test_the_page_shows_the_whole_workload() -> None:
    """To the letter: a listing that isn't the file misleads whoever copies it."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks[0] == SOURCE


def test_the_page_shows_its_row_in_the_table() -> None:
    """The second listing stands in the table of workloads."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    table = (PACKAGE / "workloads.py").read_text(encoding="utf-8")
    assert "".join(f"    {line}" for line in blocks[1].splitlines(keepends=True)) in table


def test_the_workload_is_as_small_as_it_says() -> None:
    """At most eighty lines."""
    assert len(SOURCE.splitlines()) <= LONGEST


def test_the_page_explains_every_part_of_the_seam() -> None:
    """Each method and property of each protocol, under its heading, and no other."""
    for protocol in (Workload, Partition, LocalTrainer, Conclusion):
        (section,) = re.findall(
            rf"^### `{protocol.__name__}`.*?(?=^##)", PAGE, re.DOTALL | re.MULTILINE
        )
        cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
        told = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
        assert told == {name for name in vars(protocol) if not name.startswith("_")}


def test_the_plain_conclusion_is_one() -> None:
    """It has every method of the protocol."""
    conclusion: Conclusion = PlainConclusion()
    assert all(hasattr(conclusion, n) for n in vars(Conclusion) if not n.startswith("_"))
