"""What a SLURM job may ask of its cluster: the options of `submit-job.sh`, checked as it does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from glean.errors import SettingsError


@dataclass(frozen=True)
class JobOption:
    """An option of `submit-job.sh` with a value.

    Parameters
    ----------
    pattern : str
        Regular expression of all that it can be.
    wanted : str
        The same in words.
    """

    pattern: str
    wanted: str


_NUMBER = JobOption(r"[1-9][0-9]*", "a number from 1 on")

JOB_OPTIONS: Mapping[str, JobOption] = {
    "nodes": _NUMBER,
    "cpus": _NUMBER,
    "mem": JobOption(r"[0-9]+[KMGT]?", "a size like 16G"),
    "time": JobOption(
        r"[0-9]+(:[0-9]+){0,2}|[0-9]+-[0-9]+(:[0-9]+){0,2}",
        "minutes, hours:minutes:seconds or days-hours",
    ),
    "partition": JobOption(r"[A-Za-z0-9_.,-]+", "a partition's name"),
    "gpus": JobOption(r"([A-Za-z0-9_.-]+:)?[1-9][0-9]*", "a number from 1 on, or TYPE:NUMBER"),
}
"""By their names. Without one the cluster's own default counts; nodes are 1, CPUs 4."""


def fits_option(name: str, value: int | str) -> bool:
    """Whether `submit-job.sh` takes a value of an option."""
    return re.fullmatch(JOB_OPTIONS[name].pattern, str(value)) is not None


def option_words(options: Mapping[str, int | str]) -> list[str]:
    """Write options as they are typed.

    Raises
    ------
    SettingsError
        There is no such option, or it can't be that; with a line for each.

    Examples
    --------
    >>> option_words({"nodes": 2, "mem": "16G"})
    ['--nodes=2', '--mem=16G']
    """
    lines = []
    for name, value in options.items():
        if name not in JOB_OPTIONS:
            lines.append(f"{name}: no option of a job; wanted one of {', '.join(JOB_OPTIONS)}")
        elif not fits_option(name, value):
            lines.append(f"{name}: found {str(value)!r}; wanted {JOB_OPTIONS[name].wanted}")
    if lines:
        raise SettingsError("\n".join(lines))
    return [f"--{name}={value}" for name, value in options.items()]
