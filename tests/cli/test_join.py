"""`glean join`, `glean leave`, `glean members`: what a bakery sees, and what is refused."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli import joined as shown
from glean.cli.app import app
from glean.node_settings import NodeSettings
from glean.operations.joining.bakery_node import read_node_config
from glean.operations.joining.joined_home import default_home
from glean.operations.joining.supervision import Supervised, home_alone
from glean.operations.joining.user_service import UserService
from glean.privacy.key_log import JOINED
from glean.privacy.members import new_keys
from tests.made_up_service import MadeUpService
from tests.tables import random_table

NAME = "Rue Mouffetard"


@pytest.fixture(autouse=True)
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A user of their own; commands that would be kept going are noted instead."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    found: list[list[str]] = []

    def supervise(children: list[Supervised], **_: object) -> None:
        found.extend(list(child.command[3:]) for child in children)

    monkeypatch.setattr(shown, "supervise", supervise)
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[MadeUpService]:
    """An operator with a member."""
    found = MadeUpService(tmp_path / "operator")
    found.add(JOINED, new_keys("Place Monge").member)
    yield found
    found.close()


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """A table."""
    path = tmp_path / "my.csv"
    random_table(bakeries=1).rows.drop(columns="bakery").to_csv(path, index=False)
    return path


def glean(*words: str | Path) -> tuple[int, str]:
    """Type a command."""
    result = CliRunner(env={"COLUMNS": "200", **os.environ}).invoke(app, [str(w) for w in words])
    return result.exit_code, result.output


def test_one_command_joins_and_takes_part(
    service: MadeUpService, sales: Path, started: list[list[str]]
) -> None:
    """What leaves is said first, then who else is there; node and page are kept going."""
    code, said = glean("join", service.invite(NAME).link, "--sales", sales)
    assert code == 0, said
    home = default_home(NAME)
    for words in (
        "can be used as it is", "with noise on them", "What stays here", "only those count whom",
        f"{NAME} has joined Seine", "Place Monge", "not confirmed yet", "this bakery",
        f"glean members --home {home.path}",
    ):  # fmt: skip
        assert words in said.replace("\n", " ") or words in said, words
    node, page = started
    assert node[:2] == ["node", service.address]
    assert page[:2] == ["shop", str(home.path)]
    config = NodeSettings.from_config(read_node_config(home.config))
    assert (config.privacy, config.min_contributors, config.share_scores) == ("noise", 5, "no")


def test_again_without_the_link_it_goes_on(
    service: MadeUpService, sales: Path, started: list[list[str]]
) -> None:
    """Also with the link; only one home needs no name."""
    link = service.invite(NAME).link
    for words in (["join", link, "--sales", str(sales)], ["join"], ["join", link, "--no-page"]):
        assert glean(*words)[0] == 0
    assert [words[0] for words in started] == ["node", "shop", "node", "shop", "node"]


def test_the_owner_s_word_is_kept(service: MadeUpService, sales: Path) -> None:
    """What was typed stands in the node config."""
    code, said = glean(
        "join", service.invite(NAME).link, "--sales", sales, "--privacy", "sums",
        "--epsilon-total", "6", "--min-contributors", "3", "--share-scores", "yes",
        "--trust", "operator",
    )  # fmt: skip
    assert code == 0, said
    assert "All bakeries count that the operator lets in" in said
    node = NodeSettings.from_config(read_node_config(default_home(NAME).config))
    assert (node.privacy, node.epsilon_total, node.min_contributors) == ("sums", 6.0, 3)
    assert (node.share_scores, node.trusted_members) == ("yes", "")


def test_a_home_that_has_joined_takes_what_is_typed(service: MadeUpService, sales: Path) -> None:
    """With the link and without; said, and the rest of the file stays."""
    link = service.invite(NAME).link
    glean("join", link, "--sales", sales, "--privacy", "sums", "--trust", "operator")
    config = default_home(NAME).config
    config.write_text("# by hand\n" + config.read_text())
    code, said = glean(
        "join", link, "--privacy", "noise", "--trust", "confirmed", "--epsilon-total", "6"
    )
    assert code == 0
    assert 'bakery.toml, privacy: "noise" from now on; it was "sums"' in said
    assert "bakery.toml, epsilon-total: 6.0 from now on; it was not set" in said
    node = NodeSettings.from_config(read_node_config(config))
    trusted = default_home(NAME).trusted
    assert (node.privacy, node.epsilon_total, node.trusted_members) == ("noise", 6.0, str(trusted))
    assert (trusted.exists(), node.sales, node.min_contributors) == (True, str(sales), 5)
    assert config.read_text().startswith("# by hand\nsales = ")
    code, said = glean("join", "--min-contributors", "4", "--trust", "operator")
    assert "min-contributors: 4 from now on; it was 5" in said
    node = NodeSettings.from_config(read_node_config(config))
    assert (node.privacy, node.min_contributors, node.trusted_members) == ("noise", 4, "")
    before = config.read_bytes()
    for words in (["join"], ["join", link, "--min-contributors", "4"]):
        assert "from now on" not in glean(*words)[1]
    assert config.read_bytes() == before


def test_a_table_that_is_typed_later_is_checked(
    service: MadeUpService, sales: Path, tmp_path: Path, started: list[list[str]]
) -> None:
    """One that can't be used changes nothing, and nothing starts; another one is taken."""
    glean("join", service.invite(NAME).link, "--sales", sales)
    config, bad, other = default_home(NAME).config, tmp_path / "bad.csv", tmp_path / "other.csv"
    bad.write_text("date,units\nyesterday,many\n")
    other.write_bytes(sales.read_bytes())
    before = config.read_bytes()
    started.clear()
    assert glean("join", "--sales", bad, "--privacy", "sums")[0] == 1
    assert (config.read_bytes(), started) == (before, [])
    assert glean("join", "--sales", other)[0] == 0
    assert read_node_config(config)["sales"] == str(other)


