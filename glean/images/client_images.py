"""A client's pictures by window: its share of a simulation's, or those of its own folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from glean.errors import SettingsError
from glean.image_settings import ImageSettings
from glean.images.image_subset import ImageSubset, Places
from glean.images.partitioners import like, partition
from glean.images.reading.image_set import ImageSet, SkippedFile
from glean.images.reading.read_images import ReadImages, read_images
from glean.images.shapes import SHAPES, drawn_shapes
from glean.images.window_places import window_places
from glean.seeds import derived_seed

LOG = logging.getLogger("glean")

VALIDATION_SHARE, TEST_SHARE = 0.1, 0.2
"""Of a client's pictures; test pictures that a source has of its own count in place of a share."""


@dataclass(frozen=True, eq=False)
class ClientImages:
    """One client's pictures.

    Parameters
    ----------
    training, validation, test : ImageSubset
        By window; no picture is in two.
    """

    training: ImageSubset
    validation: ImageSubset
    test: ImageSubset

    def cut_short(self, count: int) -> ClientImages:
        """Leave so many training pictures, evenly spread over those that there are."""
        places = self.training.places
        chosen = np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).astype(int))
        return replace(self, training=self.training.at(places[chosen]))


def own_images(path: str, settings: ImageSettings) -> ClientImages:
    """Read a client's own folder or file, and cut it into windows; the log names what is left out.

    Which window a picture is in follows from itself (`window_places.py`), whatever the run.

    Raises
    ------
    SettingsError
        It can't be read, as `read_images` says.
    """
    read = _read(path, settings)
    training = _whole(read.training)
    test = _whole(read.test) if read.test else None
    tested = TEST_SHARE if test is None else 0.0
    for_validation, for_test, learned = window_places(
        training.pixels, (VALIDATION_SHARE, tested, 1.0 - VALIDATION_SHARE - tested)
    )
    if settings.reduced_data:
        learned = learned[: settings.reduced_data]
    return ClientImages(
        training.at(np.sort(learned)),
        training.at(np.sort(for_validation)),
        training.at(np.sort(for_test)) if test is None else test,
    )


@lru_cache(maxsize=1)
def simulated_images(settings: ImageSettings, seed: int, clients: int) -> tuple[ClientImages, ...]:
    """Split a simulation's pictures over its clients.

    Raises
    ------
    SettingsError
        They can't be read, or are too few.
    """
    training, test = _simulated(settings, seed)
    rng = np.random.default_rng(derived_seed(seed, "partitioner"))
    parts = partition(
        training.labels, clients, kind=settings.partitioner, alpha=settings.alpha, rng=rng
    )
    tests: list[Places | None] = [None] * clients
    if test is not None:
        tests = [*like([training.labels[part] for part in parts], test.labels, rng)]
    return tuple(
        _windows(training, test, part, apart, settings, seed=derived_seed(seed, f"client {number}"))
        for number, (part, apart) in enumerate(zip(parts, tests, strict=True), start=1)
    )


def _simulated(settings: ImageSettings, seed: int) -> tuple[ImageSubset, ImageSubset | None]:
    if not settings.images:
        pixels, labels = drawn_shapes(derived_seed(seed, "shapes"))
        return ImageSubset.whole(pixels, labels, SHAPES), None
    read = _read_once(settings)
    return _whole(read.training), _whole(read.test) if read.test else None


def skipped_files(settings: ImageSettings) -> tuple[SkippedFile, ...]:
    """Name the files of a simulation that couldn't be read."""
    return _read_once(settings).skipped if settings.images else ()


@lru_cache(maxsize=1)
def _read_once(settings: ImageSettings) -> ReadImages:
    return _read(settings.images, settings)


def _windows(
    training: ImageSubset,
    test: ImageSubset | None,
    places: Places,
    apart: Places | None,
    settings: ImageSettings,
    *,
    seed: int,
) -> ClientImages:
    """Cut a client's pictures by draws; test pictures only where it has none apart."""
    drawn = np.random.default_rng(seed).permutation(places)
    tested = 0 if apart is not None else round(TEST_SHARE * len(drawn))
    validated = round(VALIDATION_SHARE * len(drawn))
    held, learned = drawn[: tested + validated], drawn[tested + validated :]
    if settings.reduced_data:
        learned = learned[: settings.reduced_data]
    for_test = training.at(np.sort(held[:tested]))
    if test is not None and apart is not None:
        for_test = test.at(apart)
    return ClientImages(
        training.at(np.sort(learned)), training.at(np.sort(held[tested:])), for_test
    )


def _read(path: str, settings: ImageSettings) -> ReadImages:
    channels = 0 if settings.image_channels == "auto" else int(settings.image_channels)
    read = read_images(path, size=settings.image_size, channels=channels)
    for file in read.skipped:
        LOG.warning("%s is left out: %s", file.path, file.why)
    return read


def _whole(images: ImageSet) -> ImageSubset:
    _, height, width, _ = images.pixels.shape
    if height != width:
        raise SettingsError(
            f"images: found pictures of {width} by {height} pixels; wanted squares: set image-size "
            "to the side that they are to be brought to"
        )
    return ImageSubset.whole(images.pixels, images.labels, images.classes)
