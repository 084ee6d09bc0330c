"""Buffers of clients with pictures of their own: filled by who is done first, with noise only."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.client_app import app as glean_app
from glean.errors import FederationError, RefusalError, SettingsError
from glean.federation.client.client import client_of
from glean.federation.client.ledger_store import LedgerStore
from glean.federation.coordination import exchange, open_requests
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.coordination.unmasking import UNMASK
from glean.federation.server.live_jobs import JOB
from glean.federation.wire.messages import Task
from glean.federation.wire.noised_parts import release_of
from glean.federation.wire.sum_request import CLIENT_STEPS, CLIPPED_SCORE
from glean.images import conclusion
from glean.node_settings import NodeSettings
from glean.privacy.privacy_ledger import TRAINING, WHOLE_CLIENT
from glean.settings import ConfigValue, RunSettings
from tests.federations import Federation, events, federation_of
from tests.images.test_client_noise import noised, own_nodes
from tests.inprocess_runs import CutOffError, facts_of, run
from tests.paced_grid import PacedGrid


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out figures, and expect no reply of a node that has gone."""
    monkeypatch.setattr(conclusion.ImageConclusion, "write_report", mock.Mock())
    monkeypatch.setattr(open_requests, "GRACE_S", 0.0)
    monkeypatch.setattr(exchange, "GRACE_S", 0.0)


def config_of(**changes: ConfigValue) -> dict[str, ConfigValue]:
    given: dict[str, ConfigValue] = {
        "mode": "async",
        "buffer_size": 3,
        "min_contributors": 3,
        "min_available_bakeries": 3,
        "share_scores": "no",
        "local_steps": 1,
        "num_server_rounds": 5,
    }
    return noised(**{**given, **changes})


def met(folder: Path, names: str = "abcde", **changes: ConfigValue) -> tuple[Federation, PacedGrid]:
    """Let clients meet; nobody is slow yet."""
    settings = RunSettings.from_config(config_of(**changes), deployed=True)
    nodes = own_nodes(folder / "clients", settings, names)
    federation = federation_of(folder / "run", settings, nodes=nodes, grid_type=PacedGrid)
    assert isinstance(federation.grid, PacedGrid)
    return federation, federation.grid


def took_part(federation: Federation) -> pd.DataFrame:
    return federation.table("participation.csv")


def spent_by(folder: Path, name: str) -> float:
    return LedgerStore(folder / "clients" / name).read().spent_on(WHOLE_CLIENT, TRAINING)


def test_the_fast_fill_buffers_and_what_is_late_comes_later(tmp_path: Path) -> None:
    """Nobody waits for the slow, nor asks them anything while they train; all of it is paid for."""
    federation, grid = met(tmp_path)
    grid.lags = {"d": 1, "e": 2}
    federation.run()
    rows = took_part(federation)
    assert (rows.groupby("round").size() == 3).all()
    late = rows[rows["bakery"] == "e"]
    assert late["staleness"].min() >= 2
    assert rows[rows["round"] == 1]["bakery"].tolist() == ["a", "b", "c"]
    assert not federation.failures()
    rounds = federation.table("rounds.csv")
    assert (rounds["replies"] == 3).all()
    assert "virtual_seconds" not in rounds.dropna(axis=1, how="all")
    counts, settings = Counter(rows["bakery"]), federation.settings
    for name in "abcde":
        update = release_of(CLIENT_STEPS, settings, number=1).cost
        score = release_of(CLIPPED_SCORE, settings, number=5).cost
        assert spent_by(tmp_path, name) == pytest.approx(counts[name] * update + score, rel=1e-9)
    jobs = Counter(name for kind, name, _ in grid.asked if kind == JOB)
    assert all(jobs[name] - counts[name] in (0, 1) for name in "abcde")


def test_what_comes_too_late_is_dropped_and_begun_anew(tmp_path: Path) -> None:
    """Named, and never in a sum."""
    federation, grid = met(tmp_path, staleness_bound=1)
    grid.lags = {"e": 2}
    federation.run()
    assert took_part(federation)["staleness"].max() <= 1
    dropped = [(name, reason) for _, name, reason in federation.failures()]
    assert dropped
    assert {name for name, _ in dropped} == {"e"}
    assert "2 rounds before; staleness-bound takes up to 1" in dropped[0][1]


