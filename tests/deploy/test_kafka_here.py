"""`deploy/kafka-here.sh`: a broker, a server and clients on one machine, as a user starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from glean.images.shapes import SHAPES, drawn_shapes
from glean.operations.joining.bakery_node import read_node_config
from glean.settings import ConfigValue, RunSettings
from tests import processes
from tests.carried_runs import own_tables
from tests.inprocess_runs import facts_of
from tests.inprocess_runs import run as run_here
from tests.kafka_broker import why_no_broker
from tests.processes import BIN, REPOSITORY, wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(why_no_broker() is not None, reason=str(why_no_broker())),
]

SCRIPT = REPOSITORY / "deploy" / "kafka-here.sh"
CLIENTS = ("north", "south", "west")
PICTURES = "images/cifar10_12k_jpeg.zip"
EACH = 30
"""Pictures of each class that a client has."""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """A user's."""
    return processes.environment(
        folder / "flower",
        PYTHONPATH=str(REPOSITORY),
        PYTHON=str(BIN / "python"),
        OMP_NUM_THREADS="1",
        **changes,
    )


def typed(folder: Path, data: Mapping[str, Path], *words: str) -> list[str]:
    """What is typed behind the script's name."""
    return [str(folder), *(f"{name}={path}" for name, path in data.items()), *words]


def drawn_pictures(folder: Path) -> dict[str, Path]:
    """Drawn shapes, split over the clients."""
    pixels, labels = drawn_shapes(7)
    names = np.array(SHAPES)[labels]
    found = {}
    for place, client in enumerate(CLIENTS):
        found[client] = folder / f"{client}.npz"
        part = slice(place, None, len(CLIENTS))
        np.savez(found[client], images=pixels[part], labels=names[part])
    return found


def photographed(folder: Path) -> dict[str, Path]:
    """Pictures of CIFAR-10, so many of each class for each client, in folders by class."""
    source = Path(os.environ.get("GLEAN_TABLES", "")) / PICTURES
    if not source.is_file():
        pytest.skip(f"no {PICTURES} below GLEAN_TABLES")
    taken: dict[str, int] = {}
    with zipfile.ZipFile(source) as archive:
        for name in sorted(archive.namelist()):
            _, window, label, file = (*name.split("/"), "", "", "")[:4]
            place, rest = divmod(taken.get(label, 0), EACH)
            if window != "train" or not file or place >= len(CLIENTS):
                continue
            taken[label] = place * EACH + rest + 1
            target = folder / CLIENTS[place] / label / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
    return {client: folder / client for client in CLIENTS}


def wanted_model(folder: Path, federation: Path, config: dict[str, ConfigValue]) -> bytes:
    """The model that the script's own clients make in one process, in homes of their own."""
    nodes = []
    for client in CLIENTS:
        node = read_node_config(federation / "nodes" / client / "bakery.toml")
        del node["model-key"]  # this server signs nothing
        nodes.append(node | {"home": str(folder / client)})
    done = run_here(folder / "results", RunSettings().to_config() | config, nodes=nodes)
    return (done / "model.npz").read_bytes()


@pytest.mark.parametrize("pictures", [drawn_pictures, photographed])
def test_pictures_are_learned_from_over_kafka(pictures: object, tmp_path: Path) -> None:
    """By the names of earlier pipelines; the model has the bytes of one process."""
    assert callable(pictures)
    data = pictures(tmp_path)
    federation = tmp_path / "federation"
    done = processes.run(
        SCRIPT,
        "--images",
        *typed(federation, data, "--", "--set", "num-server-rounds=3", "--set", "image-size=16"),
        cwd=tmp_path,
        env=environment(
            tmp_path,
            USE_LIGHTWEIGHT_MODEL="true",
            REDUCED_DATA_SIZE="150",
            MODEL_TOPIC="model_topic",
            UPDATE_TOPIC="update_topic",
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = federation / "results" / "latest"
    settings = facts_of(folder)["settings"]
    assert (settings["image-model"], settings["reduced-data"]) == ("cnn-small", 150)
    config: dict[str, ConfigValue] = {
        "workload": "images",
        "image-model": "cnn-small",
        "image-size": 16,
        "reduced-data": 150,
        "num-server-rounds": 3,
        "privacy": "sums",
        "min-contributors": 3,
        "min-available-bakeries": 3,
    }
    found = (folder / "model.npz").read_bytes()
    assert found == wanted_model(tmp_path / "wanted", federation, config)
    homes = [federation / "nodes" / client / "home" for client in CLIENTS]
    assert {(home / "model.npz").read_bytes() for home in homes} == {found}
    log = (federation / "nodes" / CLIENTS[0] / "node.log").read_text(encoding="utf-8")
    assert "to the server in round 3" in log


def test_it_ends_all_that_it_started(tmp_path: Path) -> None:
    """After Ctrl-C; the run says how to go on with it, and so it does, with the same keys."""
    data, rounds = own_tables(tmp_path / "tables"), 40
    federation = tmp_path / "federation"
    words = ["--set", f"num-server-rounds={rounds}", "--set", "test-days=14"]
    words += ["--set", "validation-days=14", "--set", "baselines=false"]
    words += ["--set", "early-stopping-rounds=0"]
    latest = federation / "results" / "latest"
    with (tmp_path / "said").open("wb") as said:
        script = subprocess.Popen(
            [SCRIPT, *typed(federation, data, "--", *words)],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until((latest / "models" / "round_001.ubj").exists, "a first round")
        script.send_signal(signal.SIGINT)
        assert script.wait(60) == 130
    finally:
        script.kill()
        script.wait()
    assert facts_of(latest)["reason"] == "interrupted"
    assert "To go on with it: glean run" in (tmp_path / "said").read_text(encoding="utf-8")
    interrupted = latest.resolve()
    assert len(list((interrupted / "models").glob("round_*.ubj"))) < rounds
    done = processes.run(
        SCRIPT,
        *typed(federation, data, "--", "--resume", str(interrupted)),
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert facts_of(latest)["resumed_from"] == str(interrupted)
    assert (latest / "models" / f"round_{rounds:03d}.ubj").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "NAME=DATA"),
        (["folder", "a=1", "b=2"], "found 2 clients"),
        (["folder", "a=1", "b=2", "c d=3"], "found c d=3"),
        (["folder", "a=/", "b=/", "c=/none.csv"], "found nothing at /none.csv"),
        (["folder", "a=/", "b=/", "a=/"], "found two clients called a;"),
    ],
)
def test_it_says_what_it_wants(words: list[str], said: str, tmp_path: Path) -> None:
    """With exit code 2, before anything is started."""
    done = processes.run(SCRIPT, *words, cwd=tmp_path, env=environment(tmp_path))
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
