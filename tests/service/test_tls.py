"""Reached by HTTPS: with a certificate of its own, and behind nginx as docs/service.md has it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from glean.privacy.certificate_folder import make_certificates
from glean.service.accounts.attempts import MOST_FAILURES
from tests import processes
from tests.nginx import NGINX, documented_server, nginx
from tests.service.served import Served, serving

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

PAGE = Path(__file__).parents[2] / "docs" / "service.md"
SMALL = {"num-server-rounds": 1, "max-depth": 2}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate and this machine's."""
    folder = tmp_path_factory.mktemp("certificates") / "keys"
    make_certificates(folder, hosts=["localhost", "127.0.0.1", "127.0.0.2"])
    return folder


def trusted(keys: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=keys / "ca.crt")


@contextmanager
def client_of(keys: Path, address: str, **known: str) -> Iterator[httpx2.Client]:
    """Whoever trusts the authority."""
    with httpx2.Client(base_url=address, verify=trusted(keys), timeout=60, headers=known) as found:
        yield found


def check_a_session(client: httpx2.Client, token: str) -> None:
    """Sign in as a browser does: the cookie is for HTTPS only, and the browser is told to stay."""
    answer = client.post("/login", data={"token": token})
    assert answer.status_code == 303, answer.text
    assert "Secure" in answer.headers["set-cookie"]
    assert client.get("/runs").status_code == 200
    assert client.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"


def check_a_run(client: httpx2.Client, served: Served, keys: Path, address: str) -> None:
    """Start one and watch it to its end by WebSocket."""
    body = {"engine": "inprocess", "bakeries": 3, "settings": SMALL}
    run = client.post("/api/v1/runs", json=body, headers=served.headers).json()["id"]
    live = f"{address.replace('https', 'wss')}/api/v1/runs/{run}/live?since=0"
    with connect(live, ssl=trusted(keys), additional_headers=served.headers) as socket:
        kinds = [json.loads(socket.recv(timeout=60))["event"]["event"]]
        while kinds[-1] != "run_finished":
            kinds.append(json.loads(socket.recv(timeout=60))["event"]["event"])
    assert "round_finished" in kinds


def test_it_serves_https_itself(tmp_path: Path, keys: Path) -> None:
    """A page, a session, a run that is watched."""
    pair = ("--certificate", str(keys / "server.pem"), "--private-key", str(keys / "server.key"))
    with serving(tmp_path, *pair) as served:
        address = served.address.rstrip("/")
        assert address.startswith("https://127.0.0.1:")
        with client_of(keys, address) as client:
            check_a_session(client, served.token)
            check_a_run(client, served, keys, address)


@pytest.mark.skipif(NGINX is None, reason="nginx isn't installed")
def test_it_serves_behind_the_documented_proxy(tmp_path: Path, keys: Path) -> None:
    """Large uploads pass, and an address that guesses tokens waits, whatever it says of itself."""
    port = processes.free_port()
    with serving(tmp_path, "--behind-proxy") as served:
        here = {
            "443": port,
            "/etc/glean/cert.pem": keys / "server.pem",
            "/etc/glean/key.pem": keys / "server.key",
            "127.0.0.1:8700": served.address.removeprefix("http://").rstrip("/"),
        }
        proxy = tmp_path / "nginx"
        proxy.mkdir()
        with nginx(documented_server(PAGE, here), proxy, processes.environment(tmp_path / "f")):
            address = f"https://127.0.0.1:{port}"
            with client_of(keys, address) as client:
                check_a_session(client, served.token)
                check_a_run(client, served, keys, address)
                check_a_large_upload(client, served)
            check_guesses(served, keys, address)


def check_a_large_upload(client: httpx2.Client, served: Served) -> None:
    """Larger than what nginx takes by itself; refused by the service, for its lines."""
    rows = "date,bakery,product,units\n" + "2024-01-01,a,roll,many\n" * 100_000
    answer = client.post(
        "/api/v1/datasets?file=sales.csv", content=rows.encode(), headers=served.headers
    )
    assert answer.status_code == 422, answer.text
    assert "sales.csv, line 2, column 'units'" in answer.text


def check_guesses(served: Served, keys: Path, address: str) -> None:
    """Each guess names another client; another address of the machine may still come in."""
    for place in range(MOST_FAILURES):
        wrong = {"Authorization": "Bearer glean_none", "X-Forwarded-For": f"192.0.2.{place}"}
        with client_of(keys, address, **wrong) as client:
            assert client.get("/api/v1/myself").status_code == 401
    with client_of(keys, address, **wrong) as client:
        assert client.get("/api/v1/myself").status_code == 429
    other = httpx2.HTTPTransport(local_address="127.0.0.2", verify=trusted(keys))
    with httpx2.Client(transport=other, headers=served.headers, timeout=60) as client:
        log = client.get(f"{address}/api/v1/audit-log").json()
    addresses = {row["address"] for row in log["lines"] if row["action"] == "login.refused"}
    assert addresses == {"127.0.0.1"}