def test_no_buffer_is_of_fewer_than_the_floor(tmp_path: Path) -> None:
    """Where a fifth would be one of five, also not."""
    federation, grid = met(tmp_path, buffer_size=0, min_contributors=4)
    grid.lags = {"d": 1, "e": 1}
    federation.run()
    assert (took_part(federation).groupby("round").size() == 4).all()


def at(number: int, kind: str, does: Callable[[], None]) -> Callable[[str, str, int], None]:
    """Make what does something before the first message of a kind in a round is sent."""
    done: list[int] = []

    def on_push(told: str, _name: str, found: int) -> None:
        if (told, found) == (kind, number) and not done:
            done.append(found)
            does()

    return on_push


def test_who_vanishes_while_it_trains_holds_nobody_up(tmp_path: Path) -> None:
    """It is named; the others go on to the end, and its training is in no sum."""
    federation, grid = met(tmp_path)
    grid.lags = {"e": -1}

    def leave() -> None:
        grid.gone.add("e")
        grid.forget_trainings_of("e")

    grid.on_push = at(3, JOB, leave)
    federation.run()
    assert "e" not in set(took_part(federation)["bakery"])
    assert len(federation.table("rounds.csv")) == 5
    missing = [e["bakery"] for e in events(federation.folder) if e["event"] == "bakery_missing"]
    assert set(missing) == {"e"}
    assert {(name, reason[:16]) for _, name, reason in federation.failures()} == {
        ("e", "its node is gone")
    }


def test_who_comes_back_begins_anew(tmp_path: Path) -> None:
    """With the model that there is then; what it had trained is in no sum."""
    federation, grid = met(tmp_path, num_server_rounds=8)
    grid.lags = {"e": -1}

    def leave() -> None:
        grid.gone.add("e")
        grid.forget_trainings_of("e")

    def come_back() -> None:
        grid.gone.remove("e")
        grid.lags = {}

    leaves, returns = at(2, JOB, leave), at(5, JOB, come_back)

    def on_push(kind: str, name: str, number: int) -> None:
        leaves(kind, name, number)
        returns(kind, name, number)

    grid.on_push = on_push
    federation.run()
    rows = took_part(federation)
    mine = rows[rows["bakery"] == "e"]
    assert len(mine)
    assert (mine["round"] - mine["staleness"]).min() > 5


def test_a_buffer_that_loses_one_stays_shut_where_it_is_of_the_fewest(tmp_path: Path) -> None:
    """A round is given up then; who had paid has paid, and the next buffer is of others."""
    federation, grid = met(tmp_path)
    grid.on_push = at(2, SUM, lambda: grid.gone.add("a"))
    federation.run()
    given_up = [e for e in events(federation.folder) if e["event"] == "round_given_up"]
    assert [e["round"] for e in given_up] == [2]
    rows = took_part(federation)
    assert set(rows["round"]) == {1, 3, 4, 5}
    assert (rows.groupby("round").size() == 3).all()
    assert "a" not in set(rows[rows["round"] > 1]["bakery"])


def test_a_larger_buffer_is_opened_without_the_one_that_vanished(tmp_path: Path) -> None:
    """Of four three give the noise that is accounted for, and are as many as the floor."""
    federation, grid = met(tmp_path, buffer_size=4)
    grid.on_push = at(2, SUM, lambda: grid.gone.add("a"))
    federation.run()
    rows = took_part(federation)
    assert rows.groupby("round").size().to_dict() == {1: 4, 2: 3, 3: 4, 4: 4, 5: 4}


def test_who_takes_longer_than_the_deadline_is_named(tmp_path: Path) -> None:
    """Before a score all who train are waited for, but no longer than that."""
    federation, grid = met(tmp_path, round_timeout_s=1, num_server_rounds=2)
    grid.lags = {"e": -1}
    federation.run()
    reasons = [reason for _, name, reason in federation.failures() if name == "e"]
    assert reasons == ["no reply to 'train.job' within 1 s"]
    assert len(federation.table("rounds.csv")) == 2


def refusing(grid: PacedGrid, names: str) -> contextlib.ExitStack:
    """Have clients refuse to train for the time of a `with`."""
    stack = contextlib.ExitStack()
    for host, name in zip(grid._hosts.values(), "abcde", strict=True):
        if name not in names:
            continue

        def answer(message: Message, honest: Callable[[Message], Message] = host.answer) -> Message:
            if message.metadata.message_type == JOB:
                return Message(Error(1, "FederationError: refused"), reply_to=message)
            return honest(message)

        stack.enter_context(mock.patch.object(host, "answer", answer))
    return stack


