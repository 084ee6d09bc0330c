"""Joining: what is kept, what a cut connection costs, and what is refused in plain words."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from glean.errors import CertificateError, FederationError, GleanError, SettingsError
from glean.federation.node.server_errors import ForeignServerError, UnreachableError
from glean.node_settings import NodeSettings
from glean.operations.joining.bakery_node import prepare_node, read_node_config
from glean.operations.joining.joined_home import JoinedHome, default_home, home_of
from glean.operations.joining.new_member import Joined, join, joined_by
from glean.operations.joining.trusted_members import (
    confirm_members,
    distrust_members,
    known_members,
)
from glean.privacy.invitation import Invitation
from glean.privacy.key_log import JOINED, REPLACED, SHUT_OUT, KeyLogError
from glean.privacy.members import new_keys, read_members
from glean.privacy.model_key import ModelSigner, new_model_key
from glean.setting_fields import ConfigValue
from tests.made_up_service import MadeUpService

NAME = "Rue Mouffetard"


def joined(invitation: Invitation, sales: Path, home: Path | None = None) -> Joined:
    """Join."""
    policy: dict[str, ConfigValue] = {"privacy": "noise", "min-contributors": 5}
    return join(invitation, sales=sales, policy=policy, confirms=True, home=home)


def test_all_that_a_node_needs_is_in_the_home(service: MadeUpService, sales: Path) -> None:
    """By its own keys, readable for this user alone; and the node can start from it."""
    done = joined(service.invite(NAME), sales)
    found = default_home(NAME)
    assert (done.home, done.facts.bakery, done.release) == (found, NAME, "0.1.0")
    for path in (found.node_key, found.signing_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o700
    (own,) = service.log.members
    assert read_members(found.members.read_bytes()) == (own,)
    config = read_node_config(found.config)
    node = NodeSettings.from_config(config)
    assert (node.bakery, node.sales, node.privacy) == (NAME, str(sales), "noise")
    assert node.trusted_members == str(found.trusted)
    prepared = prepare_node(
        service.address, authority=found.authority, key=found.node_key, config=config
    )
    assert prepared.home == found.path
    assert home_of(None) == found
    assert [path.name for path in found.path.parent.iterdir()] == ["Rue-Mouffetard"]


def test_no_private_key_and_no_sales_reach_the_server(service: MadeUpService, sales: Path) -> None:
    """What came there is the secret, public halves and proofs."""
    done = joined(service.invite(NAME), sales)
    sent = b"".join(request.body for request in service.server.came)
    assert b"PRIVATE" not in sent
    (_, secret, _) = done.home.signing_key.read_bytes().splitlines()
    assert secret not in sent
    assert {*json.loads(sent)} == {
        "secret", "signing_key", "node_key", "signing_proof", "node_proof"
    }  # fmt: skip


def test_joining_again_goes_on(service: MadeUpService, sales: Path) -> None:
    """The same link finds its home, and asks the server for nothing."""
    invitation = service.invite(NAME)
    done = joined(invitation, sales)
    asked = len(service.server.came)
    assert joined_by(invitation, None) == replace(done, release="")
    assert len(service.server.came) == asked


@pytest.mark.parametrize("flag", ["drops_next", "cut_next"])
def test_an_answer_that_was_lost_costs_nothing(
    service: MadeUpService, sales: Path, flag: str
) -> None:
    """The server has the keys, the bakery doesn't know: once more, and it is let in by them.

    Also where the server was killed before it noted the invitation as used.
    """
    invitation = service.invite(NAME)
    setattr(service, flag, True)
    with pytest.raises(UnreachableError):
        joined(invitation, sales)
    assert joined_by(invitation, None) is None
    done = joined(invitation, sales)
    (own,) = service.log.members
    assert read_members((done.home.path / "member.json").read_bytes())[0].keys == own.keys


@pytest.mark.parametrize("kept", [[], ["node-key"], ["node-key", "signing-key"]])
def test_a_kill_while_keys_are_made_costs_nothing(
    service: MadeUpService, sales: Path, home: Path, kept: list[str]
) -> None:
    """Halves that nobody knows are made anew."""
    invitation = service.invite(NAME)
    waiting = home / "glean" / f".joining-{invitation.secret_hash[:16]}"
    waiting.mkdir(parents=True)
    for name in kept:
        (waiting / name).write_bytes(b"half of it")
    assert joined(invitation, sales).home.joined
    assert not waiting.exists()


def test_a_used_forged_or_foreign_invitation_is_refused(
    service: MadeUpService, sales: Path, home: Path
) -> None:
    """In the server's words, and nothing is left that looks like a home."""
    invitation = service.invite(NAME)
    joined(invitation, sales)
    for path in default_home(NAME).path.iterdir():
        path.unlink()
    with pytest.raises(FederationError, match="was used already"):
        joined(invitation, sales)
    with pytest.raises(FederationError, match="no such invitation"):
        joined(replace(invitation, secret=bytes(16)), sales)
    came = len(service.server.came)
    with pytest.raises(ForeignServerError, match="isn't the server that invited"):
        joined(replace(service.invite("B"), authority=bytes(32)), sales)
    assert len(service.server.came) == came + 1  # the question who it is, and no secret
    assert home_of_any(home) == []


