"""Every command of Glean's and Flower's that containers run is one, with options that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

import click
import pytest
import typer.main

from glean.cli.app import app
from tests.deploy.files import DEPLOY, ROOT, TARGETS, command_of, composed, scripts
from tests.deploy.test_chart import VALUES, containers, pods

FLOWER = {"flwr", "flower-superlink"}
_WORD = re.compile(r"\{\{[^}]*\}\}|\$\{\w+:-([^}]*)\}|\$\([^)]*\)|\$[\w@]+")


@cache
def programs() -> set[str]:
    """What an installed Glean brings into the PATH."""
    return {one.name for one in entry_points(group="console_scripts")}


def understood(words: list[str]) -> None:
    """Let the command line read words without doing what they say.

    Raises
    ------
    click.ClickException
        It doesn't know a command or an option, or a value is none.
    """
    command, rest = typer.main.get_command(app), words
    assert rest.pop(0) == "glean"
    while isinstance(command, click.Group):
        name = rest.pop(0)
        found = command.commands.get(name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command = found
    command.make_context(command.name, rest)


def check(words: Iterable[str]) -> None:
    """See that a container's command can be run."""
    found = [word for word in words if word != "with-secrets"]
    if found[0] == "glean":
        understood(found)
    elif not found[0].startswith("/rehearsal/"):
        assert found[0] in FLOWER & programs(), found


def typed(text: str) -> list[list[str]]:
    """Commands of Glean's in a script or a page; of what the shell puts in its default, or 1."""
    joined = re.sub(r'"\$(@|\{\w+\[@\]\})"', "", text.replace("\\\n", " "))
    lines = re.findall(
        r"(?:^|(?<!helm install)[ ;(])((?:glean) [a-z][^\n|>&;`]*)", joined, re.MULTILINE
    )
    plain = (_WORD.sub(lambda found: found[1] or "1", line.rstrip(" .")) for line in lines)
    return [shlex.split(line, comments=True) for line in plain]


@pytest.mark.parametrize("target", TARGETS)
def test_what_an_image_runs_is_there(target: str) -> None:
    """Without a word from outside."""
    check(command_of(target))


def test_what_compose_runs_is_there() -> None:
    """In every profile."""
    for name, one in composed()["services"].items():
        if one["image"].startswith("glean-") and one.get("command"):
            check(one["command"])
            script = one["command"][0]
            assert not script.startswith("/rehearsal/") or (DEPLOY / script[1:]).is_file(), name


@pytest.mark.parametrize("name", VALUES)
def test_what_the_chart_runs_is_there(name: str) -> None:
    """For each set of values."""
    for _, pod in pods(name):
        for container in containers(pod):
            if container.get("args"):
                check(container["args"])


def test_what_scripts_and_notes_say_is_there() -> None:
    """And there is something that they say."""
    notes = (DEPLOY / "chart" / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    scripted = "\n".join(path.read_text(encoding="utf-8") for path in scripts())
    for text in (notes, re.sub(r"^ *#.*$", "", scripted, flags=re.MULTILINE)):
        found = [words for words in typed(text) if words[1] != "$@"]
        assert found
        for words in found:
            understood(words)


def test_what_the_page_types_is_there() -> None:
    """In its indented lines."""
    page = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^    .*$", page, re.MULTILINE))
    found = [words for words in typed(blocks) if len(words) > 1]
    assert found
    for words in found:
        understood(words)


@pytest.mark.parametrize(
    "words",
    ["glean bake", "glean serve --oven", "glean serve --port many", "glean data generate --bake 1"],
)
def test_what_is_not_there_is_found(words: str) -> None:
    """A command, an option, a value."""
    with pytest.raises(click.ClickException):
        understood(words.split())
