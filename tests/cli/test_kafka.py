"""`glean run` and `glean node` over Kafka: what is refused, and a federation as it is typed."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.kafka import brokers_check
from glean.kafka.client_config import KafkaAccess
from glean.kafka.kafka_url import KafkaUrl
from glean.kafka.producer import BrokerAwayError
from glean.kafka.topics import Topics
from glean.operations.joining.kafka_node import prepare_kafka_node
from glean.privacy.certificate_folder import make_certificates
from glean.settings import ConfigValue, RunSettings
from tests.carried_runs import NAMES, own_nodes, own_tables
from tests.cli.typed_commands import events_of, facts_of, glean
from tests.inprocess_runs import run as run_here
from tests.kafka_broker import kafka_broker, why_no_broker
from tests.kafka_federation import SERVER, KafkaFederation, kafka_federation
from tests.processes import free_port, wait_until

pytest.importorskip("confluent_kafka", reason="pip install '.[kafka]'")

needs_broker = pytest.mark.skipif(why_no_broker() is not None, reason=str(why_no_broker()))

ACCESS = KafkaAccess(KafkaUrl.read("kafka://127.0.0.1:1/north"), {})

REFIT: dict[str, ConfigValue] = {
    "num-server-rounds": 3,
    "learning-rate": 0.3,
    "max-depth": 2,
    "min-child-weight": 1.0,
    "test-days": 14,
    "validation-days": 14,
    "min-available-bakeries": 3,
    "min-contributors": 3,
    "baselines": False,
    "privacy": "sums",
    "secure-sums": True,
    "share-scores": "no",
    "leaf-values": "refit",
    "proposals-per-round": 4,
    "early-stopping-rounds": 0,
}


def set_options(config: dict[str, ConfigValue]) -> list[str]:
    """The same as typed."""

    def text(value: ConfigValue) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return [word for key, value in config.items() for word in ("--set", f"{key}={text(value)}")]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's folder of certificates, with one bakery's."""
    folder = tmp_path_factory.mktemp("keys") / "certificates"
    make_certificates(folder, hosts=["127.0.0.1"], bakeries=["Hafen"])
    return folder


