"""A picture's bytes become its pixels, or the reason why not; compared with Pillow and NumPy."""

from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL.TiffImagePlugin import AppendingTiffWriter

from glean.images.reading.decoding import SUFFIXES, check_suffix, decode
from glean.images.reading.image_set import Pixels
from glean.images.reading.refusals import UnreadableError
from tests.images.reading.picture_files import Array, encoded, noise

GREY, COLOUR = noise(5, 7), noise(5, 7, 3)


def why_not(data: bytes, kind: str = "PNG") -> str:
    with pytest.raises(UnreadableError) as caught:
        decode(data, kind, size=0)
    return str(caught.value)


def image(array: Array, mode: str | None = None) -> PIL.Image.Image:
    found = PIL.Image.fromarray(array)
    return found if mode is None else found.convert(mode)


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


@given(arrays.arrays(np.uint8, SHAPES), st.sampled_from(["PNG", "TIFF", "BMP"]))
def test_pixels_come_back_as_they_were_written(pixels: Array, kind: str) -> None:
    """Of every kind of file without loss, in grey and in colour."""
    data = encoded(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, kind)
    found = decode(data, kind, size=0)
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@given(arrays.arrays(np.uint16, SHAPES.map(lambda shape: shape[:2])))
def test_sixteen_bits_of_grey_come_back_whole(pixels: Array) -> None:
    """In PNG and in TIFF."""
    for kind in ("PNG", "TIFF"):
        found = decode(encoded(pixels, kind), kind, size=0)
        assert found.dtype == np.uint16
        assert np.array_equal(found[:, :, 0], pixels)


def test_sixteen_bits_with_white_as_zero_are_refused() -> None:
    """Pillow would give the negative; of 8 bits it turns them."""
    white_is_zero = {262: 0}
    deep = encoded(noise(3, 3, dtype="uint16"), "TIFF", tiffinfo=white_is_zero)
    assert "black as 0" in why_not(deep, "TIFF")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_picture_with_loss_is_what_pillow_makes_of_it(kind: str) -> None:
    """In colour; and a JPEG in grey stays grey."""
    data = encoded(noise(20, 30, 3), kind)
    assert np.array_equal(decode(data, kind, size=0), np.asarray(PIL.Image.open(io.BytesIO(data))))
    assert decode(encoded(noise(8, 8), "JPEG"), "JPEG", size=0).shape == (8, 8, 1)


def over_white(colour: Array, alpha: Array) -> Array:
    """By the formula, in floats."""
    share = alpha[..., np.newaxis] / 255
    return np.asarray(colour * share + 255 * (1 - share))


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_shows_white(channels: int) -> None:
    """Grey with alpha stays grey; half transparent is half white."""
    layered = noise(6, 6, channels)
    found = decode(encoded(layered), "PNG", size=0)
    assert found.shape == (6, 6, channels - 1)
    wanted = over_white(layered[:, :, :-1], layered[:, :, -1])
    assert np.abs(found - wanted).max() <= 1
    clear = layered[:, :, -1] == 0
    assert (found[clear] == 255).all()


def test_a_colour_that_is_marked_as_clear_shows_white() -> None:
    """PNG's other way: one grey, one colour or some of a palette."""
    grey = encoded(GREY, transparency=int(GREY[0, 0]))
    assert decode(grey, "PNG", size=0)[0, 0] == [255]
    colour = encoded(COLOUR, transparency=tuple(map(int, COLOUR[0, 0])))
    assert decode(colour, "PNG", size=0)[0, 0].tolist() == [255, 255, 255]
    palette = image(COLOUR).quantize(8)
    spoilt = encoded(palette, transparency=bytes(8))
    assert (decode(spoilt, "PNG", size=0) == 255).all()


def test_a_palette_gives_its_colours_or_its_greys() -> None:
    """A picture in grey that was written with a palette is one in grey."""
    few = image(COLOUR).quantize(16)
    found = decode(encoded(few), "PNG", size=0)
    assert np.array_equal(found, np.asarray(few.convert("RGB")))
    greys = image(GREY).convert("P")
    assert np.array_equal(decode(encoded(greys), "PNG", size=0)[:, :, 0], GREY)


