"""`glean invite` and `glean status`, on the operator's machine, with the service or without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.privacy.invitation import read_invitation
from glean.privacy.members import Member, new_keys
from glean.privacy.own_keys import make_own_keys
from glean.service.membership import members as module
from glean.service.membership.operator_access import operator_access
from glean.service.serving_file import serving_file
from glean.service.settings import ServiceSettings
from tests.service.federations import ADDRESS, make_federation

RUNNER = CliRunner()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder in which a service has begun a federation."""
    make_federation(tmp_path)
    return tmp_path


@pytest.fixture
def run_of_three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that completed."""
    folder = tmp_path_factory.mktemp("run") / "20260501T000000Z-17"
    folder.mkdir()
    facts = {"status": "completed", "engine": "inprocess", "start": "2026-05-01T00:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def typed(results: Path, *words: str) -> str:
    result = RUNNER.invoke(app, [*words, "--results", str(results)])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(results: Path, *words: str) -> str:
    result = RUNNER.invoke(app, [*words, "--results", str(results)])
    assert result.exit_code == 2, result.output
    return result.stderr


def take_in(results: Path, bakery: str) -> Member:
    member = new_keys(bakery).member
    with operator_access(ServiceSettings(results=results)) as access:
        access.members.add(member)
    return member


def told(results: Path) -> dict[str, str]:
    found = json.loads(typed(results, "status", "--json"))["members"]
    return {one["name"]: one["state"] for one in found}


def test_an_invitation_is_printed_and_only_its_hash_kept(results: Path) -> None:
    """The link, and what is typed at the bakery."""
    lines = typed(results, "invite", "Rue Mouffetard", "--days", "2").splitlines()
    invitation = read_invitation(lines[0])
    assert invitation.address == ADDRESS
    assert f"    glean join '{lines[0]}' --sales my.csv" in lines
    with operator_access(ServiceSettings(results=results)) as access:
        (row,) = access.invitations.open()
        assert row.secret_hash == invitation.secret_hash
        (line,) = access.audit_log.latest(before=None, limit=5)
        assert (line.actor, line.action) == ("glean invite", "invitation.create")
        assert lines[0].partition("#")[2] not in line.detail + line.subject
    assert told(results) == {"Rue Mouffetard": "waiting"}


def test_in_a_terminal_there_is_a_code_to_photograph(results: Path) -> None:
    """Elsewhere it would be in the way."""
    with mock.patch("glean.cli.invite.in_terminal", return_value=True):
        shown = typed(results, "invite", "Rue Mouffetard")
    assert "█▀" in shown
    assert "█▀" not in typed(results, "invite", "Rue Mouffetard")


def test_an_invitation_is_withdrawn(results: Path) -> None:
    """By the bakery's name; a second time there is nothing to withdraw."""
    typed(results, "invite", "Rue Mouffetard")
    assert "withdrawn" in typed(results, "invite", "Rue Mouffetard", "--withdraw")
    assert told(results) == {}
    assert "no open invitation" in refused(results, "invite", "Rue Mouffetard", "--withdraw")


def test_a_lost_key_is_replaced_only_of_a_member(results: Path) -> None:
    """And a member isn't invited twice."""
    assert "isn't a member" in refused(results, "invite", "Old Market", "--replace")
    take_in(results, "Old Market")
    assert "--replace" in refused(results, "invite", "Old Market")
    assert "new key" in typed(results, "invite", "Old Market", "--replace")
    assert "don't go together" in refused(
        results, "invite", "Old Market", "--replace", "--withdraw"
    )


def test_a_bakery_with_flower_s_own_node_is_taken_in_by_its_file(results: Path) -> None:
    """It can't sign as Glean's node does; whoever joins by an invitation has to."""
    made = make_own_keys(results / "keys", "Old Market")
    assert "Old Market" in typed(results, "invite", "--member", str(made.folder / "member.json"))
    take_in(results, "Hill")
    with operator_access(ServiceSettings(results=results)) as access:
        assert not access.members.joined_by_invitation("Old Market")
        assert access.members.joined_by_invitation("Hill")
        assert access.members.of_node_key(made.member.node_key) == "Old Market"
    again = refused(results, "invite", "--member", str(made.folder / "member.json"))
    assert "a member already" in again


@pytest.mark.parametrize("name", ["", "a/b", "a\u202eb", "x" * 81])
def test_a_name_that_the_federation_refuses_is_not_invited(results: Path, name: str) -> None:
    """With what is wanted."""
    assert "wanted" in refused(results, "invite", name)


def test_without_a_federation_the_way_to_one_is_told(tmp_path: Path) -> None:
    """Both commands."""
    assert "glean serve --public NAME" in refused(tmp_path, "invite", "Rue Mouffetard")
    assert "found no service" in refused(tmp_path, "status")


def test_status_tells_members_by_name_between_runs(
    results: Path, run_of_three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the service runs or not; a member that isn't heard of is missing after a while."""
    shutil.copytree(run_of_three, results / run_of_three.name)
    take_in(results, "Old Market")
    take_in(results, "Hill")
    typed(results, "invite", "Harbour")
    with operator_access(ServiceSettings(results=results)) as access:
        access.members.shut_out("Hill")
    said = typed(results, "status")
    assert "service: doesn't run" in said
    assert f"bakers.example; bakeries reach it at {ADDRESS}" in said
    assert told(results) == {"Harbour": "waiting", "Hill": "shut_out", "Old Market": "joined"}
    assert f"{run_of_three.name}  completed" in said
    state = {"phase": "waiting", "problem": "it ended (1)"}
    (results / ".service" / "federation" / "superlink.json").write_text(json.dumps(state))
    with serving_file(results / ".service", "https://bakers.example:8700/"):
        said = typed(results, "status")
        assert "service: runs at https://bakers.example:8700/" in said
        assert "SuperLink: waiting (it ended (1))" in said
    assert "service: doesn't run" in typed(results, "status")
    with operator_access(ServiceSettings(results=results)) as access:
        access.members.left("Old Market")
    assert told(results)["Old Market"] == "left"
    assert "Old Market  has left\n" in typed(results, "status")
    with operator_access(ServiceSettings(results=results)) as access:
        access.members.heard("Old Market")
    monkeypatch.setattr(module.Members, "last_heard", lambda *_: None)
    assert told(results)["Old Market"] == "missing"
    assert "never heard of" in typed(results, "status")


def test_several_are_invited_at_once(results: Path) -> None:
    """Each gets a link of its own; a name that is refused costs none of those before it."""
    lines = typed(results, "invite", "Hafen", "Markt").splitlines()
    links = [line for line in lines if line.startswith("https://")]
    assert len({*links}) == 2
    assert [line for line in lines if line.startswith("Typed at")][1].startswith("Typed at Markt")
    assert "wanted" in refused(results, "invite", "Linde", "a/b")
    for name in ("Hafen", "Linde"):
        assert "withdrawn" in typed(results, "invite", name, "--withdraw")
