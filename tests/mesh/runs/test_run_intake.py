"""What a participant does with what others say, without threads: it is taken, or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from glean.consensus.messages import Heartbeat, VoteReply, VoteRequest
from glean.consensus.state_version import Version
from glean.errors import FederationError
from glean.mesh.mesh_home import MeshHome
from glean.mesh.runs.manifest import KeptFile, Manifest
from glean.mesh.runs.run_carrier import RunCarrier
from glean.mesh.runs.run_errors import LeaseLostError
from glean.mesh.runs.run_home import run_home
from glean.mesh.runs.run_intake import RunIntake
from glean.mesh.runs.run_member import RunMember
from glean.mesh.runs.run_messages import (
    ASK,
    CANCEL,
    CONSENSUS,
    END,
    FILES,
    REPLY,
    STORE,
    STORED,
    TASK,
    RunMessage,
)
from glean.mesh.runs.run_node import Outbound
from glean.mesh.runs.task_inbox import RunTask
from tests.mesh.message_stores import Clock
from tests.mesh.runs.made_plans import KEY, made_plan

PLAN = made_plan("Ost", "Nord", "West")
ANNOUNCED = b'{"run_id": 7}'


class OnePeer:
    """The peer "Nord" with a run, and a clock that a test moves."""

    def __init__(self, folder: Path, *, first: bool = False) -> None:
        self.clock = Clock(100.0)
        self.home = run_home(MeshHome(folder), KEY)
        self.home.make()
        self.open(first=first)

    def open(self, *, first: bool = False) -> None:
        """Begin, or begin again with what is on disk."""
        self.member = RunMember(
            self.home, PLAN, own="Nord", clock=self.clock, draw=lambda: 0.5, first=first
        )
        self.member.changed.acquire()  # this thread's, for good
        self.member.standing.active = True
        self.intake = RunIntake(self.member, clock=self.clock)

    def take(
        self, kind: str, sender: str = "Ost", *contents: bytes, **head: object
    ) -> list[Outbound]:
        """Take a message."""
        return self.intake.take(sender, RunMessage(kind, KEY, head, contents))

    def offer(self, version: list[int], *files: bytes, given: int = 0, term: int = 1) -> RunMessage:
        """Be offered a version with files of these contents, so many of them with it; the reply."""
        manifest = Manifest(
            {f"f{n}": KeptFile(digest(c), len(c)) for n, c in enumerate(files)}
        ).to_content()
        head = {"term": term, "version": version, "files": manifest, "ended": None}
        found = self.take(STORE, "Ost", *files[:given], **head)
        return found[0].message if found else RunMessage(STORED, KEY)

    def hear(self, *said: object, sender: str = "Ost") -> list[Outbound]:
        """Hear of an election or a heartbeat."""
        found: list[Outbound] = []
        for one in said:
            content = one.to_content()  # type: ignore[attr-defined] # each of them has it
            found += self.take(CONSENSUS, sender, said=content, hosts=True)
        return found


@pytest.fixture
def peer(tmp_path: Path) -> OnePeer:
    """A participant that has heard of nothing."""
    return OnePeer(tmp_path)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def task(message_id: str, term: int) -> RunMessage:
    return RunTask("Ost", term, message_id, ANNOUNCED, b"train").to_message(KEY)


def test_what_is_missing_is_asked_for_once(peer: OnePeer) -> None:
    """And again, of others too, where nobody has sent it for long."""
    reply = peer.offer([1, 1], b"a", b"b", given=1)
    assert (reply.version(), reply.digests("missing")) == (Version(), [digest(b"b")])
    assert peer.offer([1, 1], b"a", b"b").digests("missing") == []
    assert peer.member.tick() == []
    peer.clock.now += peer.member.contents_s + 1.0
    peer.hear(Heartbeat(1, Version(), 9))
    (asked,) = peer.member.tick()
    assert (asked.receiver, asked.message.kind) == ("Ost", ASK)
    (stored,) = peer.take(FILES, "Ost", b"b")
    assert stored.message.version() == Version(1, 1)
    assert peer.member.voter.version == Version(1, 1)
    assert Path(peer.home.promise).exists()


def test_contents_of_another_digest_aren_t_taken(peer: OnePeer) -> None:
    """Nor is the version that they came for."""
    peer.offer([1, 1], b"a")
    assert peer.take(FILES, "Ost", b"A", b"something else") == []
    assert peer.member.voter.version == Version()
    peer.open()
    assert peer.member.voter.version == Version()


def test_a_stored_version_is_there_after_a_kill(peer: OnePeer) -> None:
    """Also where it came between the version and the promise."""
    peer.offer([1, 1], b"a", given=1)
    peer.home.promise.unlink()
    peer.open()
    assert peer.member.voter.version == Version(1, 1)
    assert peer.member.versions.replica.content(digest(b"a")) == b"a"


def test_a_coordinator_of_before_is_fenced_off(peer: OnePeer) -> None:
    """Its tasks and its versions are left; those that came before are forgotten."""
    peer.intake.take("Ost", task("m1", 1))
    first = peer.member.waiting_task()
    assert first is not None
    assert first.message_id == "m1"
    peer.hear(Heartbeat(2, Version(), 1), sender="West")
    assert peer.member.waiting_task() is None
    peer.intake.take("Ost", task("m2", 1))
    assert peer.member.waiting_task() is None
    assert peer.offer([1, 5], b"a", given=1, term=1) == RunMessage(STORED, KEY)
    assert peer.member.voter.version == Version()
    assert [*peer.home.tasks.iterdir()] == []


def test_contents_for_a_coordinator_of_before_store_nothing(peer: OnePeer) -> None:
    """They come when another one is known."""
    peer.offer([1, 1], b"a")
    peer.hear(Heartbeat(2, Version(), 1), sender="West")
    assert peer.take(FILES, "Ost", b"a") == []
    assert peer.member.voter.version == Version()


def test_a_task_waits_through_a_kill(peer: OnePeer) -> None:
    """Until it is answered; one that comes again then is new to nobody."""
    peer.intake.take("Ost", task("m1", 1))
    peer.intake.take("Ost", task("m1", 1))
    peer.open()
    found = peer.member.waiting_task()
    assert found == RunTask("Ost", 1, "m1", ANNOUNCED, b"train")
    peer.member.fence()
    assert peer.member.announcement == (1, ANNOUNCED)
    (reply,) = peer.member.answered(found, b"done")
    assert (reply.receiver, reply.message.kind, reply.message.contents) == (
        "Ost",
        REPLY,
        (b"done",),
    )
    peer.member.tasks.done("m1")
    assert peer.member.waiting_task() is None


@pytest.mark.parametrize(
    ("kind", "sender", "contents", "head", "said"),
    [
        (CONSENSUS, "Süd", (), {}, "'Süd' doesn't take part"),
        (TASK, "Nord", (), {}, "'Nord' doesn't take part"),
        (CONSENSUS, "Ost", (), {"hosts": True, "said": {"kind": "coup"}}, "wanted one of"),
        (CONSENSUS, "Ost", (), {"hosts": True, "said": ["heartbeat"]}, "wanted one of"),
        (CONSENSUS, "Ost", (), {"said": {}}, "hosts: found None"),
        (STORE, "Ost", (), {"term": 1, "version": [1, 1], "files": {"../x": []}}, "its digest"),
        (STORE, "Ost", (), {"term": 1, "version": [0, 0], "files": {}}, "no version"),
        (STORE, "Ost", (), {"term": "1", "version": [1, 1], "files": {}}, "term: found '1'"),
        (STORE, "Ost", (), {"term": 1, "version": [1, 1], "files": {}, "ended": "x"}, "the end"),
        (STORED, "Ost", (), {"term": 1, "version": [1, 1], "missing": ["../x"]}, "SHA-256"),
        (ASK, "Ost", (), {"plan": False, "missing": 7}, "wanted digests"),
        (TASK, "Ost", (b"body",), {"term": 1, "message": "m"}, "wanted 2"),
        (TASK, "Ost", (b"{}", b""), {"term": 1, "message": "m"}, "no run_id"),
        (TASK, "Ost", (b" " * 2**19, b""), {"term": 1, "message": "m"}, "an announcement of"),
        (TASK, "Ost", (ANNOUNCED, b""), {"term": 1, "message": "m" * 999}, "message: found"),
        (END, "Ost", (), {"version": [1, 1], "files": {}, "ended": None}, "how the run ended"),
        (
            END,
            "Ost",
            (),
            {"version": [1, 1], "files": {}, "ended": {"status": "won", "reason": ""}},
            "wanted a status",
        ),
        (CANCEL, "West", (), {}, "wanted one of 'Ost', who proposed the run"),
    ],
)
def test_what_nobody_may_say_is_refused(
    peer: OnePeer,
    kind: str,
    sender: str,
    contents: tuple[bytes, ...],
    head: dict[str, object],
    said: str,
) -> None:
    """And changes nothing."""
    with pytest.raises(FederationError, match=said):
        peer.take(kind, sender, *contents, **head)
    assert peer.member.voter.version == Version()
    assert not peer.member.over
    assert not peer.member.cancelled
    assert peer.member.waiting_task() is None


def test_a_link_in_the_way_is_replaced_and_not_followed(peer: OnePeer, tmp_path: Path) -> None:
    """Whatever lies under a name in this peer's own folder."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (peer.home.replica / "contents" / digest(b"a")).symlink_to(victim)
    peer.offer([1, 1], b"a", given=1)
    peer.take(FILES, "Ost", b"a")
    assert victim.read_text() == "mine"


