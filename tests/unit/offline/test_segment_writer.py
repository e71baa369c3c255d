from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.codeccontext import VideoCodecContext

from app.domain import compiled
from app.domain.errors import ExitCode, UserError
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.offline.assembling import Assembly, Part, assemble
from app.pipeline.offline.encoder_choice import EncoderChoice, choose_encoder
from app.pipeline.offline.encoder_frames import FramePacker, levels
from app.pipeline.offline.formats import FORMATS, Encoding, FormatName
from app.pipeline.offline.segment_writer import SegmentWriter
from app.pipeline.offline.sinks import Picture
from tests.unit.offline.test_encoder_choice import CASES, Case
from tests.unit.pipeline.test_video_disk import run_child

RATE = Fraction(30000, 1001)
TICK = Fraction(1, 90000)
FLAT = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (128, 128, 128), (200, 150, 120), (17, 99, 203)]
ODD = (67, 45)
LEAST_DNXHR = (257, 121)
ALL = [case for case, _, _ in CASES]

Floats = npt.NDArray[np.float64]


def chosen(
    case: Case, size: tuple[int, int] = ODD, *, gray: bool = False, full_range: bool = False, crf: int | None = None
) -> EncoderChoice:
    name, depth, alpha = case
    encoding = Encoding(name, depth=depth, alpha=alpha, full_range=full_range, crf=crf)
    return choose_encoder(
        encoding,
        depth=depth,
        size=size,
        rate=RATE,
        container_suffix=FORMATS[name].suffixes[0],
        content_is_gray=gray,
    )


def writer(path: Path, choice: EncoderChoice, size: tuple[int, int] = ODD) -> SegmentWriter:
    return SegmentWriter(path.with_suffix(choice.segment_suffix), choice=choice, size=size, time_base=TICK, rate=RATE)


def write(path: Path, choice: EncoderChoice, pictures: list[Any]) -> Path:
    height, width = pictures[0].shape[:2]
    target = writer(path, choice, (width, height))
    for index, picture in enumerate(pictures):
        target.append(picture, pts=index * 3003, number=index)
    target.close()
    assert target.frames_written == len(pictures)
    return path.with_suffix(choice.segment_suffix)


def decoded(path: Path) -> list[av.VideoFrame]:
    """Every picture, alpha of VP9 too, which FFmpeg's own decoder drops."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        decoder = stream.codec_context
        if decoder.codec.canonical_name == "vp9":
            decoder = cast("VideoCodecContext", av.CodecContext.create("libvpx-vp9", "r"))
        packets = (packet for packet in source.demux(stream) if packet.size)
        return [frame for packet in (*packets, None) for frame in decoder.decode(packet)]


def planes(frame: av.VideoFrame) -> list[Floats]:
    """Its samples, plane by plane, rows cut to their length."""
    name = frame.format.name
    deep = max(component.bits for component in frame.format.components) > 8
    found = []
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(cast("Any", plane), np.uint16 if deep else np.uint8)
        per_row = plane.line_size // rows.itemsize
        rows = rows[: plane.height * per_row].reshape(plane.height, per_row)
        per_pixel = 4 if name.startswith("bgr") else 2 if name in ("nv12", "p010le") and number else 1
        found.append(rows[:, : plane.width * per_pixel].astype(np.float64))
    return found


def exact(rgb: Floats, bits: int, *, full: bool = False) -> Floats:
    """RGB 0..1 (..., 3) in YCbCr codes by BT.709 (ITU-T H.273), not rounded."""
    scale = 2 ** (bits - 8)
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722])
    blue, red = (rgb[..., 2] - luma) / 1.8556, (rgb[..., 0] - luma) / 1.5748
    if full:
        top = 2**bits - 1
        return np.stack([top * luma, 128 * scale + top * blue, 128 * scale + top * red], axis=-1)
    return scale * np.stack([16 + 219 * luma, 128 + 224 * blue, 128 + 224 * red], axis=-1)


def at_depth(picture: npt.NDArray[np.uint8], case: Case) -> Picture:
    return picture if case[1] == 8 else np.multiply(picture, 257, dtype=np.uint16)


def scene(case: Case, size: tuple[int, int], index: int = 0) -> Picture:
    """A smooth picture that moves, with a ramp as its alpha where there is one."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    layers = [160 * across + 40, 140 * down + 60, 90 + 70 * across * down + 6 * index]
    if case[2] != "none":
        layers.append(255 * across)
    return at_depth(np.round(np.stack(layers, axis=-1)).astype(np.uint8), case)


