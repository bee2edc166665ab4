"""Whatever Pillow reads has the pixels that it stands for, or one line that names the file."""

import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augbench.datasets.folder import folder
from augbench.errors import DatasetError, ParameterError

SIDE = 16
RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)  # black to white


@pytest.fixture
def place(tmp_path):
    """Two classes of one image a part; what a test adds is the first of the training images."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            path = tmp_path / part / name / "z.png"
            path.parent.mkdir(parents=True)
            Image.fromarray((255 * RAMP).astype(np.uint8)).save(path)
    return tmp_path


def read(place, channels=1, **parameters):
    """The image that the test has added, [H, W] or [H, W, 3]."""
    dataset = folder(None, path=str(place), size=SIDE, channels=channels, **parameters)
    pixels = dataset.train_images[0].transpose(1, 2, 0)
    return pixels[..., 0] if channels == 1 else pixels


def grey(rgb):
    """ITU-R 601-2 luma of [H, W, 3]."""
    return np.asarray(rgb, float) @ [0.299, 0.587, 0.114]


def near(found, expected, tolerance=1.0):
    difference = np.abs(found.astype(float) - np.asarray(expected, float)).max()
    assert difference <= tolerance, difference


RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
OPACITY = RNG.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
GREYS = RNG.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
SHARE = OPACITY[..., None] / 255


def of_bits():
    return Image.fromarray(GREYS > 127), np.repeat(255.0 * (GREYS > 127)[..., None], 3, 2)


def of_palette(transparent=None):
    image = Image.fromarray((GREYS % 4).astype(np.uint8))
    image.putpalette(COLOURS[0, :4].tobytes())  # turns it into mode P
    table = COLOURS[0, :4].astype(float)
    if transparent is not None:
        table = table * np.array(transparent)[:, None] / 255
    return image, table[GREYS % 4]


def palette_with_opacity():
    image, colours = of_palette()
    packed = Image.merge("LA", [Image.fromarray(GREYS % 4), Image.fromarray(OPACITY)])
    both = Image.frombytes("PA", image.size, packed.tobytes())
    both.putpalette(image.getpalette())
    return both, colours * SHARE


def with_opacity():
    return Image.fromarray(np.dstack([COLOURS, OPACITY])), COLOURS * SHARE


def grey_with_opacity():
    image = Image.merge("LA", [Image.fromarray(GREYS), Image.fromarray(OPACITY)])
    return image, np.repeat(GREYS[..., None] * SHARE, 3, 2)


def inks():
    cmyk = Image.frombytes("CMYK", (SIDE, SIDE), np.dstack([COLOURS, OPACITY]).tobytes())
    return cmyk, (255 - COLOURS.astype(float)) * (255 - OPACITY[..., None].astype(float)) / 255


def luma_and_chroma():
    stored = np.dstack([60 + COLOURS[..., 0] // 2, 108 + COLOURS[..., 1:] // 7])  # within RGB
    y, cb, cr = (stored[..., k].astype(float) for k in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = np.dstack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    return Image.frombytes("YCbCr", (SIDE, SIDE), stored.tobytes()), rgb


def lab():
    """Lightness over the picture, with little colour, so that all is within sRGB."""
    lightness, a, b = 20 + 60 * RAMP, 12 * RAMP - 5, 14 - 25 * RAMP
    stored = np.dstack([lightness * 255 / 100, a + 128, b + 128]).round().astype(np.uint8)
    lightness, a, b = (stored[..., k].astype(float) for k in range(3))
    lightness, a, b = lightness * 100 / 255, a - 128, b - 128

    def inverse(t):
        return np.where(t > 6 / 29, t**3, 3 * (6 / 29) ** 2 * (t - 4 / 29))

    fy = (lightness + 16) / 116
    white = np.array([0.9642, 1.0, 0.8251])  # D50
    xyz = np.dstack([inverse(fy + a / 500), inverse(fy), inverse(fy - b / 200)]) * white
    to_linear = np.array(  # of sRGB, adapted to D50 (Bradford)
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.0334540],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    linear = np.clip(xyz @ to_linear.T, 0, 1)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    signed = stored ^ np.array([0, 128, 128], np.uint8)  # as files and Pillow's bytes have it
    return Image.frombytes("LAB", (SIDE, SIDE), signed.tobytes()), 255 * rgb


KINDS = {
    "1.png": (of_bits, {}, 0),
    "1.tif": (of_bits, {}, 0),
    "L.png": (lambda: (Image.fromarray(GREYS), np.repeat(GREYS[..., None], 3, 2)), {}, 0),
    "RGB.png": (lambda: (Image.fromarray(COLOURS), COLOURS), {}, 0),
    "LA.png": (grey_with_opacity, {}, 1),
    "P.png": (of_palette, {}, 0),
    "P-transparent.png": (
        lambda: of_palette((0, 90, 200, 255)),
        {"transparency": bytes((0, 90, 200, 255))},
        1,
    ),
    "P-one-colour-transparent.png": (
        lambda: of_palette((255, 0, 255, 255)),
        {"transparency": 1},
        0,
    ),
    "LA.tif": (grey_with_opacity, {}, 1),
    "PA.tif": (palette_with_opacity, {}, 1),
    "RGBA.png": (with_opacity, {}, 1),
    "RGBA.tif": (with_opacity, {}, 1),
    "RGBA.webp": (with_opacity, {"lossless": True, "exact": True}, 1),
    "CMYK.tif": (inks, {}, 1.5),
    "YCbCr.tif": (luma_and_chroma, {}, 1.5),
    "LAB.tif": (lab, {}, 3),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_has_the_pixels_of_an_independent_conversion(place, name, channels):
    make, options, tolerance = KINDS[name]
    image, expected = make()
    image.save(place / "train" / "cat" / f"a-{name}", **options)
    if channels == 1:
        near(read(place), grey(expected), tolerance + 1)
    else:
        near(read(place, channels=3), expected, tolerance)


def tiff(path, values, bits, *, sample_format=1, photometric=1, order="<"):
    """A TIFF of one strip, written by hand: `values` [H, W] in any type of `bits` bits."""
    height, width = values.shape
    if bits == 12:  # two values in three bytes
        pairs = values.astype(np.uint16).reshape(-1, 2)
        low, high = pairs[:, 0], pairs[:, 1]
        data = np.stack([low >> 4, (low & 15) << 4 | high >> 8, high & 255], 1)
        data = data.astype(np.uint8).tobytes()
    else:
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    tags = [
        (256, width),
        (257, height),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, height),
        (279, len(data)),
        (339, sample_format),
    ]
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    start = 8 + len(data)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    path.write_bytes(head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


DEEP = {
    "16 bits": (np.uint16, 16, 65535, {}),
    "16 bits, the other byte order": (np.uint16, 16, 65535, {"order": ">"}),
    "12 bits": (np.uint16, 12, 4095, {}),
    "0 to 1": (np.float32, 32, 1, {"sample_format": 3}),
    "0 to 255": (np.float32, 32, 255, {"sample_format": 3}),
    "32 bits of which 16 are used": (np.uint32, 32, 65535, {}),
    "16 bits whose zero is white": (np.uint16, 16, 65535, {"photometric": 0}),
    "0 to 1 whose zero is white": (np.float32, 32, 1, {"photometric": 0, "sample_format": 3}),
    "32 bits with a sign": (np.int32, 32, 65535, {"sample_format": 2}),
}


@pytest.mark.parametrize(
    ("dtype", "bits", "white", "options"),
    DEEP.values(),
    ids=DEEP,
)
def test_pictures_of_many_bits_are_scaled_from_black_to_white(place, dtype, bits, white, options):
    values = (white * (1 - RAMP if "photometric" in options else RAMP)).astype(dtype)
    path = place / "train" / "cat" / "a.tif"
    tiff(path, values, bits, **options)
    near(read(place), 255 * RAMP)
    near(read(place, channels=3), np.repeat(255 * RAMP[..., None], 3, 2))


@pytest.mark.parametrize(
    ("dtype", "bits", "top", "options", "guess"),
    [
        (np.uint16, 16, 4095, {}, "4095"),
        (np.uint16, 16, 1000, {}, "4095"),
        (np.uint32, 32, 2**32 - 1, {}, "4294967295"),
        (np.float32, 32, 100, {"sample_format": 3}, "100"),
        (np.float32, 32, 65535, {"sample_format": 3}, "65535"),
    ],
)
def test_where_nothing_says_what_is_white_the_user_is_asked(
    place, dtype, bits, top, options, guess
):
    path = place / "train" / "cat" / "a.tif"
    tiff(path, (top * RAMP).astype(dtype), bits, **options)
    message = f"{path} cannot be read as an image: .* write white={guess} behind"
    with pytest.raises(DatasetError, match=message) as caught:
        folder(None, path=str(place))
    assert "\n" not in str(caught.value)
    near(read(place, white=top), 255 * RAMP)


def test_what_is_white_is_asked_of_all_files_together(place):
    """A dark picture among brighter ones is dark, not scaled by itself."""
    tiff(place / "train" / "cat" / "a.tif", (1000 * RAMP).astype(np.uint16), 16)
    tiff(place / "test" / "dog" / "b.tif", (65535 * RAMP).astype(np.uint16), 16)
    near(read(place), 1000 * RAMP / 257)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "values from -1 to 1, and none below 0 was expected"),
        (np.nan, "no finite"),
        (np.inf, "no finite"),
    ],
)
def test_values_that_are_no_brightness_are_refused(place, value, message):
    values = RAMP.astype(np.float32)
    values[3, 3] = value
    tiff(place / "train" / "cat" / "a.tif", values, 32, sample_format=3)
    with pytest.raises(DatasetError, match=f"a.tif cannot be read as an image: .*{message}"):
        folder(None, path=str(place))


@pytest.mark.parametrize("white", [-1.0, float("nan"), float("inf")])
def test_white_is_a_number_above_zero(place, white):
    with pytest.raises(ParameterError, match="white as a number above 0"):
        folder(None, path=str(place), white=white)


def test_white_may_be_beyond_what_a_dark_file_holds_and_within_what_a_bright_one_does(place):
    tiff(place / "train" / "cat" / "a.tif", (60000 * RAMP).astype(np.uint16), 16)
    near(read(place, white=30000), np.clip(2 * 255 * RAMP, 0, 255))
    near(read(place, white=120000), 255 * RAMP / 2)


def test_a_transparent_value_of_16_bits_is_black(place):
    values = np.full((SIDE, SIDE), 50000, np.uint16)
    values[:4] = 40000
    path = place / "train" / "cat" / "a.png"
    Image.fromarray(values).save(path)
    data = path.read_bytes()
    chunk = b"tRNS" + struct.pack(">H", 40000)
    at = data.index(b"IDAT") - 4
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:at] + chunk + data[at:])
    found = read(place)
    assert found[:4].max() == 0
    assert found[4:].min() == 50000 >> 8


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_put_upright(place, suffix, orientation):
    upright = (255 * RAMP).astype(np.uint8)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),  # to be turned clockwise by the viewer
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(turned))
    image.save(place / "train" / "cat" / f"a.{suffix}", exif=exif)
    near(read(place), upright, 6)


def pipe(path):
    os.mkfifo(path)


def bind(path):
    here = os.getcwd()
    os.chdir(path.parent)  # the whole path may be too long for a socket
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(here)


def huge(path):
    """10⁸ pixels in a few bytes."""
    Image.new("1", (10_000, 10_000)).save(path)


def enormous(path):
    head = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 0, 0, 0, 0)
    chunks = (b"IHDR" + head, b"IDAT" + zlib.compress(bytes(9)), b"IEND")
    data = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def float_colours(path):
    """A kind of TIFF that Pillow does not know."""
    tiff(path, RAMP.astype(np.float64), 64, sample_format=3)


ODD = {
    "pipe": (pipe, "it is a pipe; take it away"),
    "socket": (bind, "it is a socket; take it away"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device; take it away"),
    "broken link": (lambda path: path.symlink_to("nowhere"), "a link that leads nowhere"),
    "circle of links": (lambda path: path.symlink_to(path.name), "a link that leads nowhere"),
    "huge": (huge, "10000 × 10000 pixels, more than 89,478,485; make it smaller"),
    "enormous": (enormous, "too many pixels, more than 89,478,485; make it smaller"),
    "unknown": (float_colours, "no kind that Pillow knows, or damaged; save it anew, as PNG"),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes among files")
@pytest.mark.parametrize(("make", "message"), ODD.values(), ids=ODD)
def test_what_is_no_picture_is_one_line_that_names_it(place, make, message):
    path = place / "train" / "cat" / "a.png"
    make(path)
    with pytest.raises(DatasetError) as caught:
        folder(None, path=str(place))
    assert str(caught.value).startswith(f"{path} cannot be read as an image: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [13, 5])  # permission denied, input/output error
def test_a_file_that_cannot_be_read_is_named(place, monkeypatch, code):
    bad, opened = place / "train" / "cat" / "z.png", Path.open

    def refuse(path, *arguments, **options):
        if path == bad:
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    message = f"{bad} cannot be read as an image: {os.strerror(code)}; see to it that"
    with pytest.raises(DatasetError, match=message):
        folder(None, path=str(place))


def test_a_picture_too_thin_to_crop_is_refused_before_it_fills_the_memory(place):
    Image.new("L", (400_000, 1)).save(place / "train" / "cat" / "a.png")
    with pytest.raises(DatasetError, match=r"a\.png .*so thin that a crop needs 11200000 × 28"):
        folder(None, path=str(place), resize="crop")
