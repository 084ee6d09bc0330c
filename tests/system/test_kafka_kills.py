"""Broker, server and clients of a run over Kafka, killed at random moments: same model, once each.

GLEAN_KILLS says how often each is killed (10 for the whole of it), GLEAN_SEED when.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from glean.federation.grids.client_store import FILE, MOST_RUNS
from glean.runs.folder import read_events
from glean.runs.index import run_folders
from glean.settings import RunSettings
from tests.carried_runs import NAMES, own_nodes, own_tables
from tests.cli.test_kafka import REFIT, set_options
from tests.inprocess_runs import facts_of
from tests.inprocess_runs import run as run_here
from tests.kafka_broker import KafkaBroker, kafka_broker, why_no_broker
from tests.kafka_federation import SERVER, KafkaFederation, kafka_federation
from tests.processes import wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(why_no_broker() is not None, reason=str(why_no_broker())),
]

KILLS = int(os.environ.get("GLEAN_KILLS", "2"))
SEED = int(os.environ.get("GLEAN_SEED", "20"))
ROUNDS = 10 * KILLS
LEAVES = "glean: to the server"

Federation = tuple[KafkaFederation, KafkaBroker]


def kill_broker(federation: Federation, _name: str) -> None:
    """With all that it has in its memory; it is back at once, empty."""
    _, broker = federation
    broker.kill()
    broker.start()


def kill_client(federation: Federation, name: str) -> None:
    """One of the nodes."""
    road, _ = federation
    road.kill_node(name)
    road.start_node(name)


def kill_server(federation: Federation, _name: str) -> None:
    """The run, which is resumed from its folder."""
    road, _ = federation
    road.kill_node(SERVER)
    road.start_run("--resume", newest(road))


def newest(road: KafkaFederation) -> Path:
    """Folder of the run that began last."""
    return run_folders(road.folder / "results")[-1]


def killed_while_it_runs(
    federation: Federation, kill: Callable[[Federation, str], None], rng: np.random.Generator
) -> list[str]:
    """Kill while the run goes on, each a random time after a further round; whom, if a client."""
    road, _ = federation
    killed: list[str] = []
    reached = 0
    while len(killed) < KILLS:
        wait_until(partial(has_gone_on, road, reached), "a further round", limit_s=240)
        time.sleep(rng.uniform(0.0, 1.5))
        if road.running[SERVER].poll() is not None:
            break
        reached = len(rounds_of(newest(road)))
        killed.append(NAMES[rng.integers(len(NAMES))])
        kill(federation, killed[-1])
    return killed


def has_gone_on(road: KafkaFederation, reached: int) -> bool:
    """Whether the newest run has more rounds than so many; or is over."""
    over = road.running[SERVER].poll() is not None
    folders = run_folders(road.folder / "results")
    return over or bool(folders and len(rounds_of(folders[-1])) > reached)


def rounds_of(folder: Path) -> list[int]:
    """Numbers of the rounds that were finished, as often as they were."""
    return [e["round"] for e in read_events(folder / "events.jsonl") if is_round(e)]


def is_round(event: dict[str, object]) -> bool:
    return event["event"] == "round_finished"


def answered(road: KafkaFederation, name: str) -> int:
    """How many messages a client has answered, over all runs."""
    with closing(sqlite3.connect(road.home(name) / FILE)) as database:
        (count,) = database.execute("SELECT count(*) FROM reply").fetchone()
    return int(count)


def computed(road: KafkaFederation, name: str) -> int:
    """How many a client has computed, by its log of what leaves it."""
    return sum(line.startswith(LEAVES) for line in road.node_log(name).splitlines())


@pytest.mark.parametrize("kill", [kill_broker, kill_client, kill_server])
def test_a_run_comes_to_its_model_whoever_is_killed(
    kill: Callable[[Federation, str], None], tmp_path: Path
) -> None:
    """At random moments; every round counts once, and no message is computed twice.

    A client that is back late is waited for; else nobody is missed.
    """
    config = REFIT | {"num-server-rounds": ROUNDS}
    nodes = [*own_nodes(tmp_path / "own").values()]
    wanted = run_here(tmp_path / "here", RunSettings().to_config() | config, nodes=nodes)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        kafka_federation(tmp_path / "kafka", broker.url, own_tables(tmp_path / "tables")) as road,
    ):
        road.start_run(*set_options(config))
        killed = killed_while_it_runs((road, broker), kill, np.random.default_rng(SEED))
        code = road.running[SERVER].wait(600)
        log = (road.folder / "run.log").read_text(encoding="utf-8")
        assert code == 0, log[-3000:]
        folder = newest(road)
        again = {name: computed(road, name) - answered(road, name) for name in NAMES}
        logs = "".join(road.node_log(name) for name in NAMES)
    assert len(killed) == KILLS, f"the run was over after {len(killed)} kills"
    assert facts_of(folder)["status"] == "completed"
    assert (folder / "model.ubj").read_bytes() == (wanted / "model.ubj").read_bytes()
    found = {event["event"] for event in read_events(folder / "events.jsonl")}
    assert not {"sum_refused", "round_given_up"} & found
    assert kill is kill_client or not {"bakery_failed", "sum_lost"} & found
    done = Counter(rounds_of(folder))
    assert set(done.values()) == {1}
    assert max(done) == ROUNDS
    assert "refused" not in logs
    if kill is kill_server and KILLS >= MOST_RUNS:
        return  # the stores have let go of the first runs
    # What was in hand when a client was killed may have been computed, and left nowhere.
    most = Counter(killed) if kill is kill_client else Counter()
    assert all(0 <= count <= most[name] for name, count in again.items()), again
