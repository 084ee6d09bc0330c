"""What only a simulation knows: who has which pictures, pooled training, single errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glean.class_scores import ClassScores
from glean.errors import GleanError
from glean.evaluation.figures.classes import ConfidentError
from glean.federation.server.conclusion import FinishedRounds
from glean.images.client_images import ClientImages, simulated_images
from glean.images.image_spec import ImageSpec
from glean.images.image_subset import joined
from glean.learning.learning_rates import learning_rate_of
from glean.learning.model_weights import Weights

SHOWN_ERRORS = 18
ERRORS_FILE = "confident_errors.npz"


def shares_of(run: FinishedRounds) -> dict[str, ClientImages]:
    """Split the pictures of a simulation again, as its clients did."""
    settings, count = run.settings, len(run.infos)
    shares = simulated_images(settings.image, settings.seed, count)
    return {f"client {place}": share for place, share in enumerate(shares, start=1)}


def label_rows(shares: dict[str, ClientImages]) -> list[dict[str, Any]]:
    """Count pictures by client, class and window."""
    return [
        {
            "client": name,
            "class": label,
            "training": int((share.training.own_labels == place).sum()),
            "validation": int((share.validation.own_labels == place).sum()),
            "test": int((share.test.own_labels == place).sum()),
        }
        for name, share in shares.items()
        for place, label in enumerate(share.training.classes)
    ]


def pooled_scores(run: FinishedRounds, shares: dict[str, ClientImages]) -> ClassScores:
    """Train the same network on all training pictures in one place, as often; its test scores."""
    from glean.images.networks.baselines import trained_alone
    from glean.images.networks.device import device_beside
    from glean.images.networks.training import probabilities

    device = device_beside(run.settings.device)
    learners = [share for name, share in shares.items() if name not in run.newcomers]
    weights = trained_alone(
        joined([share.training for share in learners]),
        ImageSpec.from_json(run.loop.manager.spec),
        run.settings,
        learning_rate=learning_rate_of(run.settings.rounds),
        name="pooled",
        device=device,
    )
    test = joined([share.test for share in shares.values()])
    return ClassScores.of(test.own_labels, probabilities(weights, test, device=device))


def confident_errors(weights: Weights, shares: dict[str, ClientImages]) -> list[ConfidentError]:
    """Find the test pictures of which a model is surest, and wrong; the surest first."""
    from glean.images.networks.training import probabilities

    test = joined([share.test for share in shares.values()])
    found = probabilities(weights, test)
    predicted = found.argmax(axis=1)
    sure = np.where(predicted != test.own_labels, found.max(axis=1), 0.0)
    order = np.argsort(-sure, kind="stable")[:SHOWN_ERRORS]
    return [
        ConfidentError(
            _as_bytes(test.pixels[test.places[place]]),
            test.classes[test.own_labels[place]],
            test.classes[predicted[place]],
            float(sure[place]),
        )
        for place in order.tolist()
        if sure[place]
    ]


def errors_to_bytes(errors: Sequence[ConfidentError]) -> bytes:
    """Write them for the run's folder."""
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        allow_pickle=False,
        pixels=np.stack([error.pixels for error in errors]),
        true=np.array([error.true for error in errors]),
        taken_for=np.array([error.taken_for for error in errors]),
        probability=np.array([error.probability for error in errors]),
    )
    return packed.getvalue()


def read_errors(folder: Path) -> list[ConfidentError]:
    """Read them again; empty where a run has none.

    Raises
    ------
    GleanError
        The file is damaged.
    """
    path = folder / ERRORS_FILE
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as kept:
            columns = (kept[name] for name in ("pixels", "true", "taken_for", "probability"))
            return [
                ConfidentError(pixels, str(true), str(taken), float(sure))
                for pixels, true, taken, sure in zip(*columns, strict=True)
            ]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise GleanError(f"{path}: can't be read ({error}); run again") from error


def _as_bytes(pixels: Any) -> Any:
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
