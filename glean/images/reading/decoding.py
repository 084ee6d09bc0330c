"""The bytes of a picture become its pixels, grey or colour, upright, alpha laid over white.

The header is looked at first: the kind of file, how many pictures, how many pixels. Only then are
pixels decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count, islice
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from glean.images.reading.image_set import Pixels
from glean.images.reading.refusals import UnreadableError, printable
from glean.images.reading.scaling import scaled, scaled_image

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG",
    ".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".webp": "WEBP",
}  # fmt: skip
"""Pillow's name of the kind of file, by the end of a file's name."""

MOST_PIXELS = 2**26
"""8,192 by 8,192: more than a mammogram has; a larger one might be made to fill the memory."""

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_WHITE = 255
_ORIENTATION, _PAGE_KIND, _PHOTOMETRIC = 274, 254, 262
"""Tags of EXIF and TIFF."""

_THUMBNAIL_OR_MASK = 0b101
"""Bits of the second."""

_LONGEST_REASON = 120


def check_suffix(name: str) -> str:
    """Give the kind of picture that the end of a file's name promises.

    Raises
    ------
    UnreadableError
        It promises none that is read.
    """
    suffix = PurePath(name).suffix.casefold()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    found = f"a name that ends in {printable(suffix)}" if suffix else "a name without an ending"
    raise UnreadableError(f"{found}, which is none of {', '.join(SUFFIXES)}")


def decode(data: bytes, kind: str, *, size: int) -> Pixels:
    """Decode a picture.

    Parameters
    ----------
    data : bytes
        A file.
    kind : str
        What its name promises, one of the values of `SUFFIXES`.
    size : int
        Side of the square that is wanted, pixels; 0 takes the picture as it is.

    Returns
    -------
    array of shape (height, width, 1 or 3)

    Raises
    ------
    UnreadableError
        It is damaged, of another kind, of several pictures, too large or of pixels that aren't
        read.
    """
    import PIL.Image

    if not data:
        raise UnreadableError("an empty file, of 0 bytes")
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=tuple(dict.fromkeys(SUFFIXES.values())))
        _check_header(image, kind)
        if size:  # a large JPEG is decoded at a half, a quarter or an eighth, where that is enough
            image.draft(None, (2 * size, 2 * size))
        image.load()
        return _pixels(image, size)
    except UnreadableError:
        raise
    except PIL.UnidentifiedImageError:
        raise UnreadableError(f"no picture, though its name promises {kind}") from None
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise _too_large() from None
    except Exception as error:  # noqa: BLE001 - Pillow's parsers raise whatever they meet
        said = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"damaged or cut off ({said[:_LONGEST_REASON]})") from None


def _too_large() -> UnreadableError:
    return UnreadableError(
        f"more than {MOST_PIXELS:,} pixels; save it smaller, or cut out what counts"
    )


def _check_header(image: Image, kind: str) -> None:
    found = "JPEG" if image.format == "MPO" else image.format  # as phones write it, with a preview
    if found != kind:
        raise UnreadableError(f"a {found} file whose name promises {kind}; rename it")
    _choose_page(image)
    if image.width * image.height > MOST_PIXELS:
        raise _too_large()


def _choose_page(image: Image) -> None:
    """Go to the only picture; thumbnails and masks of a TIFF file don't count, previews neither."""
    if image.format == "TIFF":
        whole = [*islice(_whole_pages(image), 2)]
        several = len(whole) > 1
        image.seek(whole[0] if whole else 0)
    else:
        several = image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    if several:
        raise UnreadableError(
            "several pictures in one file; save the one that counts as a file of its own"
        )


def _whole_pages(image: Image) -> Iterator[int]:
    """Pages of a TIFF file that are no thumbnails and no masks; one after the other is sought."""
    for page in count():
        try:
            image.seek(page)
        except EOFError:
            return
        if not int(image.tag_v2.get(_PAGE_KIND, 0)) & _THUMBNAIL_OR_MASK:  # type: ignore[attr-defined]
            yield page


def _pixels(image: Image, size: int) -> Pixels:
    turn = _turn(image)
    sixteen = _sixteen_bits(image)
    plain = image if sixteen else _flat(image)
    upright = plain if turn is None else plain.transpose(turn)
    if sixteen:
        return scaled(np.asarray(upright, dtype=np.uint16)[:, :, np.newaxis], size)
    small = scaled_image(upright, size)
    return np.asarray(small).reshape(small.height, small.width, -1)


def _sixteen_bits(image: Image) -> bool:
    if image.mode not in (*_SIXTEEN_BITS, "I") or (image.mode == "I" and image.format != "PNG"):
        return False
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == 0:  # Pillow doesn't turn it
        raise UnreadableError("16 bits a pixel with white as 0; save it with black as 0")
    return True


def _flat(image: Image) -> Image:
    """Grey or colour with 8 bits a channel; what is transparent shows white."""
    import PIL.Image

    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F", "LAB", "HSV") or image.mode.startswith("I;"):
        raise UnreadableError(f"pixels of the kind {image.mode}; wanted 8 bits, or 16 of grey")
    colour = "L" if image.mode in ("1", "L", "LA") else "RGB"
    clear = image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if not clear:
        return _grey_if_grey(image, image.convert(colour))
    layered = image.convert("RGBA")
    under = PIL.Image.new(colour, image.size, _WHITE if colour == "L" else (_WHITE,) * 3)
    under.paste(layered.convert(colour), mask=layered.getchannel("A"))
    return _grey_if_grey(image, under)


def _grey_if_grey(source: Image, image: Image) -> Image:
    """Take a palette of greys only for grey: programs that make files small write grey so."""
    if source.mode not in ("P", "PA"):
        return image
    red, green, blue = (image.getchannel(k).tobytes() for k in range(3))
    return image.getchannel(0) if red == green == blue else image


def _turn(image: Image) -> Transpose | None:
    """Say how EXIF wants a picture turned; damaged EXIF says nothing."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:  # of TIFF files Pillow has turned the pixels by now, and says so here
        return turns.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - as above, of bytes that don't touch the pixels
        return None
