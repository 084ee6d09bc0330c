"""Arrays of pictures and labels, as files hold them, are checked and become an `ImageSet`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glean.images.reading.class_names import (
    check_class_names,
    check_trained_classes,
    class_name,
)
from glean.images.reading.image_set import ImageSet, Pixels, ReadImages
from glean.images.reading.refusals import check_memory, refused
from glean.images.reading.scaling import scaled, with_channels

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class LabelledArrays:
    """Pictures and labels as they stand in a file.

    Parameters
    ----------
    what : str
        What the pictures are called there, for errors.
    images : array
        Of shape (n, height, width), (n, height, width, channels) or (n, channels, height, width).
    labels : array
        Whole numbers or texts, of shape (n,) or (n, 1).
    """

    what: str
    images: Array
    labels: Array


def arrays_read(
    source: Path,
    training: LabelledArrays,
    test: LabelledArrays | None,
    *,
    size: int,
    channels: int,
) -> ReadImages:
    """Check arrays, and bring them to a size and to channels.

    Parameters
    ----------
    source : Path
        Where they come from, for errors.
    training, test : LabelledArrays
        As read.
    size, channels : int
        What pictures are brought to; 0 takes them as they are.

    Raises
    ------
    SettingsError
        Shapes, types or numbers of pictures and labels aren't those of pictures with a class each.
    """
    parts = [training] if test is None else [training, test]
    checked = [_checked(source, part) for part in parts]
    names = [_names(source, part) for part in parts]
    check_class_names(source, {str(name) for part in names for name in np.unique(part)})
    present = [{class_name(str(name)) for name in np.unique(part)} for part in names]
    check_trained_classes(source, present[0], present[-1])
    classes = tuple(sorted(present[0]))
    pixels = [_brought(source, images, size, channels) for images in checked]
    kinds = {(found.shape[1:], found.dtype.name) for found in pixels}
    if len(kinds) > 1:
        raise refused(
            source,
            f"pictures for training and for the test that differ: {sorted(map(str, kinds))}",
            "one height, width, number of channels and depth; image-size and image-channels bring "
            "them to one, but for the depth",
        )
    sets = [
        ImageSet(found, _labels(part, classes), classes)
        for found, part in zip(pixels, names, strict=True)
    ]
    return ReadImages(sets[0], sets[1] if len(sets) > 1 else None, ())


def _names(source: Path, part: LabelledArrays) -> Array:
    """Labels in one dimension."""
    labels, shape = part.labels, part.labels.shape
    if len(shape) == 2 and shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise refused(
            source,
            f"labels of {part.what} of the type {labels.dtype} and the shape {shape}",
            "one whole number, or one text, for each picture",
        )
    if len(labels) != len(part.images):
        raise refused(
            source,
            f"{len(part.images):,} {part.what} and {len(labels):,} labels",
            "a label for each picture",
        )
    return labels


def _labels(names: Array, classes: tuple[str, ...]) -> NDArray[np.int64]:
    values, places = np.unique(names, return_inverse=True)
    order = {name: place for place, name in enumerate(classes)}
    held = np.array([order[class_name(str(value))] for value in values], dtype=np.int64)
    return np.asarray(held[places.reshape(-1)])


def _checked(source: Path, part: LabelledArrays) -> Pixels:
    """Pixels of shape (n, height, width, 1 or 3), of whole numbers without a sign."""
    images = part.images
    if images.dtype.kind != "u" or images.dtype.itemsize > 2:
        raise refused(
            source,
            f"{part.what} of the type {images.dtype}",
            "whole numbers of uint8 (0 to 255) or uint16; of shares from 0 to 1 save "
            "(255 * images).round().astype('uint8')",
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    elif images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = np.moveaxis(images, 1, 3)  # as PyTorch keeps them
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not all(images.shape):
        raise refused(
            source,
            f"{part.what} of the shape {part.images.shape}",
            "(n, height, width), or with a fourth number, 1 or 3 for the channels; none of them 0",
        )
    native = images.dtype.newbyteorder("=")
    return np.ascontiguousarray(images.astype(native, copy=False))


def _brought(source: Path, pixels: Pixels, size: int, channels: int) -> Pixels:
    n, height, width, there = pixels.shape
    side, deep = (size or height, size or width), channels or there
    if (*side, deep) == (height, width, there):
        return pixels
    check_memory(source, n, n * side[0] * side[1] * deep * pixels.itemsize)
    found = np.empty((n, *side, deep), dtype=pixels.dtype)
    for row, picture in enumerate(pixels):
        found[row] = with_channels(scaled(picture, size), channels)
    return found
