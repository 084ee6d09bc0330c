"""Pictures in files, good and broken, made where a test wants them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.images.reading.image_set import ReadImages
from glean.images.reading.read_images import read_images

Array = NDArray[Any]


def noise(*shape: int, seed: int = 0, dtype: str = "uint8") -> Array:
    """Noise of a shape, over the whole range of a type."""
    most = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, most, shape, dtype=dtype, endpoint=True)


def encoded(image: PIL.Image.Image | Array, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture's file."""
    held = io.BytesIO()
    if not isinstance(image, PIL.Image.Image):
        image = PIL.Image.fromarray(image)
    image.save(held, kind, **options)
    return held.getvalue()


def folder_of(root: Path, files: dict[str, bytes]) -> Path:
    """Files below a folder, by their paths."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def two_classes(root: Path, *, each: int = 2, side: int = 6) -> Path:
    """Grey squares in two folders, `cat` and `dog`."""
    return folder_of(
        root,
        {
            f"{name}/{k}.png": encoded(noise(side, side, seed=k + ord(name[0])))
            for name in ("cat", "dog")
            for k in range(each)
        },
    )


def read(path: Path, *, size: int = 0, channels: int = 0) -> ReadImages:
    return read_images(str(path), size=size, channels=channels)


def refusal(path: Path, *, size: int = 0, channels: int = 0) -> str:
    """What is said of a source that can't be used."""
    with pytest.raises(SettingsError) as caught:
        read(path, size=size, channels=channels)
    said = str(caught.value)
    assert "found " in said
    assert "; wanted " in said
    return said


def reasons(found: ReadImages) -> dict[str, str]:
    return {file.path: file.why for file in found.skipped}
