"""`glean simulate` with clients of several networks, in process and on Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.settings import ConfigValue
from tests.images.test_command import simulate
from tests.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

TWO: dict[str, ConfigValue] = {
    "image_model": "cnn-half",
    "image_models": "cnn-half,cnn-small",
    "adapt_weights": "true",
    "adapt_shapes": "true",
    "adapt_share": "0.02",
    "num_server_rounds": 3,
}
"""Of `cnn-small` convolutions are cut, and dense layers are the client's own."""


@pytest.mark.long
def test_ray_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, scores and what was taken; what is a client's own goes from actor to actor."""
    for name, value in environment(tmp_path / "flower").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.chdir(tmp_path)
    folders = []
    for engine in ("inprocess", "ray"):
        result = simulate(tmp_path / engine, TWO, engine=engine)
        assert result.exit_code == 0, result.output
        folders.append((tmp_path / engine / "latest").resolve())
    here, ray = folders
    models = [f"models/round_{number:03d}.npz" for number in (1, 2, 3)]
    for name in ("model.npz", *models, "bakeries.csv", "bakery_rounds.csv", "layers.csv"):
        assert (ray / name).read_bytes() == (here / name).read_bytes(), name
    assert "client 2: trained cnn-small, of which" in (here / "report.html").read_text()
