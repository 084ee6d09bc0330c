"""Clients with pictures of their own at a real SuperLink, beside a simulation of the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.federation.client.ledger_store import LedgerStore
from glean.federation.wire.noised_parts import release_of, whole_run
from glean.federation.wire.sum_request import CLIENT_STEPS
from glean.images.client_images import TEST_SHARE, VALIDATION_SHARE, simulated_images
from glean.images.image_subset import Pixels
from glean.images.shapes import SHAPES, drawn_shapes
from glean.images.window_places import window_places
from glean.privacy.privacy_ledger import TRAINING, WHOLE_CLIENT
from glean.runs.folder import read_events
from glean.seeds import derived_seed
from glean.settings import ConfigValue, RunSettings
from tests.deployment import deployment
from tests.inprocess_runs import config_of, facts_of
from tests.inprocess_runs import run as run_here
from tests.processes import BIN, run, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

CLIENTS = 3
SEED = 42
CONFIG: dict[str, ConfigValue] = {
    "workload": "images",
    "image-model": "cnn-small",
    "num-server-rounds": 4,
    "learning-rate": 0.05,
    "privacy": "sums",
    "secure-sums": True,
    "min-contributors": CLIENTS,
    "min-available-bakeries": CLIENTS,
    "seed": SEED,
}


def client_files(folder: Path, clients: int = CLIENTS) -> dict[str, Path]:
    """Write the pictures that each client of a simulation has into a file of its own.

    In `all.npz` are those of the simulation, which differ from drawn ones by a pixel: by it each is
    at its owner in the very window that the simulation's seed puts it in.
    """
    pixels, labels = drawn_shapes(derived_seed(SEED, "shapes"))
    names = np.array(SHAPES)[labels]
    np.savez(folder / "drawn.npz", images=pixels, labels=names)
    settings = RunSettings.from_config(CONFIG | {"images": str(folder / "drawn.npz")})
    found = {}
    shares = simulated_images(settings.image, SEED, clients)
    for share in shares:
        for window, subset in enumerate((share.validation, share.test, share.training)):
            for place in subset.places:
                put_into(window, pixels[place])
    for number, share in enumerate(shares, start=1):
        windows = (share.validation, share.test, share.training)
        part = np.sort(np.concatenate([subset.places for subset in windows]))
        path = folder / f"client-{number}.npz"
        np.savez(path, images=pixels[part], labels=names[part])
        found[f"client {number}"] = path
    np.savez(folder / "all.npz", images=pixels, labels=names)
    return found


def put_into(window: int, picture: Pixels) -> None:
    """Change the first pixel until a picture belongs into a window."""
    shares = (VALIDATION_SHARE, TEST_SHARE, 1.0 - VALIDATION_SHARE - TEST_SHARE)
    for value in range(256):
        picture[0, 0, 0] = value
        if len(window_places(picture[None], shares)[window]):
            return
    raise AssertionError("no value of a pixel will do")


def set_options(config: Mapping[str, ConfigValue]) -> list[str]:
    return [word for key, value in config.items() for word in ("--set", f"{key}={value}")]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_own_pictures_make_the_model_of_the_simulation(tmp_path: Path) -> None:
    """To the byte.

    Each keeps the model at home; the server has scores of all together, and no picture.
    """
    files = client_files(tmp_path)
    config = config_of("") | CONFIG | {"images": str(tmp_path / "all.npz")}
    nodes = [{"partition-id": k, "num-partitions": CLIENTS} for k in range(CLIENTS)]
    wanted = run_here(tmp_path / "wanted", config, nodes=nodes)
    latest = tmp_path / "out" / "latest"
    words = set_options(CONFIG | {"output-dir": str(latest.parent), "baselines": False})
    with deployment(tmp_path / "deployed", files, lasting=files, data="images") as deployed:
        done = run(
            BIN / "glean",
            *("run", deployed.connection, *words),
            cwd=tmp_path,
            env=deployed.environment,
            limit_s=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr + deployed.superlink_log
        kept = {(deployed.home(name) / "model.npz").read_bytes() for name in files}
        log = deployed.node_log("client 1")
    found = latest.resolve()
    assert (found / "model.npz").read_bytes() == (wanted / "model.npz").read_bytes()
    assert kept == {(wanted / "model.npz").read_bytes()}
    assert set(pd.read_csv(found / "bakeries.csv")["bakery"]) == {"(all)"}
    one, other = (pd.read_csv(folder / "scores.csv") for folder in (found, wanted))
    pd.testing.assert_frame_equal(one, other.query("method == 'federated'"), rtol=1e-5)
    assert not {"labels.csv", "confident_errors.npz"} & {path.name for path in found.iterdir()}
    assert "synthetic" not in facts_of(found)
    assert "pictures" in log


@pytest.mark.long
@pytest.mark.timeout(500)
def test_a_run_goes_on_without_a_client_that_is_killed(tmp_path: Path) -> None:
    """And names it; a floor of three is kept by the other three."""
    files = client_files(tmp_path, clients=4)
    latest = tmp_path / "out" / "latest"
    changes: dict[str, ConfigValue] = {"num-server-rounds": 6, "round-timeout-s": 20}
    changes |= {"output-dir": str(latest.parent)}
    words = set_options(CONFIG | changes)
    with deployment(tmp_path / "deployed", files, lasting=files, data="images") as deployed:
        with subprocess.Popen(
            [str(word) for word in (BIN / "glean", "run", deployed.connection, *words)],
            cwd=tmp_path,
            env=deployed.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            wait_until(lambda: 2 in rounds_finished(latest), "two rounds", limit_s=240)
            deployed.kill_node("client 4")
            _, told = command.communicate(timeout=240)
        assert command.returncode == 0, told + deployed.superlink_log
    assert facts_of(latest)["status"] == "completed"
    events = read_events(latest / "events.jsonl")
    failed = {event["bakery"] for event in events if event["event"] == "bakery_failed"}
    assert failed == {"client 4"}
    assert rounds_finished(latest)[-1] == 6


@pytest.mark.long
@pytest.mark.timeout(400)
def test_noise_is_what_a_deployment_has_unless_told_otherwise(tmp_path: Path) -> None:
    """In clients' steps: each counts its releases at home, and says what they spent."""
    files = client_files(tmp_path)
    latest = tmp_path / "out" / "latest"
    changes: dict[str, ConfigValue] = {"num-server-rounds": 2, "image-model": "linear"}
    changes |= {"privacy": "auto", "output-dir": str(latest.parent)}
    words = set_options(CONFIG | changes)
    with deployment(tmp_path / "deployed", files, lasting=files, data="images") as deployed:
        done = run(
            BIN / "glean",
            *("run", deployed.connection, *words),
            cwd=tmp_path,
            env=deployed.environment,
            limit_s=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr + deployed.superlink_log
        homes = [deployed.home(name) for name in files]
        log = deployed.node_log("client 1")
    facts = facts_of(latest)
    assert facts["settings"]["privacy"] == "dp-sgd"
    assert facts["privacy"]["epsilon"] == 4.0
    for home in homes:
        (plan,) = json.loads((home / "picture-ledger.json").read_text("utf-8"))["plans"]
        assert len(plan["releases"]) == 2
    assert len({(home / "noise-key").read_bytes() for home in homes}) == CLIENTS
    assert "client 1 has spent epsilon" in log
    assert "of 4 after round 2" in log


@pytest.mark.long
@pytest.mark.timeout(400)
def test_buffers_are_of_those_who_are_done_first(tmp_path: Path) -> None:
    """Flower's own node, which starts a process for each message, comes later than Glean's.

    The others don't wait for it; each pays at home for the sums that it is in, and for scores.
    """
    files = client_files(tmp_path, clients=5)
    *quick, slow = files
    latest = tmp_path / "out" / "latest"
    changes: dict[str, ConfigValue] = {"num-server-rounds": 10, "image-model": "linear"}
    changes |= {"privacy": "auto", "privacy-unit": "client", "baselines": False}
    changes |= {"mode": "async", "buffer-size": 3, "min-available-bakeries": 5}
    words = set_options(CONFIG | changes | {"output-dir": str(latest.parent)})
    with deployment(tmp_path / "deployed", files, lasting=quick, data="images") as deployed:
        done = run(
            BIN / "glean",
            *("run", deployed.connection, *words),
            cwd=tmp_path,
            env=deployed.environment,
            limit_s=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr + deployed.superlink_log
        ledgers = {name: LedgerStore(deployed.home(name)).read() for name in files}
    facts = facts_of(latest)
    assert (facts["status"], facts["settings"]["privacy"]) == ("completed", "dp-fedavg")
    rows = pd.read_csv(latest / "participation.csv")
    assert rows.groupby("round").size().to_dict() == dict.fromkeys(range(1, 11), 3)
    assert not [e for e in read_events(latest / "events.jsonl") if e["event"] == "bakery_failed"]
    counts = rows["bakery"].value_counts().reindex([*files], fill_value=0)
    assert counts[slow] == counts.min() < counts.max()
    settings = RunSettings.from_config(facts["settings"])
    update = release_of(CLIENT_STEPS, settings, number=1).cost
    spent = {name: one.spent_on(WHOLE_CLIENT, TRAINING) for name, one in ledgers.items()}
    scores = {name: spent[name] - counts[name] * update for name in files}
    assert [*scores.values()] == pytest.approx([scores[slow]] * 5, abs=1e-9)
    assert 0 < scores[slow] <= whole_run(settings) - 10 * update + 1e-9


def rounds_finished(latest: Path) -> list[int]:
    events = read_events(latest / "events.jsonl")
    return [event["round"] for event in events if event["event"] == "round_finished"]
