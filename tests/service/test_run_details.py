"""What there is of a run: events without a gap, rounds, files, and nothing beside them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from glean.service.api.live import NOT_ALLOWED, NOT_FOUND
from glean.service.runs import event_tail
from glean.service.runs.event_tail import EventTail, numbered_events
from glean.service.services import Services


@pytest.fixture
def run_path(client: TestClient, admin: dict[str, str]) -> str:
    """Path of the one run that there is."""
    (run,) = client.get("/api/v1/runs", headers=admin).json()["runs"]
    return f"/api/v1/runs/{run['id']}"


def folder_in(results: Path) -> Path:
    return next(results.glob("2*"))


def test_events_have_the_numbers_of_their_lines(
    client: TestClient, admin: dict[str, str], run_path: str, results: Path
) -> None:
    """From any number on, as the file has them."""
    lines = (folder_in(results) / "events.jsonl").read_text().splitlines()
    for since in range(len(lines) + 2):
        answer = client.get(f"{run_path}/events?since={since}", headers=admin).json()["events"]
        assert [item["number"] for item in answer] == list(range(since + 1, len(lines) + 1))
        assert [item["event"] for item in answer] == [json.loads(x) for x in lines[since:]]
    assert len(client.get(f"{run_path}/events?limit=1", headers=admin).json()["events"]) == 1


@given(
    pieces=st.lists(st.integers(min_value=1, max_value=12), max_size=30),
    since=st.integers(min_value=0, max_value=12),
)
def test_a_file_that_grows_by_pieces_is_followed_without_gap(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], since: int
) -> None:
    """Wherever a write ends: no event is missing, doubled, or half there."""
    path = tmp_path_factory.mktemp("tail") / "events.jsonl"
    events = [json.dumps({"event": "x", "n": number}) for number in range(1, 11)]
    content = "".join(f"{event}\n" for event in events).encode()

    async def read_all() -> list[tuple[int, str]]:
        tail, seen = EventTail(path), []
        writer = asyncio.create_task(write(path, content, pieces))
        async for number, line in tail.since(since):
            seen.append((number, line))
            if number == len(events):
                break
        await writer
        return seen

    if since >= len(events):
        return
    before, event_tail.POLL_S = event_tail.POLL_S, 0.0
    try:
        seen = asyncio.run(read_all())
    finally:
        event_tail.POLL_S = before
    assert seen == list(enumerate(events, 1))[since:]


async def write(path: Path, content: bytes, pieces: list[int]) -> None:
    """Append pieces of these lengths, then the rest."""
    done = 0
    for length in [*pieces, len(content)]:
        with path.open("ab", buffering=0) as file:
            file.write(content[done : done + length])
        done += length
        await asyncio.sleep(0)


def test_a_line_that_a_kill_cut_short_is_no_event(tmp_path: Path) -> None:
    """Nor is one that is damaged; the numbers of the others stay."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "a"}\nnonsense\n{"event": "b"}\n{"event":')
    found = numbered_events(path, since=0, limit=10)
    assert found == [(1, {"event": "a"}), (3, {"event": "b"})]


def test_whoever_watches_gets_what_was_missed(
    client: TestClient, admin: dict[str, str], run_path: str, results: Path
) -> None:
    """From the number that was seen last; what comes then, too."""
    path = folder_in(results) / "events.jsonl"
    count = len(path.read_text().splitlines())
    with client, client.websocket_connect(f"{run_path}/live?since=1", headers=admin) as socket:
        numbers = [socket.receive_json()["number"] for _ in range(count - 1)]
        assert numbers == list(range(2, count + 1))
        with path.open("a") as file:
            file.write('{"event": "afterwards"}\n')
        assert socket.receive_json() == {"number": count + 1, "event": {"event": "afterwards"}}


def closing_code(client: TestClient, path: str, headers: dict[str, str]) -> int:
    with (
        client.websocket_connect(path, headers=headers) as socket,
        pytest.raises(WebSocketDisconnect) as caught,
    ):
        socket.receive_json()
    return caught.value.code


