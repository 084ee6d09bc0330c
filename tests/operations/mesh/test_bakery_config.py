"""What a bakery on a mesh needs of its node config, and the list of members that is made for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.errors import SettingsError
from glean.mesh.mesh_home import MeshHome
from glean.mesh.peer_homes import found_home, listening_of, open_store
from glean.operations.mesh.bakery_config import bakery_config, home_of
from glean.operations.mesh.members_file import MembersFile, members_in_runs
from glean.privacy.members import read_members
from glean.settings import ConfigValue

OWN: dict[str, ConfigValue] = {"sales": "/srv/sales.csv", "privacy": "sums", "min-contributors": 3}


def founded(folder: Path, *, rsa: bool = False) -> MeshHome:
    """A home of a mesh of one."""
    listening = listening_of("127.0.0.1:7711", ())
    key = "rsa-2048" if rsa else "ed25519"
    return found_home(folder, "Old Market", "Bread", listening, key=key, rsa_accepted=rsa)


@pytest.fixture
def home(tmp_path: Path) -> MeshHome:
    """One that signs with Ed25519."""
    return founded(tmp_path / "peer")


def test_a_home_knows_what_a_node_config_lacks(home: MeshHome) -> None:
    """The name, the keys and a folder; a folder that the owner names counts."""
    found = bakery_config(home, OWN)
    assert found == {
        **OWN,
        "bakery": "Old Market",
        "home": str(home.path / "bakery"),
        "signing-key": str(home.path / "signing-key"),
        "members": str(home.path / "members.json"),
    }
    assert home_of(bakery_config(home, {**OWN, "home": "~/own"})) == Path.home() / "own"
    assert bakery_config(home, found) == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"privacy": "sums"}, "found no data"),
        ({**OWN, "bakery": "Another"}, "as the mesh knows this bakery"),
        ({**OWN, "members": "members.json"}, "leave it out"),
        ({**OWN, "key-log": "log"}, "no log of keys"),
        ({**OWN, "model-key": "key.pub"}, "no server that signs"),
        ({**OWN, "partition-id": 0}, "a table of its own"),
        ({**OWN, "colour": "red"}, "found colour"),
        ({**OWN, "min-contributors": 2}, "wanted 3 or more"),
    ],
)
def test_what_does_not_fit_a_mesh_is_refused(
    home: MeshHome, given: dict[str, ConfigValue], said: str
) -> None:
    """Each by its name."""
    with pytest.raises(SettingsError, match=said):
        bakery_config(home, given)


def test_a_peer_that_signs_with_rsa_takes_part_in_no_run(tmp_path: Path) -> None:
    """It is told so, and stands in nobody's list."""
    home = founded(tmp_path / "rsa", rsa=True)
    with pytest.raises(SettingsError, match="wanted Ed25519 to take part in runs"):
        bakery_config(home, OWN)
    assert members_in_runs(open_store(home).membership) == []


def test_the_list_of_members_is_that_of_the_mesh(home: MeshHome) -> None:
    """By signing key alone; it is written where it has changed."""
    membership, file = open_store(home).membership, MembersFile(home.path)
    file.write(membership)
    (member,) = read_members(file.path.read_bytes())
    assert member.bakery == "Old Market"
    assert member.signing_key.startswith("ssh-ed25519 ")
    assert member == members_in_runs(membership)[0]
    file.path.unlink()
    file.write(membership)
    assert not file.path.exists(), "nothing has changed"
