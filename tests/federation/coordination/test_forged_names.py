"""A node that lies about its name or its note: it alone is turned away, and nothing of it is shown.

By the attack "b4": names and notes with escape sequences, line breaks, ten megabytes, another's.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from glean.federation.wire.messages import ClientInfo
from tests.federation.coordination.meddling import BAD, only, run_through
from tests.federations import Honest, MeddledApp, federation_of, small_settings

HONEST = {"bakery 0", "bakery 2"}
NAMES = {
    "escape sequences": "\x1b[2J\x1b[31mowned\x1b]0;x\x07",
    "a line break": "a\nglean: the run completed",
    "ten megabytes": "y" * 10_000_000,
    "nul": "a\0b",
    "a path": "../../results/latest",
    "all": "(all)",
}
NOTES = {
    "escape sequences": "\x1b[2Jnote\x1b[31m\nround 7: forged",
    "ten megabytes": "z" * 10_000_000,
}


def lying(message: Message, honest: Honest, **lies: Any) -> Message:
    info = ClientInfo.from_record(honest().content)
    return Message(replace(info, **lies).to_record(), reply_to=message)


def leaves_no_trace(folder: Path, log: str) -> None:
    events = (folder / "events.jsonl").read_bytes()
    assert len(events) < 100_000
    assert "\x1b" not in log + events.decode()
    assert all(line.isprintable() for line in log.splitlines())
    assert not any(line.startswith(("round 7: f", "glean: ")) for line in log.splitlines())
    assert len(log) < 100_000


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_forged_name_is_refused_for_that_node_alone(
    name: str, tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The others train to the end; the operator reads which node it was, and why."""
    app = MeddledApp(only("query", lambda m, h: lying(m, h, bakery=name)))
    settings = small_settings(three_bakeries, num_server_rounds=1)
    with caplog.at_level(logging.INFO, "glean"):
        federation = federation_of(tmp_path, settings, app=app)
        assert set(run_through(federation)) == HONEST
    ((number, who, reason),) = federation.failures()
    assert (number, who) == (0, "node 3")
    assert "found the name" in reason
    leaves_no_trace(federation.folder.path, caplog.text)


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_forged_note_is_shown_on_one_line(
    note: str, tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A note is a sentence for the operator: without control characters, and not without end."""
    app = MeddledApp(only("query", lambda m, h: lying(m, h, note=note, trains=False)))
    settings = small_settings(three_bakeries, num_server_rounds=1)
    with caplog.at_level(logging.INFO, "glean"):
        federation = federation_of(tmp_path, settings, app=app)
        info = federation.bakeries[BAD]
        federation.clients.report_untrained(BAD, info.note)
        assert set(run_through(federation)) == {*HONEST, BAD}
    assert info.note.isprintable()
    leaves_no_trace(federation.folder.path, caplog.text)


def test_an_error_s_text_is_shown_on_one_line(
    tmp_path: Path, three_bakeries: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a node says of its own failure is no more to be trusted."""

    def fail(_message: Message, _honest: Honest) -> Message:
        raise RuntimeError("cold\x1b[2J\nglean: the run completed")

    app = MeddledApp(only("train", fail))
    settings = small_settings(three_bakeries, num_server_rounds=1)
    with caplog.at_level(logging.INFO, "glean"):
        federation = federation_of(tmp_path, settings, app=app)
        run_through(federation)
    leaves_no_trace(federation.folder.path, caplog.text)


def test_another_s_name_is_refused_and_the_first_to_have_it_keeps_it(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Two that claim one name in the beginning are both turned away: nobody knows which is it."""
    app = MeddledApp(only("query", lambda m, h: lying(m, h, bakery="bakery 2")))
    settings = small_settings(three_bakeries, num_server_rounds=1, min_available_bakeries=1)
    federation = federation_of(tmp_path, settings, app=app)
    assert set(federation.bakeries) == {"bakery 0"}
    assert {who for _, who, _ in federation.failures()} == {"bakery 2"}
