from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from app.domain.frame import Frame, Pixels
from app.pipeline.color_tags import ColorTags, resolve_tags, rgb_from_yuv
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import VideoWriter
from app.pipeline.yuv import RgbConverter
from tests.support.media import write_clip, write_planes

BT709, BT601, BT2020, UNSPECIFIED = 1, 6, 9, 2
LIMITED, FULL = 1, 2
K = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593)}


def exact_rgb(planes: list[npt.NDArray], bits: int, matrix: int, full: bool) -> npt.NDArray[np.float64]:
    """BT.601/709/2020 by their definition, float64, from the difference signals, not from a matrix."""
    y, cb, cr = (p.astype(np.float64) for p in planes)
    unit, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        luma, blue, red = y / top, (cb - 128 * unit) / top, (cr - 128 * unit) / top
    else:
        luma, blue, red = (
            (y / unit - 16) / 219,
            (cb / unit - 128) / 224,
            (cr / unit - 128) / 224,
        )
    k_red, k_blue = K[matrix]
    r = luma + 2 * (1 - k_red) * red
    b = luma + 2 * (1 - k_blue) * blue
    g = (luma - k_red * r - k_blue * b) / (1 - k_red - k_blue)
    return np.clip(np.stack([r, g, b], -1), 0, 1) * 255


