"""Requests that were taken are known after a restart, and on a disk that is full."""

from __future__ import annotations

import datetime as dt
import logging
import time
from pathlib import Path

import pytest

from glean.privacy.request_signature import SignedRequest
from glean.service.gateway.request_journal import KEPT_S, RequestJournal
from tests.service.gateways import gateway, join

NOW = dt.datetime(2026, 11, 30, 5, tzinfo=dt.UTC)


def request(number: int) -> SignedRequest:
    """One of many."""
    return SignedRequest("key", NOW + dt.timedelta(seconds=number), f"{number:024d}", "0" * 64)


def numbers(journal: RequestJournal) -> list[int]:
    """Which of them are in it."""
    return [int(nonce) for _, nonce in journal.read()]


def test_a_service_that_starts_anew_takes_no_request_again(tmp_path: Path) -> None:
    """Sent again to the next service it is refused, while new ones pass."""
    with gateway(tmp_path / "results") as before:
        hafen = join(before)
        headers = hafen.signed()
        assert before.ask(headers=headers).status == 200
    with gateway(tmp_path / "results") as after:
        answer = after.ask(headers=headers)
        assert (answer.status, after.superlink.seen) == (409, [])
        assert b"sent before" in answer.body
        assert after.ask(headers=hafen.signed()).status == 200


def test_what_is_written_is_there_though_nobody_closed_it(tmp_path: Path) -> None:
    """As a kill leaves it; with its time."""
    journal = RequestJournal(tmp_path / "requests.log")
    journal.note(request(1))
    journal.note(request(2))
    found = list(RequestJournal(tmp_path / "requests.log").read())
    assert found == [(request(k).at, request(k).nonce) for k in (1, 2)]


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    """At any byte: those before and after it are read."""
    whole = tmp_path / "whole.log"
    RequestJournal(whole).note(request(1))
    content = whole.read_bytes()
    for length in range(len(content)):
        path = tmp_path / f"cut-{length}.log"
        RequestJournal(path).note(request(0))
        path.write_bytes(path.read_bytes() + content[:length])
        RequestJournal(path).note(request(2))
        nonces = [nonce for _, nonce in RequestJournal(path).read()]
        assert nonces[0] == request(0).nonce
        assert nonces[-1] == request(2).nonce


def test_what_a_request_s_time_refuses_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is kept for at least as long as it would be taken, and not for ever."""
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    journal = RequestJournal(tmp_path / "requests.log")
    for number in range(6):
        journal.note(request(number))
        now_s += 0.6 * KEPT_S
        kept_s = 0.6 * KEPT_S * (number - numbers(journal)[0])
        assert kept_s <= 2.4 * KEPT_S
        assert number == 0 or number - 1 in numbers(journal)
    assert numbers(journal) == [2, 3, 4, 5]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_disk_that_is_full_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once."""
    journal = RequestJournal(Path("/dev/full"))
    with caplog.at_level(logging.WARNING):
        journal.note(request(1))
        journal.note(request(2))
    journal.close()
    assert caplog.text.count("No space left") == 1
