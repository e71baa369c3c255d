from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from app.domain.errors import UserError
from app.domain.tone_mapping import pq_signal
from app.pipeline.color_tags import ColorTags, resolve_tags
from app.pipeline.deep_frames import DeepConverter, DeepDeveloper, reduced
from app.pipeline.mask.frame_index import read_index
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.video_info import orientation_of
from app.pipeline.video_reader import VideoReader
from app.pipeline.yuv import RgbConverter
from tests.support.media import picture, write_clip, write_planes
from tests.unit.pipeline.test_video_color import enlarged, exact_rgb, flat_chroma_planes

BT709, BT2020, LIMITED, FULL = 1, 9, 1, 2
PQ, HLG, SDR = 16, 18, 1
TENTH_BIT_CODE = 65535 / 1023


def developed(clip: Path, hdr: str = "refuse") -> tuple[np.ndarray, np.ndarray]:
    """The first frame at 16 bits and at 8."""
    with VideoReader(clip, hdr=hdr) as reader:
        info, shown = reader.info, next(reader).pixels
    with av.open(str(clip)) as source:
        first = next(source.decode(video=0))
        return DeepDeveloper(info)(first, orientation_of(first)), shown


def greys(levels: np.ndarray, bits: int = 10) -> list[np.ndarray]:
    """Planes of a limited-range ramp: every grey level (0..1) over 4 x 4 pixels."""
    luma = np.rint((16 + 219 * levels) * 2 ** (bits - 8)).astype(np.uint16)
    luma = np.tile(luma.repeat(4), (8, 1))
    chroma = np.full((4, luma.shape[1] // 2), 1 << (bits - 1), np.uint16)
    return [luma, chroma, chroma.copy()]


def hdr_clip(path: Path, planes: list[np.ndarray], *, trc: int, primaries: int = BT2020, bits: int = 10) -> Path:
    return write_planes(
        path,
        planes,
        pix_fmt=f"yuv420p{bits}le",
        frames=3,
        colorspace=BT2020,
        color_range=LIMITED,
        color_primaries=primaries,
        color_trc=trc,
    )


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT709, BT2020])
@pytest.mark.parametrize(
    ("pix_fmt", "bits", "step"),
    [
        ("yuv420p", 8, (2, 2)),
        ("yuv444p", 8, (1, 1)),
        ("yuv420p10le", 10, (2, 2)),
        ("yuv422p10le", 10, (2, 1)),
        ("yuv440p10le", 10, (1, 2)),
        ("yuv422p12le", 12, (2, 1)),
        ("yuv444p16le", 16, (1, 1)),
    ],
)
def test_colours_match_the_definition_to_a_fraction_of_a_16_bit_level(
    tmp_path: Path, pix_fmt: str, bits: int, step: tuple[int, int], matrix: int, full: bool
) -> None:
    planes, middle = flat_chroma_planes(bits, step, full)
    clip = write_planes(
        tmp_path / "p.mkv", planes, pix_fmt=pix_fmt, colorspace=matrix, color_range=FULL if full else LIMITED
    )
    deep, shown = developed(clip)
    error = deep - exact_rgb(enlarged(planes, step), bits, matrix, full) * 257
    assert np.abs(error[middle]).max() < 0.75 < TENTH_BIT_CODE / 2
    assert np.abs(reduced(deep).astype(int) - shown)[middle].max() <= 1


@pytest.mark.parametrize(("pix_fmt", "worst"), [("yuv444p", 0.6), ("yuv422p", 1.6), ("yuv420p", 2.0)])
def test_8_bit_video_agrees_with_its_8_bit_pixels(pix_fmt: str, worst: float) -> None:
    """What is left is the 8-bit path's rounding: of the result and, where chroma is enlarged, of chroma too."""
    rng = np.random.default_rng(2)
    frame = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(rng.integers(40, 215, (48, 64, 3)).astype(np.uint8), "rgb24"), format=pix_fmt
    )
    tags = ColorTags("bt709", "limited", "bt709", "bt709", guessed=False)
    difference = DeepConverter(tags)(frame) / 257 - RgbConverter(tags)(frame)
    assert np.abs(difference).max() < worst
    assert abs(difference.mean()) < 0.1


