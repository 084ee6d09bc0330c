"""Size and channels, compared with Pillow's own functions and with formulas."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glean.images.reading.decoding import decode
from glean.images.reading.scaling import deepened, scaled, with_channels
from tests.images.reading.picture_files import Array, encoded, noise

BILINEAR = PIL.Image.Resampling.BILINEAR


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8), st.just(3))))
def test_grey_of_colour_is_what_pillow_makes_of_it(pixels: Array) -> None:
    """To the last bit."""
    wanted = np.asarray(PIL.Image.fromarray(pixels).convert("L"))
    assert np.array_equal(with_channels(pixels, 1)[:, :, 0], wanted)


@given(arrays.arrays(np.uint16, (4, 4, 3)))
def test_grey_of_deep_colour_is_the_formula_s(pixels: Array) -> None:
    """Without a sum that runs over, and white stays white."""
    wanted = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(with_channels(pixels, 1)[..., 0] - wanted).max() < 1.5
    white = np.full((1, 1, 3), 65535, dtype=np.uint16)
    assert with_channels(white, 1).item() == 65535


def test_colour_of_grey_is_grey_and_back() -> None:
    """Three times the same; as they are, nothing changes."""
    grey = noise(2, 5, 5, 1)
    assert np.array_equal(with_channels(grey, 3), np.concatenate([grey] * 3, axis=3))
    assert np.array_equal(with_channels(with_channels(grey, 3), 1), grey)
    assert with_channels(grey, 0) is grey


def triangle(length: int, start: int, short: int, size: int) -> Array:
    """Weights of an edge's pixels in each new one: a triangle as wide as two of the larger."""
    scale = short / size
    wide = max(scale, 1.0)
    centres = start + (np.arange(size)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(length) + 0.5 - centres) / wide)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("shape", [(20, 31), (31, 20), (9, 9), (3, 50), (1, 1), (90, 7)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 9, 16])
def test_the_centred_square_is_scaled(shape: tuple[int, int], channels: int, size: int) -> None:
    """By the bilinear filter, written out; the same from a file."""
    pixels = noise(*shape, channels)
    short = min(shape)
    rows = triangle(shape[0], (shape[0] - short) // 2, short, size)
    columns = triangle(shape[1], (shape[1] - short) // 2, short, size)
    wanted = np.einsum("ih,hwc,jw->ijc", rows, pixels.astype(float), columns)
    found = scaled(pixels, size)
    assert np.abs(found - wanted).max() <= 1.01, "Pillow rounds twice, along each edge"
    written = encoded(pixels[:, :, 0] if channels == 1 else pixels)
    assert np.array_equal(decode(written, "PNG", size=size), found)


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (10, 10), (20, 20)])
def test_scaling_and_cutting_out_may_change_places(shape: tuple[int, int]) -> None:
    """The whole picture scaled by its short side, then cut by NumPy, is the same."""
    pixels = noise(*shape, 3)
    height, width = (side * 10 // min(shape) for side in shape)
    whole = np.asarray(PIL.Image.fromarray(pixels).resize((width, height), BILINEAR))
    top, left = (height - 10) // 2, (width - 10) // 2
    assert np.array_equal(scaled(pixels, 10), whole[top : top + 10, left : left + 10])


def test_a_picture_of_the_size_stays_as_it_is() -> None:
    """To the byte; and one that is only wider loses its sides."""
    pixels = noise(8, 8, 3)
    assert scaled(pixels, 8) is pixels
    assert scaled(pixels, 0) is pixels
    wide = noise(8, 12, 3)
    assert np.array_equal(scaled(wide, 8), wide[:, 2:10])


def test_sixteen_bits_are_scaled_without_loss_of_depth() -> None:
    """Means of four, to half a step; of colour each channel for itself."""
    pixels = noise(12, 12, 3, dtype="uint16")
    found = scaled(pixels, 6)
    assert found.dtype == np.uint16
    for k in range(3):
        plane = PIL.Image.fromarray(pixels[:, :, k].astype("float32"))
        wanted = np.asarray(plane.resize((6, 6), BILINEAR))
        assert np.abs(found[:, :, k] - wanted).max() <= 0.5


def test_eight_bits_beside_sixteen_keep_black_and_white() -> None:
    """255 of 255 is 65,535 of 65,535."""
    few = np.array([0, 1, 255], dtype=np.uint8)
    assert deepened(few).tolist() == [0, 257, 65535]
    deep = deepened(few)
    assert deepened(deep) is deep
