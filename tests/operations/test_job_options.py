"""What a job may ask for: the options of `submit-job.sh`, to the letter."""

from __future__ import annotations

import re

import pytest

from glean.errors import SettingsError
from glean.operations.slurm.job_options import JOB_OPTIONS, fits_option, option_words
from tests.processes import REPOSITORY

CHECK = re.compile(r"""--([a-z]+)\) +check "\$1" "\$2" '([^']+)' ['"](.+?)['"] &&""")


def test_options_are_those_of_the_script() -> None:
    """The same names, patterns and words."""
    text = (REPOSITORY / "submit-job.sh").read_text(encoding="utf-8").replace("\\\n", "")
    text = re.sub(r"--(time|gpus)\)\n +check", r"--\1) check", text)
    text = re.sub(r"\n +(time|gpus)=\$2", r" && \1=$2", text)
    text = re.sub(r"  +", " ", text)
    found = {}
    for name, pattern, wanted in re.findall(CHECK, text):
        found[name] = (pattern, wanted)
    assert found == {name: (item.pattern, item.wanted) for name, item in JOB_OPTIONS.items()}


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("nodes", 1, True),
        ("nodes", 0, False),
        ("cpus", "12", True),
        ("cpus", -1, False),
        ("mem", "16G", True),
        ("mem", "8GB", False),
        ("time", "30", True),
        ("time", "2:00:00", True),
        ("time", "1-12", True),
        ("time", "2h", False),
        ("partition", "gpu,fat", True),
        ("partition", "a b", False),
        ("partition", "a\n#SBATCH --nice=0", False),
        ("partition", "a\n", False),
        ("gpus", "2", True),
        ("gpus", "mi300x:2", True),
        ("gpus", "mi300x:", False),
    ],
)
def test_what_an_option_can_be(name: str, value: int | str, fits: bool) -> None:
    """As `submit-job.sh` refuses it."""
    assert fits_option(name, value) == fits


def test_all_that_is_wrong_is_said() -> None:
    """In a line each."""
    with pytest.raises(SettingsError) as caught:
        option_words({"mem": "8GB", "nice": 0, "nodes": 0})
    assert str(caught.value).splitlines() == [
        "mem: found '8GB'; wanted a size like 16G",
        "nice: no option of a job; wanted one of nodes, cpus, mem, time, partition, gpus",
        "nodes: found '0'; wanted a number from 1 on",
    ]