def test_other_kinds_of_colour_become_red_green_and_blue() -> None:
    """CMYK as Pillow converts it, and one bit a pixel as black and white."""
    four = image(COLOUR).convert("CMYK")
    found = decode(encoded(four, "TIFF"), "TIFF", size=0)
    assert np.array_equal(found, np.asarray(four.convert("RGB")))
    assert decode(encoded(four, "JPEG"), "JPEG", size=0).shape == (5, 7, 3)
    bits = image(GREY).convert("1")
    assert np.array_equal(
        decode(encoded(bits), "PNG", size=0)[:, :, 0], np.asarray(bits) * np.uint8(255)
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_stands_as_its_exif_says(kind: str, turn: int) -> None:
    """All eight ways, as Pillow's own function turns it, and once only."""
    exif = PIL.Image.Exif()
    exif[274] = turn
    data = encoded(COLOUR, kind, exif=exif)
    wanted = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    assert wanted.size == ((5, 7) if turn > 4 else (7, 5))
    assert np.array_equal(decode(data, kind, size=0), np.asarray(wanted.convert("RGB")))


def test_damaged_exif_turns_nothing() -> None:
    """The pixels are whole."""
    data = encoded(COLOUR, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode(data, "JPEG", size=0).shape == (5, 7, 3)


def test_several_pictures_in_a_file_are_refused() -> None:
    """A stack of slices isn't its first; animations neither."""
    pages = [image(noise(4, 4, seed=k)) for k in range(3)]
    for kind in ("TIFF", "WEBP", "PNG"):
        data = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
        assert why_not(data, kind).startswith(
            "several pictures in one file; save the one that counts"
        )


def test_a_thumbnail_in_a_file_does_not_count() -> None:
    """Whichever place it has; a scanner's mask neither."""
    held = io.BytesIO()
    small, large = image(noise(2, 2)), image(GREY)
    with AppendingTiffWriter(held) as writer:
        for page, kind in ((small, 1), (large, 0), (small, 4)):
            page.save(writer, "TIFF", tiffinfo={254: kind})
            writer.newFrame()
    assert np.array_equal(decode(held.getvalue(), "TIFF", size=0)[:, :, 0], GREY)


def test_a_phone_s_preview_does_not_count() -> None:
    """Cameras put a second, small picture into their JPEG files (MPO)."""
    photograph = image(noise(40, 40, 3))
    data = encoded(photograph, "MPO", save_all=True, append_images=[image(noise(8, 8, 3))])
    assert decode(data, "JPEG", size=0).shape == (40, 40, 3)


def huge_png(side: int) -> bytes:
    """A few bytes that say that they are a picture of a size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8193, 10_000, 20_000])
@pytest.mark.filterwarnings("error")
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side: int) -> None:
    """By our limit, by Pillow's warning and by Pillow's error."""
    assert "more than 67,108,864 pixels" in why_not(huge_png(side))


def test_a_picture_at_the_limit_is_decoded() -> None:
    """Here it isn't refused for its size, but for what is missing."""
    assert "damaged or cut off" in why_not(huge_png(8192))


BROKEN: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "PNG", "an empty file, of 0 bytes"),
    "text": (b"a cat", "PNG", "no picture, though its name promises PNG"),
    "zeros": (bytes(500), "JPEG", "no picture, though its name promises JPEG"),
    "cut PNG": (encoded(noise(40, 40))[:900], "PNG", "damaged or cut off (image file is truncated"),
    "cut JPEG": (encoded(noise(90, 90), "JPEG")[:2000], "JPEG", "damaged or cut off"),
    "cut TIFF": (encoded(noise(40, 40), "TIFF")[:200], "TIFF", "damaged or cut off"),
    "cut BMP": (encoded(noise(40, 40), "BMP")[:1500], "BMP", "damaged or cut off"),
    "cut WebP": (encoded(noise(40, 40), "WEBP")[:400], "WEBP", "damaged or cut off"),
    "other kind": (encoded(GREY), "JPEG", "a PNG file whose name promises JPEG; rename it"),
    "GIF": (encoded(GREY, "GIF"), "PNG", "no picture, though"),
    "floats": (encoded(GREY.astype("float32"), "TIFF"), "TIFF", "pixels of the kind F; wanted 8"),
    "32 bits": (encoded(GREY.astype("int32"), "TIFF"), "TIFF", "pixels of the kind I; wanted 8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_is_wrong_with_it(name: str) -> None:
    """In a line that is the same with every reading."""
    data, kind, said = BROKEN[name]
    why = why_not(data, kind)
    assert said in why
    assert "0x" not in why, "an address differs from run to run"
    assert "\n" not in why


def test_a_picture_is_called_as_its_suffix_promises() -> None:
    """In any case; other names are refused with those that are read."""
    assert check_suffix("a.b.JPG") == "JPEG"
    assert {check_suffix(f"x{suffix}") for suffix in SUFFIXES} == {*SUFFIXES.values()}
    for name in ("Thumbs.db", "notes.txt", "scan.dcm", "picture"):
        with pytest.raises(UnreadableError, match=r"none of \.png, \.jpg"):
            check_suffix(name)


def test_a_large_jpeg_is_scaled_as_if_it_had_been_decoded_whole() -> None:
    """Decoded at an eighth, it is no more than a shade away on a smooth picture."""
    rows, columns = np.mgrid[0:800, 0:1000]
    smooth = np.stack([rows * 255 / 800, columns * 255 / 1000, 0 * rows + 90], axis=2)
    data = encoded(smooth.astype("uint8"), "JPEG", quality=95)
    whole = PIL.Image.open(io.BytesIO(data)).resize((32, 32), 2, (100, 0, 900, 800))
    found = decode(data, "JPEG", size=32)
    assert np.abs(found.astype(int) - np.asarray(whole, dtype=int)).max() <= 2


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, and perhaps the end cut off."""
    held = bytearray(data)
    for _ in range(rng.choice([1, 3, 20])):
        held[rng.randrange(len(held))] = rng.randrange(256)
    return bytes(held[: rng.choice([len(held), rng.randrange(1, len(held))])])


KINDS: list[tuple[str, Pixels]] = [
    (kind, array) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP") for array in (GREY, COLOUR)
]


@pytest.mark.parametrize(("kind", "array"), KINDS, ids=[f"{k}{a.ndim}" for k, a in KINDS])
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31))
def test_damage_gives_pixels_or_a_reason(kind: str, array: Array, seed: int) -> None:
    """And no other error, whatever Pillow meets."""
    rng = random.Random(seed)  # noqa: S311 - damage, no secret
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = decode(spoilt(encoded(array, kind), rng), kind, size=4)
        except UnreadableError as error:
            assert str(error)  # noqa: PT017 - either may happen
        else:
            assert found.shape[:2] == (4, 4)


def test_pillow_s_plugins_are_not_asked_for_other_kinds(tmp_path: Path) -> None:
    """A PostScript file would start a program."""
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    assert why_not(path.read_bytes()).startswith("no picture")