def test_of_a_damaged_table_what_can_be_read_is_given(
    client: TestClient, admin: dict[str, str], results: Path
) -> None:
    """Rows that are too short or too long, bytes that are no text, nothing at all."""
    folder = next(results.glob("2*"))
    path = f"/api/v1/runs/{folder.name.partition('-')[2]}/rounds"
    (folder / "rounds.csv").write_bytes(b"round,wape\n1,0.5\n2\n3,0.4,7\n\xff\0,x\n")
    expected = [{"round": 1, "wape": 0.5}, {"round": 2}, {"round": 3, "wape": 0.4}]
    expected.append({"round": None, "wape": None})
    assert client.get(path, headers=admin).json()["rounds"] == expected
    (folder / "rounds.csv").write_bytes(b"")
    assert client.get(path, headers=admin).json()["rounds"] == []


def test_nobody_watches_without_a_token(
    client: TestClient, admin: dict[str, str], services: Services, run_path: str
) -> None:
    """Nor by a script of another site that a browser sends its cookie with."""
    assert closing_code(client, f"{run_path}/live", {}) == NOT_ALLOWED
    wrong = {"Authorization": "Bearer glean_a_b"}
    assert closing_code(client, f"{run_path}/live", wrong) == NOT_ALLOWED
    principal = services.tokens.prove(admin["Authorization"].removeprefix("Bearer "))
    assert principal is not None
    cookie = {"Cookie": f"glean-session={services.sessions.open(principal)}"}
    for origin in ({}, {"Origin": "https://elsewhere.example"}):
        assert closing_code(client, f"{run_path}/live", cookie | origin) == NOT_ALLOWED
    ours = cookie | {"Origin": "http://testserver"}
    with client.websocket_connect(f"{run_path}/live", headers=ours) as socket:
        assert socket.receive_json()["number"] == 1
    assert closing_code(client, "/api/v1/runs/none/live", admin) == NOT_FOUND


def test_every_file_can_be_had(
    client: TestClient, admin: dict[str, str], run_path: str, results: Path
) -> None:
    """To the byte, whole or a part."""
    folder = folder_in(results)
    listed = client.get(f"{run_path}/files", headers=admin).json()["files"]
    assert {"run.json", "model.ubj", "models/round_001.ubj"} <= {item["name"] for item in listed}
    for item in listed:
        content = (folder / item["name"]).read_bytes()
        answer = client.get(f"{run_path}/files/{item['name']}", headers=admin)
        assert answer.content == content
        assert item["bytes"] == len(content)
    part = client.get(f"{run_path}/files/model.ubj", headers=admin | {"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, (folder / "model.ubj").read_bytes()[5:10])


def test_who_has_a_file_already_is_not_sent_it_again(
    client: TestClient, admin: dict[str, str], run_path: str
) -> None:
    """By its ETag."""
    first = client.get(f"{run_path}/files/run.json", headers=admin)
    again = admin | {"If-None-Match": first.headers["etag"]}
    answer = client.get(f"{run_path}/files/run.json", headers=again)
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "../run.json",
        "..%2f..%2fsecret",
        "%2e%2e/secret",
        "models/../../secret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        ".reserve-00000000",
        "models",
        "link",
        "models/link",
        "a%00b",
        "..\\secret",
    ],
)
def test_no_path_from_outside_reaches_the_disk(
    client: TestClient, admin: dict[str, str], run_path: str, results: Path, name: str
) -> None:
    """Only names of the list, in which neither hidden files nor links are."""
    folder = folder_in(results)
    (results / "secret").write_text("for the operator only")
    (folder / ".reserve-00000000").write_text("for the operator only")
    (folder / "link").symlink_to(results / "secret")
    (folder / "models" / "link").symlink_to(results / "secret")
    answer = client.get(f"{run_path}/files/{name}", headers=admin)
    assert answer.status_code == 404
    assert "operator" not in answer.text


@pytest.mark.parametrize("path", ["events", "rounds", "log", "files", "files/run.json", ""])
def test_of_no_run_there_is_nothing(client: TestClient, admin: dict[str, str], path: str) -> None:
    """404, and no path either."""
    for run_id in ("none", "..", "%2e%2e%2f", "latest", "0"):
        answer = client.get(f"/api/v1/runs/{run_id}/{path}".rstrip("/"), headers=admin)
        assert answer.status_code == 404, run_id
