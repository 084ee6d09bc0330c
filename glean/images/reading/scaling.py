"""Pictures come to one size and to one or three channels.

Size: a picture is scaled until its short side fits, by Pillow's bilinear filter, which averages
over all pixels that fall into a new one; then the square in its centre is cut out.

Grey from colour: the luma of ITU-R BT.601, as Pillow's `convert("L")` rounds it. Colour from grey:
the same in all three channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glean.images.reading.image_set import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)
"""ITU-R BT.601's 0.299, 0.587 and 0.114 by 65,536, so that 16 bits don't overflow 32."""

EIGHT_TO_SIXTEEN = 257
"""255 becomes 65,535."""


def scaled_image(image: Image, size: int) -> Image:
    """Scale the centred square of a picture to `size` by `size` pixels; 0 leaves it."""
    from PIL.Image import Resampling

    width, height = image.size
    if not size or width == height == size:
        return image
    short = min(width, height)
    left, top = (width - short) // 2, (height - short) // 2
    box = (left, top, left + short, top + short)
    return image.resize((size, size), Resampling.BILINEAR, box)


def scaled(pixels: Pixels, size: int) -> Pixels:
    """Do the same with an array of shape (height, width, channels)."""
    from PIL.Image import fromarray

    if not size or pixels.shape[:2] == (size, size):
        return pixels
    # Pillow knows one channel of 16 bits only, and scales floats without loss.
    kind = "float32" if pixels.dtype == np.uint16 else "uint8"
    planes = [
        np.asarray(scaled_image(fromarray(pixels[:, :, k].astype(kind)), size))
        for k in range(pixels.shape[2])
    ]
    found: Pixels = np.rint(np.stack(planes, axis=2)).astype(pixels.dtype)
    return found


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Bring an array of shape (..., 1 or 3) to `channels`; 0 leaves it.

    Examples
    --------
    >>> with_channels(np.array([[[255, 0, 0]]], dtype=np.uint8), 1)
    array([[[76]]], dtype=uint8)
    """
    held: NDArray[Any] = pixels
    if channels in (0, held.shape[-1]):
        return pixels
    if channels == 3:
        return np.repeat(held, 3, axis=-1)
    luma = (held.astype(np.uint32) @ LUMA + np.uint32(2**15)) >> np.uint32(16)
    return np.asarray(luma[..., np.newaxis], dtype=held.dtype)


def deepened(pixels: Pixels) -> Pixels:
    """Bring 8 bits a channel to 16, so that white stays white."""
    if pixels.dtype == np.uint16:
        return pixels
    return pixels.astype(np.uint16) * np.uint16(EIGHT_TO_SIXTEEN)