def flat_chroma_planes(bits: int, step: tuple[int, int], full: bool) -> tuple[list[npt.NDArray], npt.NDArray]:
    """Random luma over 16 x 16 px patches of one chroma each, and a mask of the patches' middles.

    In the middles every way to enlarge chroma gives the same value, so the matrix alone is under test.
    """
    rng = np.random.default_rng(7)
    height, width, patch = 48, 64, 16
    unit = 2 ** (bits - 8)
    low, high = (0, 256 * unit) if full else (16 * unit, 236 * unit)
    dtype = np.uint8 if bits == 8 else np.uint16

    def chroma() -> npt.NDArray:
        patches = rng.integers(low, high, (height // patch, width // patch))
        return patches.repeat(patch // step[1], 0).repeat(patch // step[0], 1).astype(dtype)

    middle = (np.arange(height) % patch >= 4) & (np.arange(height) % patch < 12)
    across = (np.arange(width) % patch >= 4) & (np.arange(width) % patch < 12)
    luma = rng.integers(low, high, (height, width)).astype(dtype)
    return [luma, chroma(), chroma()], middle[:, None] & across[None, :]


def enlarged(planes: list[npt.NDArray], step: tuple[int, int]) -> list[npt.NDArray]:
    return [planes[0], *(p.repeat(step[1], 0).repeat(step[0], 1) for p in planes[1:])]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT709, BT601, BT2020])
@pytest.mark.parametrize(
    ("pix_fmt", "bits", "step"),
    [
        ("yuv420p", 8, (2, 2)),
        ("yuv422p", 8, (2, 1)),
        ("yuv444p", 8, (1, 1)),
        ("yuv420p10le", 10, (2, 2)),
        ("yuv422p10le", 10, (2, 1)),
        ("yuv444p16le", 16, (1, 1)),
    ],
)
def test_decoded_colours_match_the_definition_of_the_matrix(
    tmp_path: Path, pix_fmt: str, bits: int, step: tuple[int, int], matrix: int, full: bool
) -> None:
    planes, middle = flat_chroma_planes(bits, step, full)
    clip = write_planes(
        tmp_path / "planes.mkv",
        planes,
        pix_fmt=pix_fmt,
        colorspace=matrix,
        color_range=FULL if full else LIMITED,
    )
    with VideoReader(clip) as reader:
        pixels = next(reader).pixels
        assert reader.info.bit_depth == bits
        assert reader.info.color.is_full_range is full
        assert not reader.info.color.guessed
    error = pixels - exact_rgb(enlarged(planes, step), bits, matrix, full)
    assert np.abs(error[middle]).max() < 0.75
    assert abs(error[middle].mean()) < 0.15


def test_full_range_yuvj_is_not_stretched_again() -> None:
    planes, middle = flat_chroma_planes(8, (2, 2), full=True)
    frame = av.VideoFrame(64, 48, "yuvj420p")
    for plane, samples in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = samples
        plane.update(rows.tobytes())
    tags = resolve_tags(matrix=UNSPECIFIED, color_range=0, primaries=2, trc=2, pix_fmt="yuvj420p", height_px=480)
    assert tags is not None
    error = RgbConverter(tags)(frame) - exact_rgb(enlarged(planes, (2, 2)), 8, BT601, True)
    assert np.abs(error[middle]).max() < 0.75


def test_chroma_is_enlarged_smoothly_not_in_blocks(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(60, 190, 32).round().astype(np.uint8), (24, 1))
    luma = np.full((48, 64), 128, np.uint8)
    neutral = np.full((24, 32), 128, np.uint8)
    clip = write_planes(tmp_path / "r.mkv", [luma, neutral, ramp], pix_fmt="yuv420p", colorspace=BT709)
    with VideoReader(clip) as reader:
        red = next(reader).pixels[24, 4:-4, 0].astype(int)
    assert np.all(np.diff(red) > 0)


@pytest.mark.parametrize(("pix_fmt", "level"), [("gray", 77), ("gray10le", 77 * 1023 // 255)])
def test_grey_video_keeps_its_levels(tmp_path: Path, pix_fmt: str, level: int) -> None:
    dtype = np.uint8 if pix_fmt == "gray" else np.uint16
    clip = write_planes(tmp_path / "g.mkv", [np.full((20, 30), level, dtype)], pix_fmt=pix_fmt)
    with VideoReader(clip) as reader:
        assert np.all(next(reader).pixels == 77)


@pytest.mark.parametrize("pix_fmt", ["bgr0", "gbrp10le"])
def test_rgb_video_keeps_its_colours(tmp_path: Path, pix_fmt: str) -> None:
    clip = write_clip(tmp_path / "rgb.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=1)
    with VideoReader(clip) as reader:
        pixels = next(reader).pixels
        assert reader.info.color.matrix == "rgb"
    np.testing.assert_allclose(pixels[4, 4], (230, 20, 20), atol=1)
    np.testing.assert_allclose(pixels[-4, 4], (30, 40, 220), atol=1)


@pytest.mark.parametrize(("height", "matrix"), [(480, "bt601"), (720, "bt709")])
def test_untagged_video_is_guessed_by_its_height(tmp_path: Path, height: int, matrix: str) -> None:
    with VideoReader(write_clip(tmp_path / "u.mp4", frames=1, size=(32, height))) as reader:
        color = reader.info.color
    assert (color.matrix, color.range, color.guessed) == (matrix, "limited", True)


def test_an_undecodable_matrix_is_named_as_such() -> None:
    ycgco = 8
    assert resolve_tags(matrix=ycgco, color_range=1, primaries=1, trc=1, pix_fmt="yuv420p", height_px=720) is None


def test_limited_white_and_black_come_out_as_white_and_black() -> None:
    tags = ColorTags("bt709", "limited", "bt709", "bt709", guessed=False)
    matrix = rgb_from_yuv(tags, 8)
    np.testing.assert_allclose(matrix @ [235, 128, 128, 1], [255, 255, 255], atol=1e-3)
    np.testing.assert_allclose(matrix @ [16, 128, 128, 1], [0, 0, 0], atol=1e-3)


def color_bars(width: int, height: int) -> Pixels:
    levels = [(r, g, b) for r in (16, 235) for g in (16, 235) for b in (16, 235)]
    levels += [(128, 128, 128), (255, 255, 255), (0, 0, 0), (200, 150, 120)]
    bars = np.array(levels, np.uint8).repeat(width // len(levels), 0)
    return np.tile(bars[None, :, :], (height, 1, 1))


@pytest.mark.parametrize(("suffix", "worst"), [(".mp4", 3), (".mov", 3), (".mkv", 3), (".webm", 5)])
def test_colour_bars_survive_writing_and_reading_and_are_tagged_bt709(tmp_path: Path, suffix: str, worst: int) -> None:
    bars = color_bars(384, 64)
    path = tmp_path / f"bars{suffix}"
    with VideoWriter(path, width=384, height=64, time_base=Fraction(1, 25), average_rate=None) as writer:
        for index in range(3):
            writer.append(Frame(bars.copy(), index, Fraction(1, 25), index))
    with VideoReader(path) as reader:
        shown = next(reader).pixels
        color = reader.info.color
    assert color == ColorTags("bt709", "limited", "bt709", "bt709", guessed=False)
    middles = np.arange(384) % 32
    inside = (middles >= 6) & (middles < 26)
    difference = shown[:, inside].astype(int) - bars[:, inside]
    assert np.abs(difference).max() <= worst
    assert abs(difference.mean()) < 0.7


def test_a_matte_keeps_all_its_levels(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    path = tmp_path / "matte.mp4"
    settings = EncodeSettings(gray=True, crf=4)
    with VideoWriter(
        path, width=256, height=64, time_base=Fraction(1, 25), average_rate=None, settings=settings
    ) as writer:
        writer.append_alpha(ramp, pts=0)
    with VideoReader(path) as reader:
        shown = next(reader).pixels
        assert reader.info.color.is_full_range
    assert np.abs(shown - ramp[..., None].astype(int)).max() <= 2
    assert shown[0, 0, 0] == 0
    assert shown[0, -1, 0] >= 254