def test_who_stands_in_a_run_that_is_over_hears_of_its_end(peer: OnePeer) -> None:
    """Not more than once a lease; and gets the files that it asks for then."""
    peer.offer([1, 1], b"a", given=1)
    head = {"version": [1, 2], "files": {"f0": [digest(b"a"), 1]}}
    peer.take(END, "Ost", PLAN.to_bytes(), ended={"status": "completed", "reason": ""}, **head)
    assert peer.member.ending.ended is not None
    (told,) = peer.hear(VoteRequest(2, Version(), trial=True), sender="West")
    assert (told.receiver, told.message.kind) == ("West", END)
    assert peer.hear(VoteRequest(2, Version(), trial=True), sender="West") == []
    peer.clock.now += PLAN.lease_s
    assert len(peer.hear(VoteRequest(2, Version(), trial=True), sender="West")) == 1
    (files,) = peer.take(ASK, "West", plan=False, missing=[digest(b"a"), digest(b"b")])
    assert (files.message.kind, files.message.contents) == (FILES, (b"a",))
    peer.open()
    assert peer.member.over
    assert (peer.home.final / "f0").read_bytes() == b"a"


def test_the_end_waits_for_its_files(peer: OnePeer) -> None:
    """It is asked for them; a kill in between forgets only that it was told."""
    head = {"version": [3, 2], "files": {"f0": [digest(b"a"), 1]}}
    ended = {"status": "failed", "reason": "no bakery came"}
    (asked,) = peer.take(END, "West", PLAN.to_bytes(), ended=ended, **head)
    assert (asked.receiver, asked.message.digests("missing")) == ("West", [digest(b"a")])
    assert peer.member.over
    assert peer.member.ending.ended is None
    peer.take(FILES, "West", b"a")
    assert peer.home.ended() is not None
    peer.open()
    assert peer.member.ending.ended is not None
    assert peer.member.ending.ended.reason == "no bakery came"


