"""Images that are built here, and what runs of them: `pytest -m long tests/deploy`.

In a chroot, with a root that can't be written, as the image's user; by no container engine.
"""

from __future__ import annotations

import logging
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.built_images import (
    RESULTS,
    image,
    megabytes,
    results_alone,
    run,
    running,
    volume,
)
from tests.deploy.files import DEPLOY, TARGETS, USER, composed
from tests.processes import free_port, wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.usefixtures("built"),
]

MOST_MB = {"node": 720, "server": 1250, "service": 1700, "worker": 1700}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_slim_and_says_who_runs_it(target: str, tmp_path: Path) -> None:
    """Nothing that compiles or installs is in it; its user is nobody of this machine."""
    config = image(target)["Docker"]["config"]
    assert config["User"] == USER
    assert config["Healthcheck"]["Test"] == ["CMD", "healthy", target]
    logging.getLogger("glean").info("%s: %.0f MB", target, megabytes(target))
    assert megabytes(target) < MOST_MB[target]
    found = run(
        target,
        tmp_path / "state",
        "sh",
        "-c",
        "id -u; for p in cc gcc g++ make pip pip3 curl; do command -v $p; done; "
        "touch /opt/x /etc/x /usr/x 2>/dev/null; ls /opt/x /etc/x /usr/x 2>/dev/null; "
        "python -c 'import pip' 2>/dev/null && echo pip; glean --version; "
        'healthy "$0" 2>/dev/null || echo unwell',
        target,
        environment=["GLEAN_SUPERLINK=https://127.0.0.1:1/"],
    )
    assert found.split() == ["10001", "0.1.0", "unwell"]


def test_a_service_starts_and_answers(shared: Path) -> None:
    """Its health too, and it ends when it is told to."""
    state, results = volume(shared, "service"), volume(shared, "results")
    mounts = results_alone(shared, results, "service")
    words = ("glean", "serve", "--results", RESULTS, "--port", "0")
    with running("service", state, *words, mounts=mounts) as service:
        service.await_health()
        token = service.inside("glean", "serve", "--init", "--results", RESULTS)
        assert "token: glean_" in token.stdout
        assert "a service runs over" in token.stderr
        assert service.stop() in {0, 128 + signal.SIGTERM}
    asked = ("sh", "-c", "healthy service || echo no")
    assert run("service", state, *asked, mounts=[f"{results}:{RESULTS}"]).strip() == "no"


@pytest.mark.parametrize("engine", ["inprocess", "ray"])
def test_a_simulation_without_a_network(engine: str, shared: Path) -> None:
    """Compose's profile offline; and on Ray, which writes more."""
    words = composed()["services"]["simulation"]["command"]
    small = ("--bakeries", "2", "--set", "num-server-rounds=1", "--set", "baselines=false")
    state, results = volume(shared, "offline"), volume(shared, "results")
    mounts = results_alone(shared, results, "offline")
    chosen = [engine if word == "inprocess" else word for word in words]
    run("worker", state, *chosen, *small, mounts=mounts, options=["--network", "none"])
    found = results / "latest" / "report.html"
    assert found.stat().st_uid == int(USER.partition(":")[0])


def test_a_federation_of_invited_bakeries(shared: Path) -> None:
    """Compose's profile dev: a service, invitations, bakeries that join by them."""
    port, bakeries = free_port(), 2
    results, links = volume(shared, "results"), volume(shared, "links")
    public = f"127.0.0.1:{port}"
    serve = ("glean", "serve", "--results", RESULTS, "--public", public, "--port", str(port))
    scripts = f"{DEPLOY / 'rehearsal'}:/rehearsal:ro"
    several = [f"BAKERIES={bakeries}"]
    mounts = [scripts, f"{links}:/var/lib/glean-shared"]
    with ExitStack() as stack:
        alone = results_alone(shared, results, "service")
        service = running("service", volume(shared, "home"), *serve, "--init", mounts=alone)
        served = stack.enter_context(service)
        served.await_health()
        invite = [*results_alone(shared, results, "invite"), *mounts]
        made = volume(shared, "invite")
        run("service", made, "/rehearsal/invite.sh", mounts=invite, environment=several)
        nodes = [
            stack.enter_context(
                running(
                    "node",
                    volume(shared, f"bakery-{number}"),
                    *("/rehearsal/bakery.sh", "invited"),
                    mounts=mounts,
                    environment=several,
                )
            )
            for number in range(bakeries)
        ]
        for node in nodes:
            node.await_health()
        wait_until(lambda: status_of(served.inside).count("joined") == bakeries, "all have joined")


def status_of(inside: object) -> str:
    """What `glean status` says beside a service."""
    assert callable(inside)
    found: subprocess.CompletedProcess[str] = inside("glean", "status", "--results", RESULTS)
    return found.stdout


def test_a_federation_by_keys(shared: Path) -> None:
    """Compose's profile distributed: a SuperLink, nodes that are registered, a run to its end."""
    port, bakeries = free_port(), 3
    keys, taken = volume(shared, "keys"), volume(shared, "taken")
    scripts = f"{DEPLOY / 'rehearsal'}:/rehearsal:ro"
    told = [f"BAKERIES={bakeries}", f"SUPERLINK=127.0.0.1:{port}"]
    by_keys = [scripts, f"{keys}:/etc/glean/keys:ro"]
    writes = [scripts, f"{keys}:/etc/glean/keys"]
    run("server", volume(shared, "make"), "/rehearsal/keys.sh", mounts=writes, environment=told)
    words = image("server")["Docker"]["config"]["Cmd"]
    here = {"0.0.0.0": "127.0.0.1", "8000": str(port)}  # noqa: S104 - what stands there
    superlink = running(
        "server",
        volume(shared, "superlink"),
        *(here.get(word, word) for word in words),
        mounts=by_keys,
    )
    with ExitStack() as stack:
        server = stack.enter_context(superlink)
        server.await_health(GLEAN_SUPERLINK=f"https://127.0.0.1:{port}/")
        operator = volume(shared, "operator")
        flower = [*told, "FLWR_HOME=/var/lib/glean/flower"]
        run("server", operator, "/rehearsal/register.sh", mounts=by_keys, environment=flower)
        mounts = [*by_keys, f"{taken}:/var/lib/glean-shared"]
        nodes = [
            stack.enter_context(
                running(
                    "node",
                    volume(shared, f"node-{number}"),
                    *("/rehearsal/bakery.sh", "registered"),
                    mounts=mounts,
                    environment=[*told, "MIN_CONTRIBUTORS=3"],
                )
            )
            for number in range(bakeries)
        ]
        for node in nodes:
            node.await_health()
        small = {"num-server-rounds": 1, "min-contributors": 3, "baselines": "false"}
        sets = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
        asked = ("glean", "run", "bakeries", *sets, "--set", "min-available-bakeries=3")
        found = run("server", operator, *asked, mounts=by_keys, environment=flower)
        assert "the results are on the server's machine" in found