def test_a_service_is_started_as_it_was_typed(
    service: MadeUpService, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the page, in German."""
    units: list[str] = []

    def start(unit: UserService) -> bool:
        units.append(unit.text)
        return True

    monkeypatch.setattr(UserService, "start", start)
    glean("join", service.invite(NAME).link, "--sales", sales, "--yes")
    assert glean("join", "--as-service", "--no-page", "--language", "de")[0] == 0
    assert glean("join", "--as-service")[0] == 0
    assert ['"--no-page"' in unit for unit in units] == [True, False]
    assert ['"--language" "de"' in unit for unit in units] == [True, False]


def test_a_service_waits_beside_a_terminal(
    service: MadeUpService, sales: Path, started: list[list[str]]
) -> None:
    """It says so once, and goes on when the other one has ended; a second terminal is told."""
    glean("join", service.invite(NAME).link, "--sales", sales)
    started.clear()
    home = default_home(NAME)
    with ExitStack() as terminal:
        terminal.enter_context(home_alone(home))
        assert "is at work there already" in glean("join")[1]
        seen: list[list[list[str]]] = []

        def end() -> None:
            seen.append(list(started))
            terminal.close()

        timer = threading.Timer(1.0, end)
        timer.start()
        code, said = glean("join", "--wait")
        timer.join()
    assert seen == [[]]
    assert (code, said.count("goes on once it has ended")) == (0, 1)
    assert [words[0] for words in started] == ["node", "shop"]


def test_members_are_confirmed_by_name(service: MadeUpService, sales: Path) -> None:
    """One, all, and taken back."""
    glean("join", service.invite(NAME).link, "--sales", sales)
    assert "not confirmed yet" in glean("members")[1]
    assert "not confirmed yet" not in glean("members", "--confirm", "Place Monge")[1]
    assert "not confirmed yet" in glean("members", "--distrust", "Place Monge")[1]
    assert "not confirmed yet" not in glean("members", "--confirm-all")[1]
    code, said = glean("members", "--confirm", "Nobody")
    assert (code, "found Nobody" in said) == (2, True)


def test_leaving_and_coming_back(service: MadeUpService, sales: Path) -> None:
    """It says what is kept; going on needs the invitation again."""
    invitation = service.invite(NAME)
    glean("join", invitation.link, "--sales", sales)
    code, said = glean("leave")
    assert code == 0
    assert f"{NAME} has left Seine" in said
    code, said = glean("join")
    assert (code, "wanted the invitation too" in said) == (2, True)


def test_a_table_that_can_not_be_used_spends_no_invitation(
    service: MadeUpService, tmp_path: Path
) -> None:
    """Bad rows, several bakeries, no table, no file."""
    link = service.invite(NAME).link
    bad, several = tmp_path / "bad.csv", tmp_path / "several.csv"
    bad.write_text("date,units\nyesterday,many\n")
    random_table(bakeries=2).rows.to_csv(several, index=False)
    for words, code in (
        (["--sales", str(bad)], 1), (["--sales", str(several)], 2), ([], 2),
        (["--sales", str(tmp_path / "none.csv")], 1),
    ):  # fmt: skip
        found, said = glean("join", link, *words)
        assert found == code, said
    assert service.used == set()


def test_a_refusal_is_one_line_in_plain_words(service: MadeUpService, sales: Path) -> None:
    """A text that is no link, one that was used, one of another server."""
    invitation = service.invite(NAME)
    assert glean("join", invitation.link, "--sales", sales)[0] == 0
    glean("leave")
    for path in default_home(NAME).path.iterdir():
        path.unlink()
    for text, words in (
        ("hello", "wanted the whole link"),
        (invitation.link, "was used already"),
        (replace(invitation, secret=bytes(16)).link, "no such invitation"),
        (replace(invitation, authority=bytes(32)).link, "isn't the server that invited"),
    ):
        code, said = glean("join", text, "--sales", sales)
        assert code == 2
        assert words in said
        assert "Traceback" not in said


def test_the_check_is_one_screen(service: MadeUpService, sales: Path) -> None:
    """Ended by what was found; nothing was changed."""
    link = service.invite(NAME).link
    code, said = glean("join", link, "--sales", sales, "--check")
    assert (code, len(said.splitlines())) == (0, 5)
    assert "!!" not in said
    service.release = "9.9.9"
    code, said = glean("join", link, "--sales", sales, "--check", "--language", "de")
    assert (code, "!!  Version" in said) == (1, True)
    assert glean("join", "--check")[0] == 2
    assert service.used == set()
