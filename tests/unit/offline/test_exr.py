from __future__ import annotations

import io

import numpy as np
import OpenEXR
import pytest

from app.pipeline.offline.exr import BT709_CHROMATICITIES, encode_exr, linear_light
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.picture_sink import encoder_of


def read(data: bytes):
    file = OpenEXR.File(io.BytesIO(data))
    return file.header(), {name: channel.pixels for name, channel in file.channels().items()}


def light(encoded):
    """sRGB's curve, written down once more."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def noise(*shape: int, dtype=np.uint16):
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def test_header_says_what_is_in_it() -> None:
    header, channels = read(encode_exr(noise(5, 7, 3)))
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
    assert header["type"] == OpenEXR.scanlineimage
    assert tuple(header["chromaticities"]) == pytest.approx(BT709_CHROMATICITIES)
    assert [(name, pixels.dtype, pixels.shape) for name, pixels in channels.items()] == [("RGB", np.float16, (5, 7, 3))]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (33, 17)])
def test_colours_are_linear_light(dtype, size) -> None:
    picture = noise(*size, 3, dtype=dtype)
    _, channels = read(encode_exr(picture))
    exact = light(picture / np.iinfo(dtype).max)
    # Half floats have 11 bits: half a step is 2^-12 of the value; below 2^-14 steps are 2^-24.
    assert np.all(np.abs(channels["RGB"].astype(np.float64) - exact) <= exact * 2**-11 + 2**-24)


def test_known_levels() -> None:
    assert linear_light(np.array([[0, 255]], np.uint8)).tolist() == [[0, 1]]
    assert linear_light(np.array([[0, 65535]], np.uint16)).tolist() == [[0, 1]]
    assert float(linear_light(np.array([188], np.uint8))[0]) == pytest.approx(0.5029, abs=3e-4)
    codes = np.arange(65536, dtype=np.uint16)
    assert np.all(np.diff(linear_light(codes).astype(np.float32)) >= 0)
    assert np.array_equal(linear_light(np.arange(256, dtype=np.uint8)), linear_light(codes[::257]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_multiplied_in_linear_light_or_straight(dtype) -> None:
    picture = noise(31, 23, 4, dtype=dtype)
    picture[:4], picture[:, :3] = 0, 0
    full = np.iinfo(dtype).max
    colours, alpha = light(picture[..., :3] / full), picture[..., 3:] / full
    for premultiplied, exact in ((True, colours * alpha), (False, colours)):
        _, channels = read(encode_exr(picture, premultiplied=premultiplied))
        found = channels["RGBA"].astype(np.float64)
        assert np.all(np.abs(found[..., :3] - exact) <= exact * 2**-10 + 2**-23)
        assert np.abs(found[..., 3:] - alpha).max() <= 2**-11
    encoding = Encoding(format="exr", alpha="premultiplied")
    assert encoder_of(encoding)(picture) == encode_exr(picture)
    assert encoder_of(Encoding(format="exr", alpha="straight"))(picture) == encode_exr(picture, premultiplied=False)


def test_a_matte_is_coverage_and_no_light() -> None:
    header, channels = read(encode_exr(np.array([[0, 128, 255]], np.uint8)))
    assert list(channels) == ["Y"]
    assert channels["Y"].astype(np.float64)[0].tolist() == pytest.approx([0, 128 / 255, 1], abs=3e-4)
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION


def test_nothing_is_an_empty_picture() -> None:
    _, channels = read(encode_exr(np.zeros((6, 5, 4), np.uint16)))
    assert not channels["RGBA"].any()
