"""A client on a carrier: what it refuses, what comes again, what it does without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.errors import FederationError
from glean.federation.grids.carried_grid import node_number
from glean.federation.grids.carrier import Asked
from glean.federation.grids.client_store import ClientStore
from glean.federation.grids.flower_internals import identity, number_message
from glean.federation.grids.hosted_client import UNREADABLE
from glean.federation.grids.message_codec import decode_message, encode_message
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.node.carried_client import CarriedClient
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.node.release_check import InstalledApp

NAME, RELEASE = "Nordbrot", "1.2.3"


class Counting(ClientApp):
    """Answers with how often it was asked in this run; refuses nothing but 'bad'."""

    def __call__(self, message: Message, context: Context) -> Message:
        state = context.state
        before = state.config_records["count"]["n"] if "count" in state else 0
        assert isinstance(before, int)
        state["count"] = ConfigRecord({"n": before + 1})
        if message.metadata.group_id == "bad":
            raise ValueError("what was asked is bad")
        return Message(RecordDict({"said": state["count"]}), reply_to=message)


class OnlyInItsTurn(Counting):
    """Refuses to answer out of its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.has_it = False

    def __call__(self, message: Message, context: Context) -> Message:
        assert self.has_it, "out of turn"
        return super().__call__(message, context)

    @contextmanager
    def turn(self) -> Iterator[None]:
        self.has_it = True
        try:
            yield
        finally:
            self.has_it = False