def test_a_carrier_of_before_carries_nothing(tmp_path: Path) -> None:
    """It says so, whatever it is asked to do, for good."""
    peer = OnePeer(tmp_path, first=True)
    peer.member.tick()
    peer.hear(*_granted(trial=True))
    peer.hear(*_granted(trial=False))
    assert peer.member.coordinates(1)
    carrier = RunCarrier(peer.member, 1, lambda _: None, results=tmp_path / "work", resume=None)
    carrier.announce(ANNOUNCED)
    assert carrier.present() == ["Ost"]
    peer.member.replies = carrier
    carrier.send("Ost", "m1", b"train")
    with pytest.raises(FederationError, match="answered 'm1', which it wasn't asked"):
        peer.take(REPLY, "West", b"", term=1, message="m1")
    for _ in range(2):
        peer.take(REPLY, "Ost", b"done", term=1, message="m1")
    peer.take(REPLY, "Ost", b"of before", term=0, message="m1")
    assert [(r.node, r.reply_to, r.body) for r in carrier.receive(0.0)] == [("Ost", "m1", b"done")]
    peer.clock.now += PLAN.lease_s + 1.0
    for work in (
        lambda: carrier.send("Ost", "m2", b""),
        lambda: carrier.receive(0.0),
        carrier.present,
        lambda: carrier.announce(b""),
    ):
        with pytest.raises(LeaseLostError, match="doesn't coordinate it any more"):
            work()
    peer.hear(Heartbeat(2, Version(), 1), sender="West")
    with pytest.raises(LeaseLostError):
        carrier.receive(0.0)


def _granted(*, trial: bool) -> list[object]:
    return [VoteReply(1, granted=True, trial=trial)]