def test_every_10_bit_level_comes_out_as_one_of_its_own(tmp_path: Path) -> None:
    codes = np.arange(64, 941)
    clip = write_planes(
        tmp_path / "ramp.mkv",
        greys((codes / 4 - 16) / 219),
        pix_fmt="yuv420p10le",
        colorspace=BT709,
        color_range=LIMITED,
    )
    deep, _ = developed(clip)
    row = deep[4, ::4].astype(int)
    assert np.abs(row - (codes[:, None] - 64) / 876 * 65535).max() <= 0.52
    assert len(np.unique(row[:, 0])) == 877


SORTED = ["nv12", "yuyv422", "uyvy422", "p010le", "p210le", "y210le", "xv30le", "yuv420p10be", "yuv444p12be"]


@pytest.mark.parametrize("name", SORTED)
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_packed_video_is_the_planar_one_sorted_otherwise(name: str, color_range: int) -> None:
    planar = {"yuyv422": "yuv422p", "uyvy422": "yuv422p", "nv12": "yuv420p", "p010le": "yuv420p10le"}
    planar |= {"p210le": "yuv422p10le", "y210le": "yuv422p10le", "xv30le": "yuv444p10le"}
    source = av.VideoFrame.from_ndarray(picture(64, 48), "rgb24")
    ranges = {"dst_color_range": color_range, "dst_colorspace": BT709}
    ordered = VideoReformatter().reformat(source, format=planar.get(name, name.replace("be", "le")), **ranges)
    packed = VideoReformatter().reformat(
        ordered, format=name, src_color_range=color_range, src_colorspace=BT709, **ranges
    )
    tags = ColorTags("bt709", "full" if color_range == FULL else "limited", "bt709", "bt709", guessed=False)
    np.testing.assert_array_equal(DeepConverter(tags)(packed), DeepConverter(tags)(ordered))


