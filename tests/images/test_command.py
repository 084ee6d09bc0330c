"""`glean simulate --set workload=images` as typed, on files, in process and on Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.settings import ConfigValue
from tests.inprocess_runs import facts_of
from tests.processes import environment

pytestmark = pytest.mark.slow

NOTHING: Mapping[str, ConfigValue] = MappingProxyType({})

LEFT = {
    "bakeries.csv",
    "bakery_rounds.csv",
    "calibration.csv",
    "confident_errors.npz",
    "confusion.csv",
    "events.jsonl",
    "figures",
    "labels.csv",
    "model.npz",
    "model.safetensors",
    "model_card.json",
    "model_card.md",
    "models",
    "report.html",
    "rounds.csv",
    "run.json",
    "scores.csv",
}


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def simulate(
    out: Path, changes: Mapping[str, ConfigValue] = NOTHING, engine: str = "inprocess"
) -> Result:
    """Simulate three clients for two rounds; keys with "_" for "-"."""
    config = {"workload": "images", "image_model": "cnn-small", "num_server_rounds": 2, **changes}
    pairs = (f"{key.replace('_', '-')}={value}" for key, value in config.items())
    settings = [word for pair in pairs for word in ("--set", pair)]
    return glean("simulate", "--engine", engine, "--bakeries", "3", *settings, "--out", out)


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A run in process, and what the terminal showed of it."""
    out = tmp_path_factory.mktemp("images")
    return simulate(out), (out / "latest").resolve()


def test_a_run_leaves_tables_pictures_and_a_page(completed: tuple[Result, Path]) -> None:
    """Those of every run, and those of a classifier."""
    result, folder = completed
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == LEFT
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert drawn == {"confident-errors", "confusion", "labels", "learning-curve", "reliability"}
    facts = facts_of(folder)
    assert (facts["learning_rate"], facts["devices"], facts["synthetic"]) == (0.05, ["cpu"], True)
    assert "Test pictures of all clients" in result.output
    assert "The federation's model on 240 test pictures: accuracy" in result.output


def test_a_report_can_be_made_again(completed: tuple[Result, Path]) -> None:
    """The same page, from what lies in the folder; in German too."""
    folder = completed[1]
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert glean("report", folder).exit_code == 0
    assert (folder / "report.html").read_bytes() == before
    german = glean("report", folder, "--language", "de")
    assert german.exit_code == 0, german.output
    assert "Welche Klassen werden wofür gehalten?" in (folder / "report.html").read_text()
    assert glean("report", folder).exit_code == 0


def test_pictures_come_from_a_file(tmp_path: Path) -> None:
    """Relative to where the command is typed; with test pictures of the file's own."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 130)
    pixels = np.clip(labels[:, None, None] * 90 + rng.normal(0, 20, (130, 9, 9)), 0, 255)
    np.savez(
        tmp_path / "own.npz",
        train_images=pixels[:100].astype(np.uint8),
        train_labels=labels[:100],
        test_images=pixels[100:].astype(np.uint8),
        test_labels=labels[100:],
    )
    result = simulate(tmp_path / "out", {"images": str(tmp_path / "own.npz"), "partitioner": "iid"})
    assert result.exit_code == 0, result.output
    folder = (tmp_path / "out" / "latest").resolve()
    counts = pd.read_csv(folder / "labels.csv")
    assert counts["test"].sum() == 30
    assert counts["training"].sum() + counts["validation"].sum() == 100
    assert "synthetic" not in facts_of(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": "/no/such/folder"}, "no such file or folder"),
        (
            {"image_model": "vgg"},
            "image-model: found 'vgg'; known are cnn, cnn-half, cnn-small, linear",
        ),
        ({"image_channels": "2"}, "image-channels: found '2'; wanted one of 'auto', '1', '3'"),
        ({"partitioner": "odd"}, "partitioner: found 'odd'"),
        ({"alpha": "0"}, "alpha: found 0.0; wanted a number from 0.01"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    changes: dict[str, ConfigValue], said: str, tmp_path: Path
) -> None:
    """The key, what was found, what was wanted; and no folder."""
    result = simulate(tmp_path / "out", changes)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


def test_fedprox_is_refused_where_clients_take_no_steps(tmp_path: Path) -> None:
    """Rather than to average without it."""
    words = ("--set", "aggregation=fedprox", "--out", tmp_path / "out")
    result = glean("simulate", "--engine", "inprocess", *words)
    assert result.exit_code == 2
    assert "aggregation: found 'fedprox'" in " ".join(result.output.split())


@pytest.mark.usefixtures("nothing_left")
def test_ray_makes_the_same_bytes(
    completed: tuple[Result, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, checkpoints and scores, under masks, through Flower's own simulation."""
    _, here = completed
    for name, value in environment(tmp_path / "flower").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.chdir(tmp_path)
    result = simulate(tmp_path / "ray", engine="ray")
    assert result.exit_code == 0, result.output
    ray = (tmp_path / "ray" / "latest").resolve()
    assert facts_of(ray)["engine"] == "ray"
    models = [f"models/round_{number:03d}.npz" for number in (1, 2)]
    for name in ("model.npz", *models, "bakeries.csv", "scores.csv", "bakery_rounds.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name
