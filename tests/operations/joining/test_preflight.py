"""The look before joining: every line is right or wrong for its own reason, nothing is spent."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from glean.languages.language import language
from glean.operations.joining.joined_home import JoinedHome
from glean.operations.joining.new_member import join
from glean.operations.joining.preflight import preflight
from glean.privacy.invitation import Invitation
from glean.privacy.key_log import SHUT_OUT
from tests.made_up_service import MadeUpService
from tests.processes import free_port


def found(
    invitation: Invitation, sales: Path | None, home: JoinedHome | None = None
) -> dict[str, tuple[bool | None, str]]:
    """Look."""
    checks = preflight(invitation, sales=sales, home=home)
    return {check.name: (check.ok, check.text) for check in checks}


def test_all_is_ready(service: MadeUpService, sales: Path, home: Path) -> None:
    """And the invitation is good afterwards, no file is there."""
    invitation = service.invite("A")
    checks = found(invitation, sales)
    assert {name: ok for name, (ok, _) in checks.items()} == dict.fromkeys(
        ("server", "clock", "version", "keys", "table"), True
    )
    assert "can be used as it is" in checks["table"][1]
    assert (service.used, home.exists()) == (set(), False)


def test_nobody_there_is_one_line(sales: Path) -> None:
    """What depends on the server isn't known then; the table is looked at all the same."""
    checks = found(Invitation(f"127.0.0.1:{free_port()}", bytes(32), bytes(16)), sales)
    assert checks["server"][0] is False
    assert "nobody answers" in checks["server"][1]
    assert (checks["clock"][0], checks["version"][0], checks["table"][0]) == (None, None, True)


def test_a_wrong_fingerprint_is_told(service: MadeUpService, sales: Path) -> None:
    """Somebody sits in between, or the link is of another federation."""
    checks = found(replace(service.invite("A"), authority=bytes(32)), sales)
    assert checks["server"][0] is False
    assert "isn't the server that invited" in checks["server"][1]


def test_another_version_and_a_bad_table_are_told(service: MadeUpService, tmp_path: Path) -> None:
    """Each in its line."""
    service.release = "9.9.9"
    bad = tmp_path / "bad.csv"
    bad.write_text("date,units\nyesterday,many\n")
    checks = found(service.invite("A"), bad)
    assert checks["version"][0] is False
    assert "9.9.9 at the server" in checks["version"][1]
    assert checks["table"][0] is False
    assert found(service.invite("A"), None)["table"][0] is None
    assert found(service.invite("A"), tmp_path / "none.csv")["table"][0] is False


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_clock_that_is_off_is_told(service: MadeUpService, sales: Path, seconds: int) -> None:
    """With how to mend it."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    clock = preflight(service.invite("A"), sales=sales, now=lambda: now)[1]
    assert (clock.name, clock.ok) == ("clock", False)
    assert "timedatectl" in clock.text


def test_keys_are_known_or_not(service: MadeUpService, sales: Path) -> None:
    """Of a bakery that has joined."""
    invitation = service.invite("A")
    done = join(invitation, sales=sales, policy={}, confirms=False)
    assert found(invitation, sales, done.home)["keys"] == (True, "the server knows them as A")
    (own,) = service.log.members
    service.add(SHUT_OUT, own)
    assert found(invitation, sales, done.home)["keys"] == (False, "shut out")


@pytest.mark.parametrize("code", ["de", "fr"])
def test_it_speaks_the_owners_language(code: str, service: MadeUpService, sales: Path) -> None:
    """Names of the lines and what is said."""
    there = preflight(service.invite("A"), sales=sales, language=language(code))
    english = preflight(service.invite("A"), sales=sales)
    assert all(a.text != b.text for a, b in zip(there, english, strict=True))
