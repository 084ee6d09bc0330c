"""Alerts: told once, kept until they are taken, and to no address that wasn't listed."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from glean.errors import FederationError, SettingsError
from glean.outgoing.addresses import OutgoingAddress
from glean.runs.folder import INTERRUPTED
from glean.runs.process_tree import this_process
from glean.service.alerts import outbox
from glean.service.alerts.delivery import deliver
from glean.service.alerts.outbox import AlertOutbox
from glean.service.alerts.webhooks import webhook
from glean.service.runs.discovery import RunDiscovery
from glean.service.services import Services
from glean.service.store.tables import AlertRow
from tests import processes

HERE = "http://127.0.0.1:8080/alerts"
ALERT = {"kind": "run.failed", "subject": "r1", "text": "why", "at": "now"}


class Receiver:
    """A webhook on this machine, and what came to it."""

    def __init__(self, status: int = 200, location: str = "") -> None:
        self.bodies: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                receiver.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts?to=me"

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.end()


def test_an_alert_is_posted_as_json(receiver: Receiver) -> None:
    """As it is, to the listed path."""
    deliver(webhook(receiver.url), ALERT)
    assert receiver.bodies == [ALERT]


@pytest.mark.parametrize("status", [302, 307, 400, 404, 500])
def test_what_is_not_taken_is_said_and_no_redirect_followed(status: int) -> None:
    """A redirect could lead to a machine of this network."""
    inner = Receiver()
    outer = Receiver(status, location=inner.url)
    try:
        with pytest.raises(FederationError, match=f"answered {status}"):
            deliver(webhook(outer.url), ALERT)
        assert inner.bodies == []
    finally:
        outer.end()
        inner.end()


def test_where_nobody_listens_it_is_said() -> None:
    """By the host's name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FederationError, match=r"127\.0\.0\.1 doesn't take it"):
        deliver(webhook(f"http://127.0.0.1:{port}/"), ALERT)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "https://example.org:x/",
        "https://me:secret@example.org/",
        "http://example.org/",
        "http://8.8.8.8/",
        "https://b\u00e4cker.example/",
    ],
)
def test_what_is_no_address_for_alerts_is_refused(url: str) -> None:
    """Also one that would send them in the clear over the internet."""
    with pytest.raises(SettingsError, match="--webhook"):
        webhook(url)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "192.168.1.1", "169.254.169.254", "::1", "fd00::1", "100.64.0.1"],
)
def test_a_name_that_leads_to_a_private_address_is_refused(address: str) -> None:
    """Whoever owns the name could have it lead anywhere; the address itself may be listed."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    with mock.patch("socket.getaddrinfo", return_value=found):
        with pytest.raises(FederationError, match="leads to the private address"):
            webhook("https://hooks.example.org/").resolve()
        literal = f"[{address}]" if ":" in address else address
        assert webhook(f"http://{literal}/").resolve() == address


def test_a_name_that_leads_to_a_public_address_is_taken() -> None:
    """Unless one of its addresses is private."""
    public = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))
    private = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))
    hook = webhook("https://hooks.example.org/")
    with mock.patch("socket.getaddrinfo", return_value=[public]):
        assert hook.resolve() == "93.184.216.34"
    with (
        mock.patch("socket.getaddrinfo", return_value=[public, private]),
        pytest.raises(FederationError, match=r"10\.0\.0\.7"),
    ):
        hook.resolve()


class Sent:
    """What an outbox sends, and whether that is taken."""

    def __init__(self) -> None:
        self.alerts: list[Mapping[str, str]] = []
        self.taken = True

    def __call__(self, _address: OutgoingAddress, alert: Mapping[str, str]) -> None:
        self.alerts.append(alert)
        if not self.taken:
            raise FederationError("not now")


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def alerts(services: Services, sent: Sent) -> AlertOutbox:
    """An outbox with an address, whose thread doesn't run."""
    return AlertOutbox(services.database, [webhook(HERE)], sent)


def at(moment: dt.timedelta) -> Any:
    later = (dt.datetime.now(dt.UTC) + moment).isoformat(timespec="seconds")
    return mock.patch.object(outbox, "utc_now", return_value=later)


def test_a_run_that_fails_is_told_once(
    services: Services, alerts: AlertOutbox, sent: Sent, results: Path
) -> None:
    """Of runs that had failed before the first look, and that somebody stopped, nothing is."""
    discovery = RunDiscovery(services.database, services.settings, alerts)
    path = next(results.glob("2*")) / "run.json"
    facts = json.loads(path.read_text())
    going = facts | {"status": "running", "process": this_process()}
    for now in (
        facts | {"status": "failed", "reason": "long ago"},
        going,
        facts | {"status": "failed", "reason": INTERRUPTED},
        going,
        facts | {"status": "failed", "reason": "no bakery came"},
        facts | {"status": "failed", "reason": "no bakery came."},
    ):
        path.write_text(json.dumps(now))
        discovery.refresh()
    alerts.send_due()
    alerts.send_due()
    assert [(one["kind"], one["text"]) for one in sent.alerts] == [("run.failed", "no bakery came")]


def test_what_is_not_taken_is_sent_again_later_and_later(
    services: Services, alerts: AlertOutbox, sent: Sent
) -> None:
    """Also by the next service; in the end it is given up."""
    with services.database.transaction() as session:
        alerts.add(session, "run.failed", "r1", "why")
    sent.taken = False
    alerts.send_due()
    alerts.send_due()
    assert len(sent.alerts) == 1
    with at(dt.timedelta(seconds=outbox.FIRST_PAUSE_S + 1)):
        alerts.send_due()
    assert len(sent.alerts) == 2
    with at(dt.timedelta(seconds=outbox.FIRST_PAUSE_S + 1)):
        alerts.send_due()
    assert len(sent.alerts) == 2
    sent.taken = True
    following = AlertOutbox(services.database, [webhook(HERE)], sent)
    with at(dt.timedelta(hours=2)):
        following.send_due()
        following.send_due()
    assert len(sent.alerts) == 3


def test_after_a_day_it_is_given_up(services: Services, alerts: AlertOutbox, sent: Sent) -> None:
    """An address that was taken off the list gets nothing either."""
    with services.database.transaction() as session:
        alerts.add(session, "run.failed", "r1", "why")
        session.execute(sa.update(AlertRow).values(tries=outbox.MOST_TRIES))
        alerts.add(session, "run.failed", "r2", "why")
        session.execute(
            sa.update(AlertRow).where(AlertRow.subject == "r2").values(url="http://[::1]/")
        )
    alerts.send_due()
    assert sent.alerts == []


def test_without_an_address_nothing_is_kept(services: Services) -> None:
    """There would be nobody to take it."""
    nobody = AlertOutbox(services.database, [])
    with services.database.transaction() as session:
        nobody.add(session, "run.failed", "r1", "why")
        assert session.scalars(sa.select(AlertRow)).all() == []
    nobody.start()
    nobody.stop()


def test_the_thread_sends_what_is_added(
    services: Services, alerts: AlertOutbox, sent: Sent
) -> None:
    """And ends when it is told to."""
    with mock.patch.object(outbox, "EVERY_S", 0.01):
        alerts.start()
        with services.database.transaction() as session:
            alerts.add(session, "run.failed", "r1", "why")
        processes.wait_until(lambda: bool(sent.alerts), "it is sent", limit_s=30)
        alerts.stop()