@pytest.fixture
def served(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a server that has its keys."""
    monkeypatch.setenv("GLEAN_MODEL_KEY", str(keys / "model-key"))
    monkeypatch.setenv("GLEAN_MEMBERS", str(keys / "members.json"))


@pytest.mark.usefixtures("elsewhere", "served")
@pytest.mark.parametrize("variable", ["GLEAN_MODEL_KEY", "GLEAN_MEMBERS"])
def test_a_server_without_keys_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anybody is spoken to; says which, and what makes it."""
    monkeypatch.delenv(variable)
    result = glean("run", "kafka://127.0.0.1:1/north")
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert f"the environment variable {variable}: found nothing" in said
    assert "glean certificates" in said


@pytest.mark.usefixtures("elsewhere", "served")
def test_brokers_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to look at; the run isn't begun."""
    monkeypatch.setattr(brokers_check, "LIMIT_S", 0.5)
    monkeypatch.setattr("glean.kafka.topic_maker.LIMIT_S", 0.5)
    port = free_port()
    result = glean("run", f"kafka://127.0.0.1:{port}/north")
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert f"kafka://127.0.0.1:{port}/north: no broker answers" in said
    assert "Is a broker running there" in said
    assert not list(Path("results").glob("*/run.json"))


@pytest.mark.usefixtures("elsewhere", "served")
@pytest.mark.parametrize("words", [("run",), ("node", "--config", "bakery.toml")])
def test_the_extra_is_named_where_it_is_missing(
    words: tuple[str, ...], keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback."""
    config_file(keys, Path("bakery.toml"))
    monkeypatch.setattr("glean.installed_packages.find_spec", lambda _name: None)
    result = glean(words[0], "kafka://127.0.0.1:1/north", *words[1:])
    assert result.exit_code == 2
    assert "glean[" in result.stderr


@pytest.mark.usefixtures("elsewhere", "served")
def test_an_address_that_is_none_is_refused() -> None:
    """In the words of the address."""
    for address in ("kafka://a:b/north", "kafka://a:1/No Th", "kafka:///north"):
        result = glean("run", address)
        assert result.exit_code == 2, address
        assert "wanted" in result.stderr


def config_of_node(keys: Path) -> dict[str, ConfigValue]:
    """Node config of a bakery with all its keys."""
    own = next(path.parent for path in keys.rglob("signing-key"))
    return {
        "sales": "/srv/sales.csv",
        "bakery": "Hafen",
        "home": "home",
        "signing-key": str(own / "signing-key"),
        "members": str(own / "members.json"),
        "model-key": str(own / "model-key.pub"),
    }


def config_file(keys: Path, path: Path) -> None:
    """Write it."""
    lines = [f'{key} = "{value}"' for key, value in config_of_node(keys).items()]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("key", ["bakery", "home", "signing-key", "members", "model-key"])
def test_a_node_without_a_key_is_refused(key: str, keys: Path) -> None:
    """Each by name; nothing is taken that isn't signed."""
    config = config_of_node(keys)
    del config[key]
    Path("bakery.toml").write_text(
        "\n".join(f'{name} = "{value}"' for name, value in config.items()), encoding="utf-8"
    )
    result = glean("node", "kafka://127.0.0.1:1/north", "--config", "bakery.toml")
    assert result.exit_code == 2
    assert f"node config: found no {key}" in " ".join(result.stderr.split())


@pytest.mark.usefixtures("elsewhere")
def test_a_node_has_the_options_of_its_road(keys: Path) -> None:
    """Certificates of a server for a server, none for Kafka."""
    config_file(keys, Path("bakery.toml"))
    result = glean("node", "kafka://127.0.0.1:1/north", "--config", "bakery.toml", "--key", "x")
    assert result.exit_code == 2
    assert "wanted neither for Kafka" in " ".join(result.stderr.split())
    for given, missing in (("--key", "--root-certificates"), ("--root-certificates", "--key")):
        result = glean("node", "127.0.0.1:1", "--config", "bakery.toml", given, "x")
        assert result.exit_code == 2
        assert f"found no {missing}" in " ".join(result.stderr.split())


def test_a_client_is_named_by_the_environment(keys: Path) -> None:
    """Brokers, topics and name, as pipelines over Kafka have them."""
    config = config_of_node(keys)
    del config["bakery"]
    prepared = prepare_kafka_node(
        "kafka:///north",
        config,
        {
            "BOOTSTRAP_SERVERS": "one:9092,two:9093",
            "CLIENT_ID": "Hafen",
            "MODEL_TOPIC": "model",
            "UPDATE_TOPIC": "updates",
        },
    )
    assert str(prepared.url) == "kafka://one:9092,two:9093/north"
    assert (prepared.topics.models, prepared.topics.updates) == ("model", "updates")
    assert prepared.name == "Hafen"
    assert "PRIVATE" not in repr(prepared)


def wanted_model(folder: Path) -> bytes:
    """The model that the same bakeries make in one process."""
    nodes = [*own_nodes(folder / "own").values()]
    done = run_here(folder / "here", RunSettings().to_config() | REFIT, nodes=nodes)
    return (done / "model.ubj").read_bytes()


@needs_broker
@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_a_federation_over_kafka_has_the_model_of_one_process(tmp_path: Path) -> None:
    """To the byte, at the server and in every home; a node's log says what leaves it."""
    with (
        kafka_broker(tmp_path / "broker") as broker,
        kafka_federation(tmp_path / "kafka", broker.url, own_tables(tmp_path / "tables")) as road,
    ):
        done = road.run(*set_options(REFIT))
        assert done.returncode == 0, done.stdout + done.stderr + road.node_log(NAMES[0])
        assert "is announced at kafka://127.0.0.1" in done.stderr
        logs = [road.node_log(name) for name in NAMES]
        kept = {(road.home(name) / "model.ubj").read_bytes() for name in NAMES}
    folder = tmp_path / "kafka" / "results" / "latest"
    assert facts_of(folder)["status"] == "completed"
    assert kept == {(folder / "model.ubj").read_bytes()} == {wanted_model(tmp_path)}
    assert not [e for e in events_of(folder) if e["event"] in ("bakery_failed", "sum_lost")]
    for log in logs:
        assert "to the server in round 3" in log, log[-2000:]
        assert "Traceback" not in log, log[-2000:]


def begin(road: KafkaFederation, rounds: int) -> Path:
    """Start a run, and wait until it has begun; its folder."""
    road.start_run(*set_options(REFIT | {"num-server-rounds": rounds}))
    latest = road.folder / "results" / "latest"
    wait_until((latest / "models" / "round_001.ubj").exists, "a first round")
    return latest.resolve()


@needs_broker
@pytest.mark.long
@pytest.mark.usefixtures("nothing_left")
def test_a_run_over_kafka_is_ended_and_resumed(tmp_path: Path) -> None:
    """By Ctrl-C, and by SIGKILL of the server; the model is that of an undisturbed run."""
    rounds = 12
    nodes = [*own_nodes(tmp_path / "own").values()]
    config = RunSettings().to_config() | REFIT | {"num-server-rounds": rounds}
    wanted = run_here(tmp_path / "here", config, nodes=nodes)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        kafka_federation(tmp_path / "kafka", broker.url, own_tables(tmp_path / "tables")) as road,
    ):
        folder = begin(road, rounds)
        server = road.running[SERVER]
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130
        assert facts_of(folder)["reason"] == "interrupted"
        log = (road.folder / "run.log").read_text(encoding="utf-8")
        assert f"--resume {folder}" in log
        road.start_run("--resume", folder)
        wait_until(lambda: len(list((road.folder / "results").glob("*/run.json"))) == 2, "a folder")
        second = sorted((road.folder / "results").glob("*/run.json"))[-1].parent
        wait_until(lambda: len(list((second / "models").glob("*.ubj"))) > 2, "further rounds")
        road.kill_node(SERVER)
        done = road.run("--resume", second)
        assert done.returncode == 0, done.stdout + done.stderr
    found = (tmp_path / "kafka" / "results" / "latest" / "model.ubj").read_bytes()
    assert found == (wanted / "model.ubj").read_bytes()


@needs_broker
@pytest.mark.long
@pytest.mark.usefixtures("nothing_left")
def test_a_killed_client_goes_on_where_it_was(tmp_path: Path) -> None:
    """Each is killed in turn while the run goes on; the model is the same."""
    rounds = 12
    nodes = [*own_nodes(tmp_path / "own").values()]
    config = RunSettings().to_config() | REFIT | {"num-server-rounds": rounds}
    wanted = run_here(tmp_path / "here", config, nodes=nodes)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        kafka_federation(tmp_path / "kafka", broker.url, own_tables(tmp_path / "tables")) as road,
    ):
        folder = begin(road, rounds)
        for name in NAMES:
            assert road.running[SERVER].poll() is None
            road.kill_node(name)
            road.start_node(name)
            time.sleep(1.0)  # some messages are answered before the next
        assert road.running[SERVER].wait(120) == 0
    assert (folder / "model.ubj").read_bytes() == (wanted / "model.ubj").read_bytes()


def test_a_broker_check_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the topics can't be made."""

    def away(_self: object) -> None:
        raise BrokerAwayError("not allowed to create topics")

    monkeypatch.setattr("glean.kafka.topic_maker.TopicMaker.sizes", away)
    with pytest.raises(FederationError, match="the topics aren't there"):
        brokers_check.check_brokers(ACCESS, Topics("north"), limit_s=0.0)
