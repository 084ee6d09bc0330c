"""Who gets in: SuperLink and SuperNodes as the documentation starts them, and those turned away."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.privacy.certificate_folder import make_certificates
from tests import processes
from tests.cli.test_certificates import commands
from tests.deployment import (
    QUICK,
    Deployment,
    await_words,
    deployment,
    kill_tree,
    node_command,
    read_log,
    started,
    write_connection,
)
from tests.nginx import NGINX, documented_server, nginx
from tests.processes import BIN, free_port

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
NODE_LIMIT_S = 60.0
WORDS = {
    "not registered": "[code: 2004] Failed to activate SuperNode",
    "not registered, in the SuperLink's log": "No SuperNode found with the given public key",
    "there already, in the SuperLink's log": "could not be activated",
    "no key": "[code: 2001] SuperNode authentication is enabled",
    "no authority": "CERTIFICATE_VERIFY_FAILED",
    "flwr without the authority": "Connection to the SuperLink is unavailable",
    "registered twice": "[code: 23] Public key already in use",
}
"""What people see; the page's troubleshooting quotes it."""


@pytest.fixture(scope="module")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, _orphans_adopted: None
) -> Iterator[Deployment]:
    """Two bakeries are registered, one of them is there."""
    folder = tmp_path_factory.mktemp("access")
    bakeries = {"Nord": folder / "none.csv", "Süd": folder / "none.csv"}
    with deployment(folder, bakeries, absent=["Süd"]) as found:
        yield found


@pytest.fixture(scope="module")
def other_certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another federation's certificates, for the same host."""
    folder = tmp_path_factory.mktemp("strangers") / "keys"
    return make_certificates(folder, hosts=["127.0.0.1"], bakeries=["Nord"]).folder


def turned_away(words: list[str | Path | int], folder: Path) -> str:
    """Log of a SuperNode that ends by itself, with an error."""
    log = folder / "supernode.log"
    env = processes.environment(folder / "flower", **QUICK)
    process = started(*words, cwd=folder, env=env, log=log)
    try:
        assert process.wait(timeout=NODE_LIMIT_S) != 0
    finally:
        kill_tree(process)
    text = read_log(log)
    assert "SuperNode ID" not in text
    return text


def online(deployed: Deployment) -> int:
    done = deployed.flwr("supernode", "list", deployed.connection)
    assert done.returncode == 0, done.stderr
    return done.stdout.count("online")


def test_a_registered_node_is_let_in(deployed: Deployment) -> None:
    """The SuperLink lists it; it speaks to nothing but the Fleet side."""
    node = re.search(r"SuperNode ID: (\d+)", deployed.node_log("Nord"))
    assert node
    done = deployed.flwr("supernode", "list", deployed.connection)
    assert re.search(rf"{node[1]} .*online", done.stdout), done.stdout
    after = deployed.superlink_log.split("Activated node_id")[1]
    paths = set(re.findall(r'"POST (\S+) HTTP', after)) - {"/v1/control/list-nodes"}
    assert all(path.startswith("/v1/fleet/") for path in paths), paths


def test_an_unregistered_node_is_refused(
    deployed: Deployment, other_certificates: Path, tmp_path: Path
) -> None:
    """It trusts the server, but the server doesn't know its key."""
    key = other_certificates / "bakeries" / "Nord" / "node-key"
    command = node_command(deployed.port, authority=deployed.certificates / "ca.crt", key=key)
    assert WORDS["not registered"] in turned_away(command, tmp_path)
    assert WORDS["not registered, in the SuperLink's log"] in deployed.superlink_log
    assert online(deployed) == 1


def test_a_node_without_a_key_is_refused(deployed: Deployment, tmp_path: Path) -> None:
    """Authentication is demanded, not just offered."""
    authority = deployed.certificates / "ca.crt"
    command = node_command(deployed.port, authority=authority, key=Path("-"))
    assert WORDS["no key"] in turned_away(command[:-2], tmp_path)


def test_a_second_node_with_the_same_key_is_refused(deployed: Deployment, tmp_path: Path) -> None:
    """The one that is there stays in."""
    authority, key = deployed.certificates / "ca.crt", deployed.keys["Nord"] / "node-key"
    command = node_command(deployed.port, authority=authority, key=key)
    assert WORDS["not registered"] in turned_away(command, tmp_path)
    assert WORDS["there already, in the SuperLink's log"] in deployed.superlink_log
    assert online(deployed) == 1


@pytest.mark.parametrize("whose", ["nobody's", "another federation's"])
def test_a_node_without_the_authority_refuses_the_server(
    whose: str, deployed: Deployment, other_certificates: Path, tmp_path: Path
) -> None:
    """A registered key doesn't help: it may be anyone who answers at that address."""
    authority = None if whose == "nobody's" else other_certificates / "ca.crt"
    key = deployed.keys["Süd"] / "node-key"
    command = node_command(deployed.port, authority=authority, key=key)
    assert WORDS["no authority"] in turned_away(command, tmp_path)


