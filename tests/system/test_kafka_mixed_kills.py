"""One run over Kafka in which all are killed, at random moments and in random order: same bytes.

The broker keeps all in its memory, so each kill makes it forget every topic. A server that is
killed is resumed by `glean run --resume`, a client started again on its home.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from glean.federation.grids.client_store import FILE
from glean.settings import RunSettings
from tests.carried_runs import NAMES, own_nodes, own_tables
from tests.cli.test_kafka import REFIT, begin
from tests.cli.typed_commands import events_of, facts_of
from tests.inprocess_runs import run as run_here
from tests.kafka_broker import KafkaBroker, kafka_broker, why_no_broker
from tests.kafka_federation import SERVER as RUN
from tests.kafka_federation import KafkaFederation, kafka_federation
from tests.processes import wait_until

pytestmark = [
    pytest.mark.skipif(why_no_broker() is not None, reason=str(why_no_broker())),
    pytest.mark.usefixtures("nothing_left"),
]

BROKER, SERVER, CLIENT = "broker", "server", "client"
LIMIT_S = 120.0


@dataclass
class Killing:
    """Kills parts of a federation, and starts each again."""

    road: KafkaFederation
    broker: KafkaBroker
    draw: random.Random
    done: list[str] = field(default_factory=list)

    @property
    def folders(self) -> list[Path]:
        """Folders of runs, the oldest first."""
        return sorted(p.parent for p in (self.road.folder / "results").glob("*/run.json"))

    def kill(self, part: str) -> None:
        """Kill a part, and start it again; what isn't there to be killed fails the test."""
        server = self.road.running[RUN]
        assert server.poll() is None, f"the run had ended before the kill of the {part}"
        match part:
            case "broker":
                self.broker.kill()
                time.sleep(self.draw.uniform(0.0, 1.0))  # others notice, or don't
                self.broker.start()
            case "client":
                name = self.draw.choice(NAMES)
                self.road.kill_node(name)
                self.road.start_node(name)
            case "server":
                self.road.kill_node(RUN)
                self.resume()
        self.done.append(part)

    def resume(self) -> None:
        """Go on from the newest folder that has a round."""
        with_rounds = [f for f in self.folders if any((f / "models").glob("round_*.ubj"))]
        before = len(self.folders)
        server = self.road.start_run("--resume", with_rounds[-1])
        wait_until(
            lambda: len(self.folders) > before or server.poll() is not None,
            "the run goes on",
            limit_s=LIMIT_S,
        )


def wanted_model(folder: Path, rounds: int) -> bytes:
    """The model that the same bakeries make in one process."""
    config = RunSettings().to_config() | REFIT | {"num-server-rounds": rounds}
    done = run_here(folder / "here", config, nodes=[*own_nodes(folder / "own").values()])
    return (done / "model.ubj").read_bytes()


def kill_at_random(tmp_path: Path, *, each: int, rounds: int, pause_s: float, seed: int) -> None:
    """Kill each part so often in one run, and compare its model with that of one process."""
    wanted = wanted_model(tmp_path, rounds)
    draw = random.Random(seed)  # noqa: S311 # a test's
    parts = [BROKER, SERVER, CLIENT] * each
    draw.shuffle(parts)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        kafka_federation(tmp_path / "kafka", broker.url, own_tables(tmp_path / "tables")) as road,
    ):
        begin(road, rounds)
        killing = Killing(road, broker, draw)
        for part in parts:
            time.sleep(draw.uniform(0.0, pause_s))  # the moment is what is drawn
            killing.kill(part)
        code = road.running[RUN].wait(LIMIT_S)
        assert code == 0, (road.folder / "run.log").read_text(encoding="utf-8")[-3000:]
        logs = {name: road.node_log(name) for name in NAMES}
    assert sorted(killing.done) == sorted(parts)
    last = killing.folders[-1]
    assert facts_of(last)["status"] == "completed"
    assert (last / "model.ubj").read_bytes() == wanted
    check_once(road, last, rounds, logs)


def check_once(road: KafkaFederation, last: Path, rounds: int, logs: dict[str, str]) -> None:
    """No round finished twice, nobody failed, no answer was refused, every home has the model."""
    found = events_of(last)
    finished = [event["round"] for event in found if event["event"] == "round_finished"]
    assert finished == sorted(set(finished))
    assert finished[-1] == rounds
    assert not [event for event in found if event["event"] == "bakery_failed"]
    wanted = (last / "model.ubj").read_bytes()
    for name in NAMES:
        assert (road.home(name) / "model.ubj").read_bytes() == wanted
        assert (road.home(name) / FILE).is_file()
        assert "Traceback" not in logs[name], logs[name][-3000:]


@pytest.mark.slow
def test_a_run_outlives_one_kill_of_each(tmp_path: Path) -> None:
    """Of broker, server and a client, once each."""
    kill_at_random(tmp_path, each=1, rounds=4, pause_s=0.5, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_outlives_ten_kills_of_each(tmp_path: Path) -> None:
    """At thirty random moments of one run."""
    kill_at_random(tmp_path, each=10, rounds=40, pause_s=3.0, seed=20)
