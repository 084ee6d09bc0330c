"""What noise that hides whole clients leaves of MNIST, by how many clients share it.

`python -m benchmarks.client_noise` (options: --clients 10,50,200, --models linear,cnn-small,
--clip-norms 0.5,1,2, --rounds 20, --epsilon 8) with the folder that GLEAN_TABLES names, in which
lies `images/mnist.npz`. Each row is a `glean simulate` of its own, in process, on one core: with
noise at each clip norm, and without. Accuracy is of the last model on the validation pictures of
all clients, by which settings are chosen, and on all test pictures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from benchmarks.jobs import ROOT
from glean.images.client_images import ClientImages, simulated_images
from glean.images.image_spec import ImageSpec
from glean.images.networks.training import probabilities
from glean.images.reading_weights import read_weights
from glean.runs.index import read_run
from glean.settings import RunSettings

MNIST = "images/mnist.npz"


def main() -> None:
    """Print a row a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", default="10,50,200")
    parser.add_argument("--models", default="linear,cnn-small")
    parser.add_argument("--clip-norms", default="0.5")
    parser.add_argument("--rounds", default="20")
    parser.add_argument("--epsilon", default="8")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=TEXT")
    asked = parser.parse_args()
    print(f"{'clients':>7} {'network':10}{'clip norm':>10}{'validation':>12}{'test':>9}{'s':>7}")
    for clients in map(int, asked.clients.split(",")):
        for model in asked.models.split(","):
            for norm, changes in _kinds(asked.clip_norms.split(","), asked.epsilon):
                given = {"image-model": model, "num-server-rounds": asked.rounds} | dict(changes)
                given |= dict(text.split("=", 1) for text in asked.set)
                begin = time.perf_counter()
                validation, test = _accuracies(given, clients)
                seconds = time.perf_counter() - begin
                print(
                    f"{clients:7} {model:10}{norm:>10}{validation:12.4f}{test:9.4f}{seconds:7.0f}",
                    flush=True,
                )


def _kinds(norms: list[str], epsilon: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Name a run for each clip norm with noise, and one without noise."""
    noised = {"privacy": "noise", "privacy-unit": "client", "epsilon": epsilon, "delta": "1e-5"}
    for norm in filter(None, norms):
        yield norm, noised | {"update-clip-norm": norm}
    yield "no noise", {"privacy": "sums"}


def _accuracies(changes: Mapping[str, str], clients: int) -> tuple[float, float]:
    """Run it; accuracy on validation pictures and on test pictures."""
    given = {"workload": "images", "baselines": "false", **changes}
    given["images"] = str(Path(os.environ["GLEAN_TABLES"]) / MNIST)
    words = [word for key, text in given.items() for word in ("--set", f"{key}={text}")]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "glean", "simulate", "--engine=inprocess"]
        command += [f"--bakeries={clients}", f"--out={out}", *words]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        folder = Path(out) / "latest"
        scores = pd.read_csv(folder / "scores.csv").set_index("method")["accuracy"]
        settings = RunSettings.from_config(dict(read_run(folder).settings))
        content = (folder / "model.npz").read_bytes()
    shares = simulated_images(settings.image, settings.seed, clients)
    return _on_validation(content, shares), float(scores["federated"])


def _on_validation(content: bytes, shares: tuple[ClientImages, ...]) -> float:
    """Give the accuracy of a model's file on the validation pictures of all clients."""
    weights = read_weights(content)
    classes = ImageSpec.from_json(weights.spec).classes
    hits = rows = 0
    for share in shares:
        if len(share.validation):
            mine = share.validation.named_as(classes)
            hits += int((probabilities(weights, mine).argmax(axis=1) == mine.own_labels).sum())
            rows += len(mine)
    return hits / rows


if __name__ == "__main__":
    main()