@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("gbrp", 8), ("gbrp10le", 10), ("gbrp12le", 12), ("gbrp16le", 16), ("gbrap10le", 10)]
)
def test_planar_rgb_keeps_every_level(pix_fmt: str, bits: int) -> None:
    rng = np.random.default_rng(4)
    frame = av.VideoFrame(64, 48, pix_fmt)
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = [rng.integers(0, 1 << bits, (48, plane.line_size // dtype().itemsize)) for plane in frame.planes]
    for plane, codes in zip(frame.planes, planes, strict=True):
        plane.update(codes.astype(dtype).tobytes())
    tags = resolve_tags(matrix=0, color_range=FULL, primaries=1, trc=1, pix_fmt=pix_fmt, height_px=48)
    assert tags is not None
    green, blue, red = (codes[:, :64] / ((1 << bits) - 1) * 65535 for codes in planes[:3])
    assert np.abs(DeepConverter(tags)(frame) - np.stack([red, green, blue], -1)).max() <= 0.5


@pytest.mark.parametrize(("pix_fmt", "order"), [("rgb48le", (0, 1, 2)), ("bgr48be", (2, 1, 0)), ("rgba64be", None)])
def test_interleaved_rgb_of_16_bits_is_taken_as_it_is(pix_fmt: str, order: tuple[int, ...] | None) -> None:
    rng = np.random.default_rng(4)
    channels = 4 if order is None else 3
    codes = rng.integers(0, 65536, (48, 64, channels)).astype(np.uint16)
    frame = av.VideoFrame(64, 48, pix_fmt)
    row = np.zeros((48, frame.planes[0].line_size // 2), ">u2" if pix_fmt.endswith("be") else "<u2")
    row[:, : 64 * channels] = codes.reshape(48, -1)
    frame.planes[0].update(row.tobytes())
    tags = resolve_tags(matrix=0, color_range=FULL, primaries=1, trc=1, pix_fmt=pix_fmt, height_px=48)
    assert tags is not None
    np.testing.assert_array_equal(DeepConverter(tags)(frame), codes[..., list(order or (0, 1, 2))])


@pytest.mark.parametrize("pix_fmt", ["rgb24", "bgra", "pal8", "ya8", "yvyu422", "rgb565le"])
def test_other_8_bit_video_is_its_8_bit_pixels(pix_fmt: str) -> None:
    source = av.VideoFrame.from_ndarray(picture(64, 48), "rgb24")
    if pix_fmt == "pal8":
        frame = av.VideoFrame(64, 48, "pal8")
        for plane in frame.planes:
            plane.update(np.random.default_rng(0).integers(0, 256, plane.buffer_size).astype(np.uint8).tobytes())
    else:
        frame = VideoReformatter().reformat(source, format=pix_fmt)
    tags = resolve_tags(matrix=1, color_range=LIMITED, primaries=1, trc=1, pix_fmt=pix_fmt, height_px=48)
    assert tags is not None
    np.testing.assert_array_equal(DeepConverter(tags)(frame), RgbConverter(tags)(frame).astype(np.uint16) * 257)


@pytest.mark.parametrize(("pix_fmt", "color_range"), [("gray", FULL), ("gray10le", FULL), ("gray10le", LIMITED)])
def test_grey_video_keeps_its_levels(tmp_path: Path, pix_fmt: str, color_range: int) -> None:
    bits = 8 if pix_fmt == "gray" else 10
    codes = np.tile(np.arange(1 << bits), (16, 1)).astype(np.uint8 if bits == 8 else np.uint16)
    clip = write_planes(tmp_path / "g.mkv", [codes], pix_fmt=pix_fmt, color_range=color_range)
    deep, shown = developed(clip)
    low, span = (0, (1 << bits) - 1) if color_range == FULL else (64, 876)
    assert np.abs(deep[8, :, 1] - ((codes[8] - float(low)) / span).clip(0, 1) * 65535).max() <= 0.5
    np.testing.assert_array_equal(reduced(deep), shown)


def test_frames_come_upright_in_square_pixels(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "t.mp4", frames=1, size=(64, 48), pix_fmt="yuv420p10le", rotation=90, pixel_aspect=Fraction(3, 2)
    )
    deep, shown = developed(clip)
    assert deep.shape == shown.shape
    assert deep.dtype == np.uint16
    assert np.abs(reduced(deep).astype(int) - shown).max() <= 1
    assert deep.shape == (96, 48, 3)


def test_a_picture_of_another_size_is_named_as_damage(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "c.mp4", frames=1)
    with VideoReader(clip) as reader:
        develop = DeepDeveloper(reader.info)
    other = VideoReformatter().reformat(av.VideoFrame.from_ndarray(picture(64, 48), "rgb24"), format="yuv420p")
    smaller = VideoReformatter().reformat(other, width=32, height=24)
    assert develop(smaller, orientation_of(smaller)).shape == (48, 64, 3), "as `Developer`: scaled to the clip's size"
    with pytest.raises(UserError, match="changes its picture size"):
        develop(other, orientation_of(other).__class__(transpose=True))


@pytest.mark.parametrize(("trc", "white"), [(PQ, float(pq_signal(np.array(203.0)))), (HLG, 0.75)])
def test_hdr_is_tone_mapped_when_that_is_asked_for(tmp_path: Path, trc: int, white: float) -> None:
    levels = np.linspace(0, 1, 200)
    levels[100] = white
    clip = hdr_clip(tmp_path / "h.mkv", greys(np.sort(levels)), trc=trc)
    with pytest.raises(UserError, match="is HDR video") as refused:
        VideoReader(clip)
    assert "--hdr tone-map" in str(refused.value.hint)
    deep, shown = developed(clip, hdr="tone-map")
    np.testing.assert_array_equal(reduced(deep), shown)
    row = deep[4, ::4].astype(int)
    assert np.ptp(row, axis=1).max() <= 1, "grey stays grey"
    assert np.all(np.diff(row[:, 0]) >= 0)
    assert row[0, 0] == 0
    assert row[-1, 0] == 65535
    at_white = row[int(np.argmin(np.abs(np.sort(levels) - white))), 0] / 257
    assert at_white == pytest.approx(230.4, abs=1)


def test_the_index_and_the_seeker_take_hdr_only_when_asked(tmp_path: Path) -> None:
    clip = hdr_clip(tmp_path / "h.mkv", greys(np.linspace(0.2, 0.8, 16)), trc=PQ)
    with pytest.raises(UserError, match="PQ"):
        read_index(clip)
    index = read_index(clip, hdr="tone-map")
    with pytest.raises(UserError, match="PQ"):
        FrameSeeker(clip, index)
    seeker = FrameSeeker(clip, index, hdr="tone-map")
    found = seeker.decoded_at(index.pts_at(2))
    deep = DeepDeveloper(seeker.info)(found.picture, found.orientation)
    np.testing.assert_array_equal(reduced(deep), seeker.frame_of(found).pixels)
    seeker.close()


@pytest.mark.parametrize(
    ("params", "peak"),
    [
        ("max-cll=1600,400:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)", 1600),
        ("master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)", 4000),
        ("max-cll=1,1", None),
        ("hdr10=0", None),
    ],
)
def test_the_peak_is_what_the_file_says(tmp_path: Path, params: str, peak: float | None) -> None:
    clip = tmp_path / "peak.mkv"
    with av.open(str(clip), "w") as target:
        options = {"preset": "ultrafast", "x265-params": f"log-level=none:bframes=0:{params}"}
        stream = target.add_stream("libx265", rate=25, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = 64, 64, "yuv420p10le"
        context.color_trc, context.color_primaries, context.colorspace = PQ, BT2020, BT2020
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(picture(64, 64), "rgb24").reformat(format="yuv420p10le")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    with VideoReader(clip, hdr="tone-map") as reader:
        assert reader.info.color.peak_nits == peak
        assert reader.info.color.is_hdr


def test_sdr_with_the_primaries_of_bt2020_becomes_bt709(tmp_path: Path) -> None:
    """BT.709's red in terms of BT.2020, 0.6274 0.0691 0.0164 of light, comes out as red."""
    red = np.array([0.6274, 0.0691, 0.0164]) ** (1 / 2.4)
    luma = red @ (0.2627, 0.6780, 0.0593)
    blue_difference, red_difference = (red[2] - luma) / 1.8814, (red[0] - luma) / 1.4746
    values = (luma * 876 + 64, blue_difference * 896 + 512, red_difference * 896 + 512)
    shapes = ((16, 32), (8, 16), (8, 16))
    planes = [np.full(shape, round(v), np.uint16) for shape, v in zip(shapes, values, strict=True)]
    deep, shown = developed(hdr_clip(tmp_path / "wide.mkv", planes, trc=SDR))
    np.testing.assert_array_equal(reduced(deep), shown)
    assert shown[8, 8, 0] >= 254
    assert (shown[8, 8, 1:] / 255) ** 2.4 == pytest.approx(0, abs=2e-3)
    as_it_is, _ = developed(hdr_clip(tmp_path / "matrix.mkv", planes, trc=SDR, primaries=1))
    np.testing.assert_allclose(as_it_is[8, 8] / 65535, red, atol=2e-3)


def test_8_bit_video_with_the_primaries_of_bt2020_is_converted_too(tmp_path: Path) -> None:
    green = [np.full((16, 32), 150, np.uint8), np.full((8, 16), 115, np.uint8), np.full((8, 16), 112, np.uint8)]
    tags = {"colorspace": BT2020, "color_range": LIMITED, "color_trc": SDR}
    shots = [
        developed(write_planes(tmp_path / f"{p}.mkv", green, pix_fmt="yuv420p", color_primaries=p, **tags))
        for p in (1, BT2020)
    ]
    np.testing.assert_array_equal(reduced(shots[1][0]), shots[1][1])
    assert shots[1][1][8, 8, 0] < shots[0][1][8, 8, 0], "as saturated in a smaller gamut"
    assert shots[1][1][8, 8, 1] > shots[0][1][8, 8, 1]


def test_only_what_has_to_be_converted_leaves_the_fast_path() -> None:
    def converted(primaries: str, trc: str) -> bool:
        return ColorTags("bt709", "limited", primaries, trc, guessed=False).is_converted

    assert not any(converted(p, "bt709") for p in ("bt709", "unspecified", "smpte170m", "bt470bg", "smpte432"))
    assert not converted("bt709", "iec61966_2_1")
    assert converted("bt2020", "bt2020_10")
    assert converted("unspecified", "arib_std_b67")
