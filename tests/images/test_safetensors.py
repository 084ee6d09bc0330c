"""Weights in another format beside each model file, read back by the library that defines it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file

import glean
from glean.errors import FederationError
from glean.federation.server.interrupted_run import read_interrupted
from glean.federation.wire.messages import FinalTask
from glean.images.client_images import ClientImages
from glean.images.conclusion import ImageConclusion
from glean.images.image_spec import ImageSpec, agreed
from glean.images.image_subset import ImageSubset
from glean.images.networks.architectures import build_of
from glean.images.networks.network import initial_weights, network_with, shapes_of
from glean.images.networks.safetensors_file import to_safetensors
from glean.images.partition import ImagePartition
from glean.images.shapes import SHAPES, drawn_shapes
from glean.learning.model_weights import Weights
from glean.settings import RunSettings
from tests.images.test_runs import images, nodes_of
from tests.inprocess_runs import cut_off, run

DOCS = Path(glean.__file__).parents[1] / "docs" / "images.md"
SPEC = ImageSpec(("0", "1", "ü"), 12, 3, 0.5, 0.25)


def of(path: Path) -> dict[str, NDArray[np.float32]]:
    """Tensors of a file, by the library."""
    return {name: values.numpy() for name, values in load_file(path).items()}


@pytest.fixture(autouse=True)
def no_report() -> Iterator[None]:
    """Leave out figures, which take seconds and have a test of their own."""
    with mock.patch.object(ImageConclusion, "write_report"):
        yield


@pytest.mark.parametrize("name", ["cnn", "cnn-small", "linear"])
def test_a_network_takes_them_as_its_state(name: str, tmp_path: Path) -> None:
    """All of it, and says the same of pictures."""
    weights = initial_weights(name, SPEC, seed=3)
    path = tmp_path / "model.safetensors"
    path.write_bytes(to_safetensors(weights))
    network = build_of(name)(3, SPEC.channels, SPEC.size)
    network.load_state_dict(load_file(path))
    inputs = torch.linspace(-1, 1, 2 * 3 * 12 * 12).reshape(2, 3, 12, 12)
    with torch.no_grad():
        assert torch.equal(network(inputs), network_with(weights)(inputs))
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["glean"])
    assert about["network"] == name
    assert ImageSpec.from_json(json.dumps(about["spec"], sort_keys=True)) == SPEC


def test_the_same_weights_give_the_same_bytes() -> None:
    """Also in other processes, where mappings of the library have another order."""
    spec = ImageSpec(("0", "1"), 4, 1, 0.5, 0.5)
    mine = to_safetensors(initial_weights("linear", spec, seed=3))
    text = f"""
import sys
from glean.images.image_spec import ImageSpec
from glean.images.networks.network import initial_weights
from glean.images.networks.safetensors_file import to_safetensors
weights = initial_weights("linear", {spec!r}, seed=3)
sys.stdout.buffer.write(to_safetensors(weights))
"""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True)
        assert done.stdout == mine


def test_a_client_s_home_has_one(tmp_path: Path) -> None:
    """Beside the model that it keeps."""
    pixels, labels = drawn_shapes(1)
    subset = ImageSubset.whole(pixels, labels, SHAPES)
    few = ClientImages(*(subset.at(np.arange(k, k + 8)) for k in (0, 8, 16)))
    settings = RunSettings.from_config(images(baselines=False))
    client = ImagePartition("north", few, settings, own_table=True, home=str(tmp_path / "home"))
    weights = initial_weights("linear", agreed([client.facts()], settings.image), seed=1)
    task = FinalTask(
        1, weights.spec, "", "", 0.1, newcomer=False, model=weights.to_npz(), findings=""
    )
    client.final_test(task, run_id=7)
    kept = of(tmp_path / "home" / "model.safetensors")
    for name, values in weights.arrays.items():
        np.testing.assert_array_equal(kept[name], values)


@pytest.mark.slow
def test_each_checkpoint_has_one(tmp_path: Path) -> None:
    """And the final model, with the weights of the file beside it; a resumed run's too."""
    config = images(num_server_rounds=3)
    old = cut_off(tmp_path / "out", config, round_number=3, nodes=nodes_of(3))
    folder = run(tmp_path / "out", config | {"resume": str(old)}, nodes=nodes_of(3))
    found = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.npz")}
    found -= {Path("confident_errors")}
    assert found >= {Path("model"), *(Path(f"models/round_00{k}") for k in (1, 2, 3))}
    for stem in found:
        kept = Weights.from_npz(
            (folder / stem).with_suffix(".npz").read_bytes(), shapes_of=shapes_of
        )
        there = of((folder / stem).with_suffix(".safetensors"))
        assert there.keys() == kept.arrays.keys()
        for name, values in kept.arrays.items():
            np.testing.assert_array_equal(there[name], values)
    assert not list(folder.rglob(".*"))
    with pytest.raises(FederationError, match=r"start-from=\S*/model\.npz"):
        read_interrupted(folder)


@pytest.mark.slow
def test_the_example_of_the_docs_loads_a_run_s_model(tmp_path: Path) -> None:
    """As it stands there, beside the results."""
    folder = run(tmp_path / "results", images(num_server_rounds=1), nodes=nodes_of(3))
    if not (latest := tmp_path / "results" / "latest").exists():
        latest.symlink_to(folder, target_is_directory=True)
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    told = "print({k: v.double().sum().item() for k, v in network.state_dict().items()})"
    done = subprocess.run(
        [sys.executable, "-c", example + told],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    sums = {k: v.astype(np.float64).sum() for k, v in of(folder / "model.safetensors").items()}
    assert ast.literal_eval(done.stdout) == pytest.approx(sums)