@pytest.mark.parametrize("whose", ["nobody's", "another federation's"])
def test_an_operator_without_the_authority_gets_nowhere(
    whose: str, deployed: Deployment, other_certificates: Path, tmp_path: Path
) -> None:
    """`flwr` sends nothing to a server that can't prove who it is."""
    authority = None if whose == "nobody's" else other_certificates / "ca.crt"
    write_connection(tmp_path, "deployed", deployed.port, authority)
    env = processes.environment(tmp_path, **QUICK)
    done = processes.run(BIN / "flwr", "supernode", "list", "deployed", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert WORDS["flwr without the authority"] in done.stdout + done.stderr


def test_a_key_is_registered_once(deployed: Deployment) -> None:
    """The second time is an error that says so, and changes nothing."""
    key = deployed.keys["Nord"] / "node-key.pub"
    done = deployed.flwr("supernode", "register", key, deployed.connection)
    assert done.returncode == 1
    assert WORDS["registered twice"] in done.stdout + done.stderr
    assert online(deployed) == 1


def test_flower_asks_for_no_password(deployed: Deployment) -> None:
    """The reason why the page keeps this port from the network: whoever reaches it may command.

    When this fails, Flower has learned to ask, and the page has to say something else.
    """
    assert answer(deployed.port, "/v1/control/list-runs") == 200


def test_the_page_quotes_what_people_see() -> None:
    """Troubleshooting is found by searching for the words on the screen."""
    text = PAGE.read_text(encoding="utf-8")
    assert [words for words in WORDS.values() if words not in text] == []


@pytest.mark.usefixtures("nothing_left")
def test_the_printed_commands_make_a_federation(tmp_path: Path) -> None:
    """What `glean certificates` prints is typed, on other ports and with another shop's folder.

    The bakery makes its own keys; the operator sends back what everybody may have.
    """
    port, keys, shop = free_port(), tmp_path / "keys", tmp_path / "shop"
    words = ["certificates", str(shop / "keys"), "--own", "Rue Mouffetard"]
    assert CliRunner().invoke(app, words).exit_code == 0
    words = ["certificates", str(keys), "--host", "127.0.0.1"]
    words += ["--member", str(shop / "keys" / "member.json")]
    printed = CliRunner().invoke(app, words).output
    printed = printed.replace(":443", f":{port}").replace("8000", str(port))
    printed = printed.replace("/srv/bakery", str(shop))
    for name in ("ca.crt", "members.json"):
        shutil.copy(keys / "bakeries" / "Rue-Mouffetard" / name, shop / "keys")
    (tmp_path / "flower").mkdir()
    stanza = "\n".join(re.findall(r"^  (\[superlink.*|\w[\w-]+ = .*)$", printed, re.MULTILINE))
    (tmp_path / "flower" / "config.toml").write_text(stanza, encoding="utf-8")
    env = processes.environment(tmp_path / "flower", **QUICK)
    (superlink,), (register,), (node,) = (
        commands(printed, program)
        for program in ("flower-superlink", "flwr supernode register", "flower-supernode")
    )
    log = tmp_path / "log"
    with running(superlink, log, env=env, words="Uvicorn running on https"):
        done = processes.run(BIN / register[0], *register[1:], cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        inside = ["--port", str(free_port())]
        with running([*node, *inside], tmp_path / "shop.log", env=env, words=r"SuperNode ID: \d+"):
            assert "Activated node_id" in read_log(log)


@pytest.mark.skipif(NGINX is None, reason="nginx isn't installed")
def test_the_documented_door_lets_in_nodes_and_nothing_else(
    deployed: Deployment, tmp_path: Path
) -> None:
    """nginx, set up as on the page: a bakery takes part through it, nobody commands through it."""
    port = free_port()
    here = {"443": port, "8000": deployed.port, "/srv/glean/keys": deployed.certificates}
    server = documented_server(PAGE, here)
    with nginx(server, tmp_path, deployed.environment):
        assert answer(port, "/v1/fleet/pull-messages") == 401
        for path in (
            "/v1/control/list-runs", "/v1/runtime/pull-task-input", "/health", "/", "//v1/control/",
            "/v1/fleet/../control/list-runs", "/v1/fleet/%2e%2e/control/list-runs",
            "/v1/fleet/..%2fcontrol/list-runs", "/v1/fleet//../../v1/control/list-runs",
        ):  # fmt: skip
            assert answer(port, path) == 403, path
        key = deployed.keys["Süd"]
        node = node_command(port, authority=key / "ca.crt", key=key / "node-key")
        env = processes.environment(tmp_path / "flower", **QUICK)
        log = tmp_path / "supernode.log"
        with running(node, log, env=env, words=r"SuperNode ID: \d+"):
            assert online(deployed) == 2


@contextmanager
def running(
    command: list[str] | list[str | Path | int], log: Path, *, env: dict[str, str], words: str
) -> Iterator[None]:
    """A process that has logged some words; ended at the end, as a service would be."""
    program, *rest = command
    process = started(BIN / str(program), *rest, cwd=log.parent, env=env, log=log)
    try:
        assert re.search(words, await_words(process, log, words))
        yield
        process.terminate()
        process.wait(timeout=NODE_LIMIT_S)
    finally:
        kill_tree(process)


def answer(port: int, path: str) -> int:
    """Status of the answer to an empty call, by one who trusts anybody and shows no key.

    The path is sent as it is.
    """
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/protobuf\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=NODE_LIMIT_S) as line,
        anybody.wrap_socket(line, server_hostname="localhost") as secured,
    ):
        secured.sendall(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        found = re.match(rb"HTTP/1\.\d (\d+)", secured.recv(4096))
    assert found
    return int(found[1])