class Fake:
    """A carrier that gives what a test puts in."""

    def __init__(self) -> None:
        self.announced: list[bytes] = []
        self.come: list[Asked] = []
        self.replies: list[Asked] = []
        self.beats = 0
        self.closed = False
        self.fails: FederationError | None = None
        self.problem = ""

    def runs(self) -> list[bytes]:
        return self.announced

    def receive(self, timeout_s: float) -> list[Asked]:
        del timeout_s
        found, self.come = self.come, []
        return found

    def reply(self, run_id: int, message_id: str, body: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.replies.append((run_id, message_id, body))

    def heartbeat(self) -> None:
        self.beats += 1

    def close(self) -> None:
        self.closed = True


def announcement(run_id: int = 7, release: str = RELEASE) -> RunAnnouncement:
    return RunAnnouncement(run_id, "glean/glean", release, "code", {"seed": 1})


def message(run_id: int = 7, *, group: str = "1", name: str = NAME) -> Asked:
    with identity(run_id, 1):
        made = Message(RecordDict(), node_number(name), "query", group_id=group)
        number = number_message(made)
    return run_id, number, encode_message(made)


class Client:
    """A client, its carrier and its store."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.sqlite"
        self.carrier = Fake()
        self.said: list[tuple[str, str]] = []
        self.opened = 0
        self.open()

    def open(self) -> None:
        """Open it, as a new process does."""
        self.store = ClientStore(self.path)
        hosts = HostedRuns(
            Counting(),
            InstalledApp("glean/glean", RELEASE),
            name=NAME,
            node_config={},
            store=self.store,
            forget=self._forget,
        )
        self.client = CarriedClient(
            self.carrier, hosts, report=lambda *said: self.said.append(said), sleep=self._stop
        )

    def answers(self, *asked: Asked) -> list[str]:
        """What it replies to messages."""
        self.carrier.come += asked
        self.carrier.replies.clear()
        self.client.step()
        return [said_in(body) for _, _, body in self.carrier.replies]

    def _forget(self) -> None:
        self.opened += 1

    def _stop(self, _seconds: float) -> None:
        raise KeyboardInterrupt


def said_in(body: bytes) -> str:
    if body == UNREADABLE:
        return "unreadable"
    reply = decode_message(body)
    if reply.has_error():
        return str(reply.error.reason)
    return str(reply.content.config_records["said"]["n"])


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    found = Client(tmp_path)
    yield found
    found.store.close()


def test_a_message_that_comes_again_gets_the_same_reply(client: Client) -> None:
    """Here, and in another process; an error too."""
    client.carrier.announced = [announcement().to_bytes()]
    first, bad, last = message(), message(group="bad"), message()
    assert client.answers(first, first) == ["1", "1"]
    assert client.answers(bad) == ["ValueError: what was asked is bad"]
    kept = client.carrier.replies[-1]
    client.store.close()
    client.open()
    assert client.answers(bad, first, last) == ["ValueError: what was asked is bad", "1", "2"]
    assert kept == (7, bad[1], client.store.reply(7, bad[1]))


def test_it_says_how_it_stands(client: Client) -> None:
    """Once each time that this changes."""
    for problem in ("", "", "no broker", "no broker", ""):
        client.carrier.problem = problem
        client.client.step()
    assert client.said == [("connected", ""), ("waiting", "no broker"), ("connected", "")]


def test_runs_have_clients_of_their_own(client: Client) -> None:
    """Each reads its data anew and counts for itself; one that has ended is let go of."""
    client.carrier.announced = [announcement(7).to_bytes(), announcement(8).to_bytes()]
    assert client.answers(message(7), message(8), message(7)) == ["1", "1", "2"]
    assert client.opened == 2
    client.carrier.announced = [announcement(8).to_bytes()]
    assert client.answers(message(8)) == ["2"]
    client.carrier.announced = []
    assert client.answers() == []
    assert client.opened == 3


def test_a_run_of_other_code_is_refused(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """By an error reply; the log says how to take part. It may be mended and asked again."""
    client.carrier.announced = [announcement(release="9.9").to_bytes()]
    asked = message()
    (said,) = client.answers(asked)
    assert "a run of another version of Glean: the server has 9.9, this node 1.2.3" in said
    assert "pip install" in caplog.text
    assert "pip install" in client.said[-1][1]
    client.carrier.announced = [announcement().to_bytes()]
    assert client.answers(asked) == ["1"]


def test_what_is_no_message_to_it_has_no_effect(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Of no run that it knows, to another member, under another id, no message at all."""
    client.carrier.announced = [announcement().to_bytes(), b"no announcement"]
    foreign, other = message(8), message(name="Ostbrot")
    wrong = (7, "another id", message()[2])
    assert client.answers(foreign, other, wrong, (7, "x", b"\xff")) == ["unreadable"] * 3
    assert client.answers(foreign) == []
    assert caplog.text.count("run 8, which isn't announced") == 1
    assert "its receiver" in caplog.text
    assert caplog.text.count("an announcement of a run can't be read") == 1
    assert client.answers(message()) == ["1"]


def test_a_reply_that_cannot_be_sent_is_sent_when_asked_again(client: Client) -> None:
    """It waits, says so, and answers the same; the message is computed once."""
    client.carrier.announced = [announcement().to_bytes()]
    asked = message()
    client.carrier.come, client.carrier.fails = [asked], FederationError("the disk is full")
    with pytest.raises(KeyboardInterrupt):
        client.client.run()
    assert client.said[-2:] == [("waiting", "the disk is full"), ("stopped", "")]
    assert client.carrier.closed
    assert client.carrier.beats
    client.carrier.fails = None
    assert client.answers(asked) == ["1"]


def test_a_client_answers_in_its_turn(tmp_path: Path) -> None:
    """Where others in its process make messages, too; after that others have it."""
    app, run = OnlyInItsTurn(), announcement()
    _, number, body = message()
    store = ClientStore(tmp_path / "store.sqlite")
    installed = InstalledApp("glean/glean", RELEASE)
    hosts = HostedRuns(app, installed, name=NAME, node_config={}, store=store, turn=app.turn())
    reply, refused = hosts.answer(run, number, body)
    assert (said_in(reply), refused, app.has_it) == ("1", "", False)
    store.close()


def test_a_client_ends_when_it_is_told_so(client: Client) -> None:
    """Before a step; it lets go of its carrier then."""
    client.carrier.announced = [announcement().to_bytes()]
    client.carrier.come = [message()]
    looks = iter([False, True])
    client.client.run(until=lambda: next(looks))
    assert len(client.carrier.replies) == 1
    assert client.carrier.closed
    assert client.said[-1] == ("stopped", "")
