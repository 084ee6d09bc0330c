"""The compose file, as docker-compose reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import (
    DEPLOY,
    PROFILES,
    TARGETS,
    USER,
    composed,
    services_of,
    target_of,
)

OURS = {
    "dev": {"service": "service", "invitations": "service", "bakery": "node"},
    "prod": {"control-room": "service", "worker": "worker", "postgres": "", "rabbitmq": ""},
    "offline": {"simulation": "worker"},
    "distributed": {
        "keys": "server",
        "superlink": "server",
        "operator": "server",
        "node": "node",
    },
}
SCALED = ("bakery", "worker", "node")


def all_of_glean() -> list[Any]:
    """Services by images of this Dockerfile, with their names."""
    services = composed()["services"].items()
    return [(name, one) for name, one in services if target_of(one["image"])]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_its_services_each_by_an_image_that_is_built(profile: str) -> None:
    """With nothing of another profile."""
    found = services_of(profile)
    assert {name: target_of(one["image"]) for name, one in found.items()} == OURS[profile]
    for one in found.values():
        wanted = set(one.get("depends_on", {}))
        assert wanted <= set(found)


def test_every_image_is_used_and_built_by_its_target() -> None:
    """By the same name."""
    found = {target_of(one["image"]): one["build"]["target"] for _, one in all_of_glean()}
    assert found == {target: target for target in TARGETS}


def test_containers_of_glean_are_hardened() -> None:
    """Nothing is written to the root, nobody is root, nothing can be gained."""
    for name, one in all_of_glean():
        assert one["read_only"] is True, name
        assert one["user"] == USER, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name


def test_what_is_scaled_can_be() -> None:
    """Two containers can't have one name, nor one port of the machine."""
    for name in SCALED:
        one = composed()["services"][name]
        assert not {"container_name", "hostname", "ports"} & set(one), name


def test_only_the_control_room_is_reached_from_outside() -> None:
    """The database, the broker and the workers are on a network that leads nowhere."""
    found = services_of("prod")
    assert [name for name, one in found.items() if one.get("ports")] == ["control-room"]
    inside = {name for name, one in found.items() if set(one["networks"]) == {"inside"}}
    assert inside == {"postgres", "rabbitmq", "worker"}
    assert composed()["networks"]["inside"]["internal"] is True


def test_what_ends_by_itself_is_not_asked_whether_it_is_well() -> None:
    """It isn't what its image's check looks for."""
    once = {name for name, one in all_of_glean() if one["restart"] == "no"}
    assert once == {"invitations", "simulation", "keys", "operator"}
    for name, one in all_of_glean():
        asked_nothing = one.get("healthcheck") in ({"test": ["NONE"]}, {"disable": True})
        assert asked_nothing is (name in once), name


def test_offline_has_no_network() -> None:
    """Not even one between containers."""
    (one,) = services_of("offline").values()
    assert one["network_mode"] == "none"


def test_no_secret_stands_in_the_file() -> None:
    """They are files beside it, which git doesn't know."""
    assert all(set(one) == {"file"} for one in composed()["secrets"].values())
    for name, one in composed()["services"].items():
        words = [*map(str, one.get("command", [])), *map(str, one.get("environment", {}).values())]
        assert not [word for word in words if "://" in word], name


def test_secrets_become_variables_or_nothing_is_started(tmp_path: Path) -> None:
    """One that can't be read would leave a service with a database of its own."""
    script = (DEPLOY / "with-secrets.sh").read_text(encoding="utf-8")
    script = script.replace("/run/secrets", str(tmp_path))
    asked = ["sh", "-c", script, "with-secrets", "sh", "-c", 'echo "$GLEAN_DATABASE"']
    (tmp_path / "database-url").write_text("postgresql://db/glean\n")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "postgresql://db/glean\n")
    (tmp_path / "broker-url").mkdir()  # root may read any file
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "broker-url" in done.stderr