def home_of_any(home: Path) -> list[str]:
    """Homes from which somebody joined."""
    return [p.name for p in (home / "glean").iterdir() if JoinedHome(p).joined]


def test_a_new_key_for_a_lost_one_keeps_the_home(service: MadeUpService, sales: Path) -> None:
    """The ledger of what was spent stays; the old keys are put aside."""
    first = joined(service.invite(NAME), sales)
    (first.home.path / "privacy-ledger.json").write_text("spent")
    before = first.home.signing_key.read_bytes()
    again = joined(service.invite(NAME), sales)
    assert again.home == first.home
    assert (again.home.path / "privacy-ledger.json").read_text() == "spent"
    assert again.home.signing_key.read_bytes() != before
    (aside,) = again.home.path.glob("keys-before-*")
    assert (aside / "signing-key").read_bytes() == before
    assert [entry.event for entry in service.log.entries] == [JOINED, REPLACED]


def test_a_home_of_another_federation_is_left_alone(
    service: MadeUpService, sales: Path, tmp_path: Path
) -> None:
    """Another folder is wanted for it."""
    joined(service.invite(NAME), sales)
    other = MadeUpService(tmp_path / "other operator")
    invitation = other.invite(NAME)
    try:
        with pytest.raises(SettingsError, match="wanted --home"):
            joined(invitation, sales)
        done = joined(invitation, sales, home=tmp_path / "elsewhere")
    finally:
        other.close()
    assert done.home.path == tmp_path / "elsewhere"
    with pytest.raises(SettingsError, match="wanted the home"):
        home_of(tmp_path / "nothing")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_a_home_of_another_bakery_is_left_alone(
    service: MadeUpService, sales: Path, tmp_path: Path
) -> None:
    """Of the same federation too: no file is touched, and the link is good for another folder."""
    first = joined(service.invite(NAME), sales)
    before = contents(first.home.path)
    invitation = service.invite("Place Monge")
    with pytest.raises(SettingsError, match=r"of 'Rue Mouffetard'.*'Place Monge'"):
        joined(invitation, sales, home=first.home.path)
    assert contents(first.home.path) == before
    done = joined(invitation, sales, home=tmp_path / "elsewhere")
    assert done.facts.bakery == "Place Monge"
    assert {member.bakery for member in service.log.members} == {NAME, "Place Monge"}


def test_two_names_of_one_folder_are_two_homes(service: MadeUpService, sales: Path) -> None:
    """What makes folders of names makes one of both."""
    first = joined(service.invite("Rue M."), sales)
    assert default_home("Rue-M.") == first.home
    with pytest.raises(SettingsError, match="wanted --home"):
        joined(service.invite("Rue-M."), sales)


def test_a_home_of_another_federation_spends_no_invitation(
    service: MadeUpService, sales: Path, tmp_path: Path
) -> None:
    """That is seen before the server is told anything."""
    first = joined(service.invite(NAME), sales)
    other = MadeUpService(tmp_path / "other operator")
    try:
        with pytest.raises(SettingsError, match="wanted --home"):
            joined(other.invite(NAME), sales, home=first.home.path)
        assert other.used == set()
    finally:
        other.close()