def size_for(case: Case) -> tuple[int, int]:
    return LEAST_DNXHR if case[0] == "dnxhr" else ODD


@pytest.fixture(params=["compiled", "plain"])
def kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    before = compiled.kernels()
    if request.param == "plain":
        compiled.use(None)
    else:
        assert ensure_kernels()
    yield
    compiled.use(before)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_an_odd_size_comes_back_whole_with_its_edges_repeated(tmp_path: Path, case: Case) -> None:
    width, height = size = size_for(case)
    choice = chosen(case, size)
    frames = decoded(write(tmp_path / "a", choice, [scene(case, size, k) for k in range(6)]))
    assert len(frames) == 6
    right, bottom = choice.padded
    assert (frames[0].width, frames[0].height) == (width + right, height + bottom)
    if choice.padded != (0, 0):
        luma = planes(frames[3])[0]
        assert np.abs(luma[:height, width:] - luma[:height, width - 1 : width]).max(initial=0) <= 4
        assert np.abs(luma[height:] - luma[height - 1]).max(initial=0) <= 4
    shown = frames[3].to_ndarray(format="rgb24").astype(int)[:height, :width]
    wanted = scene(case, size, 3)[..., :3].astype(int) // (1 if case[1] == 8 else 257)
    assert np.abs(shown - wanted).mean() < 3


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_same_pictures_give_the_same_file(tmp_path: Path, case: Case) -> None:
    size = size_for(case)
    choice = chosen(case, size)
    pictures = [scene(case, size, k) for k in range(3)]
    one, other = (write(tmp_path / name, choice, pictures).read_bytes() for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_file_says_what_its_numbers_mean(tmp_path: Path, case: Case) -> None:
    size = size_for(case)
    path = write(tmp_path / "a", chosen(case, size), [scene(case, size)])
    is_rgb = case[0] == "ffv1"
    with av.open(str(path)) as source:
        for said in (source.streams.video[0].codec_context, next(source.decode(video=0))):
            assert (said.colorspace, said.color_range) == ((0, 2) if is_rgb else (1, 1))
            assert (said.color_primaries, said.color_trc) == (1, 1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p10le", "nv12", "p010le"]
)
@pytest.mark.usefixtures("kernels")
def test_colours_before_the_encoder_are_exact(pix_fmt: str, full: bool, bits: int) -> None:
    """Within half a code, chroma a trifle more where it is a mean; noise, so every pixel is another colour."""
    dtype: Any = np.uint8 if bits == 8 else np.uint16
    picture = np.random.default_rng(1).integers(0, 2**bits, (48, 96, 3), dtype)
    picture[:2, :2], picture[2:4, :2], picture[4:6, :2] = 0, 2**bits - 1, [0, 0, 2**bits - 1]
    depth = 10 if "10" in pix_fmt else 8
    found = planes(FramePacker(pix_fmt, full_range=full).frame(picture))
    if pix_fmt == "p010le":
        found = [plane / 64 for plane in found]
    if len(found) == 2:
        found = [found[0], found[1][:, 0::2], found[1][:, 1::2]]
    codes = exact(picture / (2**bits - 1), depth, full=full)
    down, across = (48 // found[1].shape[0], 96 // found[1].shape[1])
    means = codes.reshape(48 // down, down, 96 // across, across, 3).mean((1, 3))
    top = 2**depth - 1
    assert np.abs(found[0] - codes[..., 0]).max() < 0.51
    for plane, channel in ((found[1], 1), (found[2], 2)):
        assert np.abs(plane - np.clip(means[..., channel], 0, top)).max() < 0.53


@pytest.mark.parametrize(
    "case",
    [("prores422", 10, "none"), ("prores4444", 10, "none"), ("prores4444", 10, "straight"), ("dnxhr", 10, "none")],
)
def test_flat_colours_of_editing_formats_come_back_within_a_code_of_ten_bits(tmp_path: Path, case: Case) -> None:
    size = (272, 128)
    pictures = []
    for colour in FLAT:
        picture = np.full((128, 272, 4 if case[2] != "none" else 3), 255, np.uint8)
        picture[..., :3] = colour
        pictures.append(at_depth(picture, case))
    frames = decoded(write(tmp_path / "a", chosen(case, size), pictures))
    for colour, frame in zip(FLAT, frames, strict=True):
        bits = max(component.bits for component in frame.format.components)
        codes = exact(np.array(colour) / 255, bits) / 2 ** (bits - 10)
        for plane, code in zip(planes(frame)[:3], codes, strict=True):
            assert np.abs(plane / 2 ** (bits - 10) - code).max() <= 1


@pytest.mark.parametrize(
    ("case", "full"),
    [
        (("h264", 8, "none"), False),
        (("h264", 8, "none"), True),
        (("hevc", 8, "none"), False),
        (("hevc", 8, "none"), True),
        (("vp9", 8, "none"), False),
        (("vp9", 8, "none"), True),
        (("dnxhr", 8, "none"), False),
    ],
    ids=str,
)
def test_flat_colours_of_8_bits_come_back(tmp_path: Path, case: Case, full: bool) -> None:
    colour = (200, 150, 120)
    choice = chosen(case, (272, 128), full_range=full)
    frame = decoded(write(tmp_path / "a", choice, [np.full((128, 272, 3), colour, np.uint8)]))[0]
    assert frame.color_range == (2 if full else 1)
    for plane, code in zip(planes(frame), exact(np.array(colour) / 255, 8, full=full), strict=True):
        assert np.abs(plane - code).max() <= 1


RAMP = np.tile(np.arange(256, dtype=np.uint8), (128, 1))


@pytest.mark.parametrize(
    ("case", "tolerance"), [(("vp9", 8, "straight"), 3.0), (("prores4444", 10, "straight"), 0.2)], ids=str
)
def test_lossy_alpha_survives(tmp_path: Path, case: Case, tolerance: float) -> None:
    """Tolerance in levels of 8 bits; transparent and opaque stay just that."""
    matte = np.clip(RAMP.astype(int) * 2 - 128, 0, 255).astype(np.uint8)
    picture = at_depth(np.dstack([np.full((128, 256, 3), (180, 90, 40), np.uint8), matte]), case)
    for frame in decoded(write(tmp_path / "a", chosen(case, (256, 128)), [picture] * 3)):
        assert frame.format.name.startswith("yuva")
        top = 2 ** max(component.bits for component in frame.format.components) - 1
        alpha = planes(frame)[3] / top * 255
        assert np.abs(alpha - matte).max() <= tolerance
        assert (alpha[:, :48] == 0).all()
        assert (alpha[:, -48:] == 255).all()


def test_colours_stay_good_where_alpha_is_fine(tmp_path: Path) -> None:
    """Hair: prores_ks held to a rate takes the bits for it from the colours, down to 29 dB."""
    rng = np.random.default_rng(4)
    size, case = (512, 128), cast("Case", ("prores4444", 10, "straight"))
    colours = np.clip(np.linspace(60, 200, 512)[None, :, None] + rng.normal(0, 4, (128, 512, 3)), 0, 255)
    alpha = np.where(np.arange(512) < 256, rng.integers(0, 256, (128, 512)), 255)
    picture = at_depth(np.dstack([colours, alpha]).astype(np.uint8), case)
    path = write(tmp_path / "a", chosen(case, size), [picture])
    luma = planes(decoded(path)[0])[0] / 4
    wanted = exact(picture[..., :3] / 65535, 10)[..., 0]
    assert 10 * np.log10(1023**2 / np.mean((luma - wanted) ** 2)) > 50
    assert path.stat().st_size < 512 * 128 * 2.5


@pytest.mark.parametrize("case", [case for case in ALL if case[0] == "ffv1"], ids=str)
def test_an_archive_has_every_sample(tmp_path: Path, case: Case) -> None:
    _, depth, alpha = case
    channels = 4 if alpha != "none" else 3
    dtype: Any = np.uint8 if depth == 8 else np.uint16
    codes = np.random.default_rng(2).integers(0, 2**depth, (45, 67, channels)).astype(np.uint32)
    # As a source of ten bits comes: spread over sixteen by repeating the upper bits.
    picture = (codes if depth != 10 else codes << 6 | codes >> 4).astype(dtype)
    frame = decoded(write(tmp_path / "a", chosen(case), [picture]))[0]
    found = planes(frame)
    if depth == 8:
        samples = found[0].reshape(45, 67, 4)[..., [2, 1, 0, 3][:channels]]
    else:
        samples = np.stack([found[k] for k in (2, 0, 1, 3)[:channels]], axis=-1)
    np.testing.assert_array_equal(samples, codes)


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_a_grey_archive_has_every_level(tmp_path: Path, depth: Any) -> None:
    codes = np.arange(45 * 67, dtype=np.uint32).reshape(45, 67) * 21 % 2**depth
    picture = {8: codes, 10: codes << 6 | codes >> 4, 16: codes}[depth].astype(np.uint8 if depth == 8 else np.uint16)
    choice = chosen(("ffv1", depth, "none"), gray=True)
    np.testing.assert_array_equal(planes(decoded(write(tmp_path / "a", choice, [picture]))[0])[0], codes)


@pytest.mark.parametrize(
    ("case", "full"),
    [
        (("h264", 8, "none"), False),
        (("h264", 8, "none"), True),
        (("hevc", 10, "none"), False),
        (("hevc", 10, "none"), True),
        (("vp9", 8, "none"), False),
        (("vp9", 8, "none"), True),
        (("prores422", 10, "none"), False),
        (("dnxhr", 8, "none"), False),
    ],
    ids=str,
)
def test_a_matte_is_luma_without_colour(tmp_path: Path, case: Case, full: bool) -> None:
    choice = chosen(case, (256, 128), gray=True, full_range=full, crf=1 if case[0] in ("h264", "hevc", "vp9") else None)
    frame = decoded(write(tmp_path / "a", choice, [at_depth(RAMP, case)]))[0]
    luma, *chroma = planes(frame)
    bits = max(component.bits for component in frame.format.components)
    wanted = exact(np.repeat(RAMP[..., None] / 255, 3, axis=-1), bits, full=full)[..., 0]
    assert np.abs(luma - wanted).max() <= 2 * 2 ** (bits - 8)
    for plane in chroma:
        assert (plane == 128 * 2 ** (bits - 8)).all()


def test_a_16_bit_picture_in_8_bits_is_rounded_and_the_other_way_round_is_spread() -> None:
    deep = np.array([[0, 128, 129, 32767, 65535]], np.uint16)
    np.testing.assert_array_equal(levels(deep, 8), [[0, 0, 1, 127, 255]])
    np.testing.assert_array_equal(levels(np.array([[0, 1, 128, 255]], np.uint8), 10), [[0, 4, 514, 1023]])
    np.testing.assert_array_equal(levels(np.array([[0, 1, 255]], np.uint8), 16), [[0, 257, 65535]])


def test_an_odd_size_in_ten_bits_needs_no_padding_of_its_own() -> None:
    picture = np.full((45, 67, 3), (200, 10, 90), np.uint8)
    frame = FramePacker("yuv420p10le").frame(picture)
    luma, blue, red = planes(frame)
    assert (luma.shape, blue.shape, red.shape) == ((45, 67), (23, 34), (23, 34))
    assert len(np.unique(blue)) == len(np.unique(red)) == 1


def muxed(case: Case) -> Iterator[str]:
    form = FORMATS[case[0]]
    yield from (suffix for suffix in form.suffixes if case[2] == "none" or suffix in form.alpha_suffixes)


@pytest.mark.parametrize(("case", "suffix"), [(case, suffix) for case in ALL for suffix in muxed(case)], ids=str)
def test_every_container_of_the_table_takes_segments_as_they_are(tmp_path: Path, case: Case, suffix: str) -> None:
    """Two segments encoded apart become one file: every picture in its place and at its time, alpha too."""
    size, times = size_for(case), [0, 3003, 7000, 9009, 12012, 17000, 18018, 21021]
    choice = replace(chosen(case, size), codec_tag="hvc1" if case[0] == "hevc" and suffix != ".mkv" else None)
    pictures = [scene(case, size, k) for k in range(8)]
    parts = [
        Part(write(tmp_path / f"part{start}", choice, pictures[start : start + 4]), tuple(times[start : start + 4]))
        for start in (0, 4)
    ]
    output = tmp_path / f"whole{suffix}"
    assemble(parts, Assembly(output, time_base=TICK, rate=RATE, codec_tag=choice.codec_tag))
    whole, apart = decoded(output), [frame for part in parts for frame in decoded(part.path)]
    assert len(whole) == 8
    for frame, original in zip(whole, apart, strict=True):
        assert frame.format.name == original.format.name
        for plane, before in zip(planes(frame), planes(original), strict=True):
            np.testing.assert_array_equal(plane, before)
    with av.open(str(output)) as source:
        stream = source.streams.video[0]
        shown = sorted(p.pts * stream.time_base for p in source.demux(stream) if p.size and p.pts is not None)
    exactly = 0 if suffix in (".mp4", ".m4v", ".mov") else Fraction(1, 2000)
    assert all(abs(s - ticks * TICK) <= exactly for s, ticks in zip(shown, times, strict=True))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("prores422", ".mp4"), ("dnxhr", ".mkv"), ("vp9", ".mov"), ("av1", ".mov"), ("h264", ".webm"), ("ffv1", ".mov")],
)
def test_what_the_table_leaves_out_can_not_be_had(tmp_path: Path, name: FormatName, suffix: str) -> None:
    case = next(case for case in ALL if case[0] == name)
    size = size_for(case)
    part = Part(write(tmp_path / "part", chosen(case, size), [scene(case, size)]), (0,))
    with pytest.raises(UserError):
        assemble([part], Assembly(tmp_path / f"whole{suffix}", time_base=TICK, rate=RATE))


def test_times_that_matroska_would_round_together_stay_apart(tmp_path: Path) -> None:
    choice = chosen(("h264", 8, "none"), (64, 48))
    path = tmp_path / "a.mkv"
    target = SegmentWriter(path, choice=choice, size=(64, 48), time_base=Fraction(1, 10**6), rate=Fraction(10**5))
    for index in range(20):
        target.append(np.full((48, 64, 3), 10 * index, np.uint8), pts=index * 10, number=index)
    target.close()
    with av.open(str(path)) as source:
        pts = [packet.pts for packet in source.demux(video=0) if packet.size]
    assert len(set(pts)) == 20


def test_where_a_segment_lies_does_not_change_its_bytes(tmp_path: Path) -> None:
    choice = chosen(("h264", 8, "none"), (64, 48))
    files = []
    for start in (0, 900_000):
        target = writer(tmp_path / str(start), choice, (64, 48))
        for index in range(5):
            target.append(np.full((48, 64, 3), 40 * index, np.uint8), pts=start + index * 3003, number=start + index)
        target.close()
        files.append((tmp_path / f"{start}.mkv").read_bytes())
    assert files[0] == files[1]


def test_pictures_of_another_kind_are_refused(tmp_path: Path) -> None:
    target = writer(tmp_path / "a", chosen(("h264", 8, "none")))
    good = np.zeros((45, 67, 3), np.uint8)
    target.append(good, pts=5, number=0)
    for wrong in (good[:40], good[..., 0], np.zeros((45, 67, 4), np.uint8), good.astype(np.float32)):
        with pytest.raises(ValueError, match="the writer takes"):
            target.append(cast("Any", wrong), pts=6, number=1)
    with pytest.raises(ValueError, match="not later"):
        target.append(good, pts=5, number=1)
    target.append(good, pts=6, number=1)
    target.close()
    assert target.frames_written == 2
    with pytest.raises(ValueError, match="closed"):
        target.append(good, pts=7, number=2)


def test_the_writer_leaves_the_callers_memory_alone(tmp_path: Path) -> None:
    for case in (("ffv1", 8, "none"), ("ffv1", 16, "none")):
        choice = chosen(cast("Case", case), gray=True)
        dtype: Any = np.uint8 if case[1] == 8 else np.uint16
        buffer = np.empty((45, 67), dtype)
        target = writer(tmp_path / f"a{case[1]}", choice)
        for index in range(4):
            buffer[:] = 50 * index
            target.append(buffer, pts=index, number=index)
        target.close()
        frames = decoded(tmp_path / f"a{case[1]}.mkv")
        assert [planes(frame)[0][7, 7] for frame in frames] == [0, 50, 100, 150]


def test_views_and_read_only_pictures_are_taken(tmp_path: Path) -> None:
    choice = chosen(("ffv1", 8, "straight"))
    picture = np.random.default_rng(3).integers(0, 256, (45, 67, 4), np.uint8)
    mirrored = picture[:, ::-1]
    mirrored.setflags(write=False)
    samples = planes(decoded(write(tmp_path / "a", choice, [mirrored]))[0])[0].reshape(45, 67, 4)
    np.testing.assert_array_equal(samples[..., [2, 1, 0, 3]], picture[:, ::-1])


def test_nothing_has_the_name_before_it_is_whole(tmp_path: Path) -> None:
    target = writer(tmp_path / "a", chosen(("h264", 8, "none")))
    target.append(np.zeros((45, 67, 3), np.uint8), pts=0, number=0)
    assert not (tmp_path / "a.mkv").exists()
    target.abort()
    target.abort()
    target.close()
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_shows_nothing_is_a_file_all_the_same(tmp_path: Path) -> None:
    for name in ("h264", "prores422"):
        case = next(case for case in ALL if case[0] == name)
        target = writer(tmp_path / name, chosen(case))
        target.close()
        assert target.frames_written == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h264.mkv", "prores422.mov"]


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"old")
    target = writer(tmp_path / "a", chosen(("ffv1", 8, "none")))
    target.append(np.zeros((45, 67, 3), np.uint8), pts=0, number=0)
    assert (tmp_path / "a.mkv").read_bytes() == b"old"
    target.close()
    target.close()
    assert len(decoded(tmp_path / "a.mkv")) == 1


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        writer(tmp_path / "none" / "a", chosen(("h264", 8, "none")))
    assert caught.value.code == ExitCode.OUTPUT


