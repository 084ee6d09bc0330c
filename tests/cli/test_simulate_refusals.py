"""What `glean simulate` refuses before anything starts: exit code 2, the key and what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.typed_commands import glean, simulate

pytestmark = pytest.mark.usefixtures("elsewhere")

REFUSED = [
    (("--set", "num-rounds=3"), "unknown key 'num-rounds'; perhaps num-server-rounds; known are "),
    (("--set", "num-server-rounds=many"), "num-server-rounds: found 'many'; wanted a whole number"),
    (("--set", "num-server-rounds=0"), "num-server-rounds: found 0; wanted a whole number from 1"),
    (("--set", "baselines=yes"), "baselines: found 'yes'; wanted true or false"),
    (("--set", "test-start=01.07.2019"), "test-start: found '01.07.2019'; wanted a date like"),
    (("--set", "seed"), "--set: found 'seed'; wanted KEY=VALUE"),
    (("--set", "min-available-bakeries=6"), "found 6; wanted at most 5: so many"),
    (("--set", "resume=old"), "resume: found no folder "),
    (("--resume", "old"), "resume: found no folder "),
    (("--set", "start-from=none.ubj"), "none.ubj can't be read (No such file"),
    (("--set", "start-from=none.ubj"), "none.ubj can't be read (No such file"),
    (("--profile", "none.toml"), "none.toml"),
    (("--sales", "none.csv"), "none.csv"),
    (("--bakeries", "0"), "--bakeries"),
    (("--engine", "abacus"), "abacus"),
    (("--memory", "much"), "--memory: found 'much'; wanted 16M or more, like 512M or 2G"),
    (("--memory", "1M"), "--memory: found '1M'; wanted 16M or more"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    words: tuple[str, ...], told: str, elsewhere: Path
) -> None:
    """Exit code 2 and the key, the value and what was wanted; no folder is left."""
    result = glean("simulate", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert list(elsewhere.iterdir()) == []


def test_every_wrong_setting_is_told_at_once() -> None:
    """Three slips, three lines."""
    result = glean("simulate", "--set", "speed=3", "--set", "seed=x", "--set", "bins")
    assert result.exit_code == 2
    assert [line[:12] for line in result.stderr.splitlines()] == [
        "unknown key ",
        "seed: found ",
        "--set: found",
    ]


BROKEN = "date,bakery,units\n2023-01-02,a,5\n2023-01-02,a,7\n31/01/2023,a,x\n2023-02-01,b,-3\n"


def test_every_problem_of_a_table_is_told(elsewhere: Path) -> None:
    """A date twice, a date and a number that can't be read, a return: four lines, exit code 2."""
    (elsewhere / "broken.csv").write_text(BROKEN)
    result = simulate("--sales", "broken.csv")
    assert result.exit_code == 2
    told = result.stderr.splitlines()
    assert [line.split(",")[1].strip() for line in told] == ["line 3", "line 4", "line 4", "line 5"]
    assert "'-3'" in told[3]
    assert not (elsewhere / "results").exists()


def test_no_more_bakeries_than_the_table_has(three_bakeries: str) -> None:
    """The number asked for and the number there is."""
    result = simulate("--sales", three_bakeries, "--bakeries", "4")
    assert result.exit_code == 2
    assert "--bakeries: found 4; the table has 3" in result.stderr


PROFILES = [
    ("not toml", "--profile bad.toml: "),
    ("[client]\nnum-cpus = 1\n", "found the table [client]; wanted flat keys"),
]


@pytest.mark.parametrize(("text", "told"), PROFILES)
def test_a_profile_that_flower_would_refuse(text: str, told: str, elsewhere: Path) -> None:
    """The file is named, and what's wrong with it."""
    (elsewhere / "bad.toml").write_text(text)
    result = simulate("--profile", "bad.toml")
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"test_start": "2033-01-01"}, "test-start: found 2033-01-01; the table ends on"),
        ({"holiday_region": "XX"}, "XX"),
        ({"covariates": "units"}, "covariates: found units"),
        ({"products": "none.csv"}, "none.csv: found no such file; wanted the path of a table"),
    ],
)
def test_what_every_bakery_would_refuse_is_refused_at_the_door(
    setting: dict[str, str], words: str, elsewhere: Path, three_bakeries: str
) -> None:
    """Exit code 2 before anything starts, so that no run folder is left."""
    result = simulate("--sales", three_bakeries, **setting)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (elsewhere / "results").exists()


def test_memory_that_the_environment_says_wrong_is_refused_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GLEAN_MEMORY", "2TB")
    result = glean("simulate", "--engine", "inprocess")
    assert result.exit_code == 2
    assert "GLEAN_MEMORY: found '2TB'; wanted 16M or more" in result.stderr