def test_who_refuses_is_asked_once_a_round_and_left_out(tmp_path: Path) -> None:
    """Four of five go on; one alone can't stop them."""
    federation, grid = met(tmp_path, num_server_rounds=3)
    with refusing(grid, "e"):
        federation.run()
    assert {(n, name) for n, name, _ in federation.failures()} <= {(k, "e") for k in (1, 2, 3)}
    jobs = [(name, number) for kind, name, number in grid.asked if (kind, name) == (JOB, "e")]
    assert len(jobs) == len(set(jobs)) >= 2
    assert (took_part(federation).groupby("round").size() == 3).all()


def test_where_all_refuse_rounds_are_given_up_and_training_ends(tmp_path: Path) -> None:
    """After three; nothing hangs, and nothing is spent."""
    federation, grid = met(tmp_path)
    with refusing(grid, "abcde"):
        result = federation.run()
    assert result.last_round == 3
    given_up = [e["reason"] for e in events(federation.folder) if e["event"] == "round_given_up"]
    assert len(given_up) == 3
    assert "found nobody done with their training" in given_up[0]
    assert spent_by(tmp_path, "a") == 0.0


class CutOffApp(ClientApp):
    """Glean's ClientApp, at which the server is gone when a round's sum is to be unmasked."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = str(number)

    def __call__(self, message: Message, context: Context) -> Message:
        told = message.metadata
        if (told.message_type, told.group_id) == (UNMASK, self._number):
            raise CutOffError
        return glean_app(message, context)


def test_a_run_that_goes_on_has_all_begin_anew(tmp_path: Path) -> None:
    """Rounds that were over stay; the rest comes; ledgers have what was given in both processes."""
    config = config_of(num_server_rounds=4, baselines=False)
    settings = RunSettings.from_config(config, deployed=True)
    nodes = own_nodes(tmp_path / "clients", settings, "abcde")
    with pytest.raises(CutOffError):
        run(tmp_path / "out", config, nodes=nodes, app=CutOffApp(3), grid_type=PacedGrid)
    old = (tmp_path / "out" / "latest").resolve()
    before = pd.read_csv(old / "participation.csv")
    new = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes, grid_type=PacedGrid)
    assert facts_of(new)["resumed_round"] == 2
    rows = pd.read_csv(new / "participation.csv")
    pd.testing.assert_frame_equal(rows[rows["round"] <= 2], before)
    assert rows["round"].value_counts().to_dict() == dict.fromkeys(range(1, 5), 3)
    assert (rows[rows["round"] == 3]["staleness"] == 0).all()
    given = Counter(rows["bakery"]) + Counter("abc")  # these had given their part of round 3
    update = release_of(CLIENT_STEPS, settings, number=1).cost
    scores = 2 * release_of(CLIPPED_SCORE, settings, number=4).cost  # and one of the test
    for name in "abcde":
        assert spent_by(tmp_path, name) == pytest.approx(given[name] * update + scores, rel=1e-9)


def test_without_noise_it_is_refused(tmp_path: Path) -> None:
    """Before anything is trained, with what would do: by the server, and by each client."""
    config = config_of(privacy="sums", privacy_unit="picture", baselines=False)
    settings = RunSettings.from_config(config, deployed=True)
    nodes = [node | {"privacy": "sums"} for node in own_nodes(tmp_path / "clients", settings)]
    with pytest.raises(FederationError, match=r"mode: found 'async' with privacy=sums where .*"):
        federation_of(tmp_path / "run", settings, nodes=nodes)
    client = client_of(NodeSettings.from_config(nodes[0]), settings)
    assert client is not None
    task = Task(1, "{}", "", "", 0.1, newcomer=False, model=b"")
    with pytest.raises(RefusalError, match="found a job for a buffer whose sum carries no noise"):
        client.begin(task, RecordDict())


def test_noise_in_a_client_s_own_steps_is_not_for_buffers() -> None:
    """Its account is of rounds that all take part in."""
    with pytest.raises(SettingsError, match="found 'async' with privacy=dp-sgd, which counts"):
        RunSettings.from_config(config_of(privacy="auto", privacy_unit="picture"), deployed=True)