def test_an_encoder_that_fails_by_now_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    choice = replace(chosen(("dnxhr", 8, "none"), (256, 144)), padded=(0, 0))
    with pytest.raises(UserError, match="dnxhd") as caught:
        writer(tmp_path / "a", choice, (64, 64))
    assert caught.value.code == ExitCode.OUTPUT
    assert list(tmp_path.iterdir()) == []


FILL = """
    import resource, sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np
    from app.domain.errors import UserError
    from app.pipeline.offline.encoder_choice import choose_encoder
    from app.pipeline.offline.formats import Encoding
    from app.pipeline.offline.segment_writer import SegmentWriter

    choice = choose_encoder(
        Encoding(sys.argv[2]), depth=int(sys.argv[3]), size=(128, 96), rate=Fraction(25), container_suffix=".mov"
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    rng = np.random.default_rng(0)
    target = SegmentWriter(
        Path(sys.argv[1]), choice=choice, size=(128, 96), time_base=Fraction(1, 25), rate=Fraction(25)
    )
    try:
        for index in range(400):
            target.append(rng.integers(0, 256, (96, 128, 3), np.uint8), pts=index, number=index)
        target.close()
    except UserError as error:
        target.close()  # The failure is remembered: closing again must not publish the stump.
        target.abort()
        print(int(error.code), error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a limit on file sizes")
@pytest.mark.parametrize(("name", "depth", "suffix"), [("h264", 8, ".mkv"), ("prores422", 10, ".mov")])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, name: str, depth: int, suffix: str) -> None:
    path = tmp_path / f"segment{suffix}"
    result = run_child(FILL, path, name, depth)
    assert result.stderr == ""
    assert result.stdout.startswith(f"{int(ExitCode.OUTPUT)} The disk is full: “{path.name}”")
    assert list(tmp_path.iterdir()) == []
