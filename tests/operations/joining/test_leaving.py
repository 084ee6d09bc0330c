"""Leaving, and the service that systemd keeps: commands to it, and what a unit says."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from glean.errors import SettingsError
from glean.operations.joining.departure import leave
from glean.operations.joining.joined_home import JoinedHome, home_of
from glean.operations.joining.new_member import join, joined_by
from glean.operations.joining.user_service import UserService, run_command
from tests.made_up_service import MadeUpService


class Systemd:
    """Notes the commands that it gets."""

    def __init__(self, *, refuses: str = "") -> None:
        self.refuses = refuses
        self.got: list[str] = []

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.got.append(" ".join(words))
        refused = bool(self.refuses) and self.refuses in self.got[-1]
        return subprocess.CompletedProcess(list(words), int(refused), "", "no bus")


@pytest.fixture(autouse=True)
def systemctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is one."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "systemctl"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_leaving_tells_the_server_and_keeps_the_home(service: MadeUpService, sales: Path) -> None:
    """It isn't a member any more; what it has for plans stays."""
    invitation = service.invite("A")
    done = join(invitation, sales=sales, policy={}, confirms=False)
    found = leave(done.home, UserService(done.home, Systemd()))
    assert (found.objection, found.was_running, found.was_service) == ("", False, False)
    assert service.log.members == ()
    assert home_of(None).facts().left
    assert done.home.config.exists()
    again = joined_by(invitation, None)
    assert again is not None
    assert not again.home.facts().left


def test_a_server_that_is_gone_does_not_keep_a_bakery(service: MadeUpService, sales: Path) -> None:
    """It leaves, and says that nobody could be told."""
    done = join(service.invite("A"), sales=sales, policy={}, confirms=False)
    service.close()
    found = leave(done.home, UserService(done.home, Systemd()))
    assert "nobody answers" in found.objection
    assert done.home.facts().left


def test_a_unit_starts_the_home_again(home: Path) -> None:
    """Enabled, started, and removed once it leaves."""
    there = JoinedHome(home / "glean" / '100% "Korn" $x')
    systemd = Systemd()
    service = UserService(there, systemd)
    assert service.start()
    assert systemd.got == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {service.name}",
        "loginctl enable-linger",
    ]
    text = service.path.read_text()
    assert '/100%% \\"Korn\\" $$x"' in text
    assert "Restart=always" in text
    assert service.stop()
    assert not service.path.exists()
    assert not service.stop()


def test_a_unit_that_is_another_one_is_started_again(home: Path) -> None:
    """What goes on would keep to the words of before; one that is the same is left alone."""
    there, systemd = JoinedHome(home / "a"), Systemd()
    for language, again in (("en", False), ("en", False), ("de", True)):
        systemd.got.clear()
        service = UserService(there, systemd, page=False, language=language)
        service.start()
        assert (f"systemctl --user restart {service.name}" in systemd.got) == again
        assert f'"--language" "{language}" "--no-page" "--wait"' in service.path.read_text()


def test_two_homes_have_two_units(home: Path) -> None:
    """Of one name, in two folders."""
    one, two = (JoinedHome(home / folder / "Bäckerei") for folder in "ab")
    names = {UserService(there, Systemd()).name for there in (one, two)}
    assert len(names) == 2
    assert all(name.isascii() for name in names)


def test_a_machine_without_systemd_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do in its place."""
    there = JoinedHome(home / "a")
    with pytest.raises(SettingsError, match="no bus"):
        UserService(there, Systemd(refuses="enable --now")).start()
    assert not UserService(there, Systemd(refuses="linger")).start()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="found no systemctl"):
        UserService(there, Systemd()).start()
    assert run_command(["/nowhere/systemctl"]).returncode == 1