def test_what_is_said_of_a_new_model_key_works(service: MadeUpService, sales: Path) -> None:
    """The keys aren't touched before it is followed, and then it goes on with the same link."""
    first = joined(service.invite(NAME), sales)
    before = contents(first.home.path)
    pem, public = new_model_key()
    (service.folder / "model-key.pub").write_text(f"{public.line}\n")
    (service.folder / "model-key").write_bytes(pem)
    members, service.log = service.log.members, type(service.log)()
    service.signer = ModelSigner.read(service.folder / "model-key")
    for member in members:
        service.add(JOINED, member)
    invitation = service.invite(NAME)
    for _ in range(2):
        with pytest.raises(CertificateError, match=r"move (\S+) and (\S+) out") as caught:
            joined(invitation, sales)
        assert contents(first.home.path) == before
        assert not list(first.home.path.glob("keys-before-*"))
    for name in re.findall(r"\S+\.(?:pub|jsonl)", str(caught.value)):
        (first.home.path / name).rename(first.home.path / f"{name}.old")
    done = joined(invitation, sales)
    assert done.home == first.home
    assert done.home.model_key.read_text() == f"{public.line}\n"
    assert [member.state for member in known_members(done.home.path)] == ["own"]


def test_a_server_with_another_log_than_before_is_refused(
    service: MadeUpService, sales: Path
) -> None:
    """A home that knew the members notices a second history."""
    service.add(JOINED, new_keys("A").member)
    joined(service.invite(NAME), sales)
    service.log = type(service.log)()
    service.add(JOINED, new_keys("A").member)
    service.add(JOINED, new_keys(NAME).member)
    before = contents(default_home(NAME).path)
    with pytest.raises(CertificateError, match="another log"):
        joined(service.invite(NAME), sales)
    assert contents(default_home(NAME).path) == before


def test_only_confirmed_members_count(service: MadeUpService, sales: Path) -> None:
    """Until then new; with a replaced key once more; never who is shut out."""
    members = {name: new_keys(name).member for name in ("A", "B", "C")}
    for member in members.values():
        service.add(JOINED, member)
    done = joined(service.invite(NAME), sales)

    def states() -> dict[str, str]:
        return {member.name: member.state for member in known_members(done.home.path)}

    assert states() == {"A": "new", "B": "new", "C": "new", NAME: "own"}
    confirm(done, "A", "B")
    confirm(done, "A")
    shown = {member.name: member.fingerprint for member in known_members(done.home.path)}
    service.add(REPLACED, new_keys("A").member)
    service.add(SHUT_OUT, members["C"])
    done.home.key_log.unlink()
    refetch(service, done)
    assert states() == {"A": "key_changed", "B": "confirmed", "C": "shut_out", NAME: "own"}
    with pytest.raises(SettingsError, match="A has another key by now"):
        confirm_members(done.home.path, {"A": shown["A"]})
    confirm(done, "A")
    distrust_members(done.home.path, ["B"])
    assert states() == {"A": "confirmed", "B": "new", "C": "shut_out", NAME: "own"}
    for name in ("C", "nobody"):
        with pytest.raises(SettingsError, match=name):
            confirm_members(done.home.path, {name: shown.get(name, "")})
    done.home.key_log.write_bytes(done.home.key_log.read_bytes().replace(b'"A"', b'"X"'))
    with pytest.raises(KeyLogError):
        known_members(done.home.path)


def confirm(done: Joined, *names: str) -> None:
    """Confirm members as they are shown."""
    shown = {member.name: member.fingerprint for member in known_members(done.home.path)}
    confirm_members(done.home.path, {name: shown[name] for name in names})


def refetch(service: MadeUpService, done: Joined) -> None:
    """Write the log as the server has it."""
    from glean.privacy.key_log import write_key_log

    done.home.key_log.write_bytes(write_key_log(service.log))


def test_a_policy_that_can_not_be_is_refused(service: MadeUpService, sales: Path) -> None:
    """Before anything is noted."""
    with pytest.raises(GleanError, match="min-contributors"):
        join(service.invite(NAME), sales=sales, policy={"min-contributors": 2}, confirms=False)
