from __future__ import annotations

import gc
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest

from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.video_geometry import Orientation, orientation_from_matrix, square_pixel_size
from app.pipeline.video_reader import VideoReader
from tests.support.media import CORNERS, concatenate, frame_times_s, truncate, write_clip

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not on this machine")


def corners(pixels: Pixels) -> dict[str, tuple[int, ...]]:
    """Colour 4 px in from each corner."""
    spots = {
        "top left": (4, 4),
        "top right": (4, -5),
        "bottom left": (-5, 4),
        "bottom right": (-5, -5),
    }
    return {name: tuple(int(v) for v in pixels[spot]) for name, spot in spots.items()}


def assert_corners(pixels: Pixels, expected: dict[str, tuple[int, int, int]]) -> None:
    for name, color in corners(pixels).items():
        np.testing.assert_allclose(color, expected[name], atol=6, err_msg=name)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
def test_every_frame_arrives_once_in_order_at_the_files_own_time(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", frames=30)
    with VideoReader(clip) as reader:
        frames = [(frame.index, frame.pts * frame.time_base) for frame in reader]
        assert reader.damaged_frames == reader.repaired_pts == 0
        assert not reader.cut_short
    assert [index for index, _ in frames] == list(range(30))
    assert [time for _, time in frames] == frame_times_s(clip)


def test_pictures_come_in_presentation_order(tmp_path: Path) -> None:
    def shade(width: int, height: int, index: int) -> Pixels:
        return np.full((height, width, 3), 20 + 8 * index, np.uint8)

    clip = write_clip(tmp_path / "order.mp4", frames=25, draw=shade)
    with VideoReader(clip) as reader:
        levels = [int(frame.pixels.mean()) for frame in reader]
    np.testing.assert_allclose(levels, [20 + 8 * i for i in range(25)], atol=2)


def test_frames_are_read_only_rgb_of_the_announced_size(tmp_path: Path) -> None:
    with VideoReader(write_clip(tmp_path / "clip.mp4")) as reader:
        frame = next(reader)
        assert frame.size == reader.info.size == (64, 48)
        assert frame.pixels.dtype == np.uint8
        assert not frame.pixels.flags.writeable
        assert_corners(frame.pixels, CORNERS)


@needs_clips
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("webcam-book", 109),
        ("webcam-sister", 87),
        ("webcam-thanks", 51),
        ("webcam-walk", 89),
    ],
)
def test_webcam_clips_are_full_range_and_complete(name: str, count: int) -> None:
    clip = CLIPS / f"{name}.mkv"
    with VideoReader(clip) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
        color = reader.info.color
    assert len(times) == count
    assert times == frame_times_s(clip)
    assert (color.range, color.matrix) == ("full", "bt601")


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotated_video_stands_upright(tmp_path: Path, rotation: int) -> None:
    def lying(width: int, height: int, index: int) -> Pixels:
        upright = np.zeros((width, height, 3) if rotation % 180 else (height, width, 3), np.uint8)
        half_h, half_w = upright.shape[0] // 2, upright.shape[1] // 2
        upright[:half_h, :half_w] = CORNERS["top left"]
        upright[:half_h, half_w:] = CORNERS["top right"]
        upright[half_h:, :half_w] = CORNERS["bottom left"]
        upright[half_h:, half_w:] = CORNERS["bottom right"]
        return np.rot90(upright, rotation // 90)

    clip = write_clip(tmp_path / "r.mp4", frames=2, size=(96, 64), draw=lying, rotation=rotation)
    with VideoReader(clip) as reader:
        assert reader.info.rotation_deg == rotation
        assert reader.info.size == ((64, 96) if rotation % 180 else (96, 64))
        for frame in reader:
            assert frame.size == reader.info.size
            assert_corners(frame.pixels, CORNERS)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_agrees_with_opencvs_own_reading(tmp_path: Path, rotation: int) -> None:
    clip = write_clip(tmp_path / "r.mp4", frames=1, rotation=rotation)
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    _, theirs = capture.read()
    capture.release()
    with VideoReader(clip) as reader:
        ours = next(reader).pixels
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs[..., ::-1]).mean() < 4


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ((1, 0, 0, 1), [[1, 2], [3, 4]]),
        ((0, 1, -1, 0), [[3, 1], [4, 2]]),  # what phones write for an upright shot: 90 degrees clockwise
        ((-1, 0, 0, -1), [[4, 3], [2, 1]]),
        ((0, -1, 1, 0), [[2, 4], [1, 3]]),
        ((-1, 0, 0, 1), [[2, 1], [4, 3]]),
        ((1, 0, 0, -1), [[3, 4], [1, 2]]),
        ((0, 1, 1, 0), [[1, 3], [2, 4]]),
        ((0, -1, -1, 0), [[4, 2], [3, 1]]),
    ],
)
def test_all_eight_display_matrices(rows: tuple[int, int, int, int], shown: list[list[int]]) -> None:
    a, b, c, d = (value * 65536 for value in rows)
    matrix = struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    picture = np.repeat(np.array([[1, 2], [3, 4]], np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(orientation_from_matrix(matrix).apply(picture)[..., 0], shown)


def test_an_upright_picture_is_not_copied() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    assert Orientation().apply(picture) is picture


@pytest.mark.parametrize(
    ("stored", "aspect", "shown"),
    [
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((720, 480), Fraction(8, 9), (720, 540)),
        ((720, 480), Fraction(32, 27), (854, 480)),
        ((1440, 1080), Fraction(4, 3), (1920, 1080)),
        ((640, 480), Fraction(1), (640, 480)),
        ((853, 480), Fraction(1281, 1280), (854, 480)),
        ((64, 48), Fraction(1, 1000), (64, 48)),
        ((1, 1), Fraction(2), (2, 1)),
    ],
)
def test_pixels_become_square_without_losing_any(
    stored: tuple[int, int], aspect: Fraction, shown: tuple[int, int]
) -> None:
    assert square_pixel_size(*stored, aspect) == shown


def test_non_square_pixels_are_evened_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "sar.mp4", frames=2, size=(72, 48), pixel_aspect=Fraction(4, 3))
    with VideoReader(clip) as reader:
        assert reader.info.size == (96, 48)
        assert reader.info.pixel_aspect == Fraction(4, 3)
        for frame in reader:
            assert frame.size == (96, 48)
            assert_corners(frame.pixels, CORNERS)


def test_non_square_pixels_turn_with_the_picture(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "sar.mp4", frames=1, size=(72, 48), pixel_aspect=Fraction(4, 3), rotation=90)
    with VideoReader(clip) as reader:
        assert next(reader).size == reader.info.size == (48, 96)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (63, 47), (2, 2)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p"])
def test_odd_and_one_pixel_sizes(tmp_path: Path, size: tuple[int, int], pix_fmt: str) -> None:
    clip = write_clip(tmp_path / "odd.mkv", codec="libvpx-vp9", pix_fmt=pix_fmt, size=size, frames=3)
    with VideoReader(clip) as reader:
        frames = list(reader)
    assert [frame.size for frame in frames] == [size] * 3


def test_odd_size_keeps_its_last_row_and_column(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "odd.mkv", codec="ffv1", size=(63, 47), frames=1)
    with VideoReader(clip) as reader:
        assert_corners(next(reader).pixels, CORNERS)


@pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000)])
def test_variable_frame_rate_times_are_kept(tmp_path: Path, time_base: Fraction) -> None:
    pts = [7, 8, 11, 12, 40, 41, 43, 90]
    clip = write_clip(tmp_path / "vfr.mp4", pts=pts, time_base=time_base, rate=30)
    with VideoReader(clip) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
        assert reader.info.start_pts * reader.info.time_base == times[0]
    assert times == [p * time_base for p in pts]


def test_a_size_change_midway_is_scaled_to_the_first_size(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / "a.ts", frames=5),
        write_clip(tmp_path / "b.ts", frames=4, size=(96, 80)),
    ]
    with VideoReader(concatenate(tmp_path / "ab.ts", parts)) as reader:
        frames = list(reader)
        assert reader.resized_frames == 4
    assert [frame.size for frame in frames] == [(64, 48)] * 9
    assert_corners(frames[-1].pixels, CORNERS)


def test_a_clock_that_jumps_back_goes_on_by_frame_steps(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{i}.ts", frames=10) for i in range(2)]
    with VideoReader(concatenate(tmp_path / "spliced.ts", parts)) as reader:
        pts = [frame.pts for frame in reader]
        step = reader.info.frame_step
        assert reader.repaired_pts == 10
    assert np.diff(pts).tolist() == [step] * 19


def test_repaired_times_do_not_pile_up_at_one_tick(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{i}.ts", frames=10) for i in range(2)]
    with VideoReader(concatenate(tmp_path / "spliced.ts", parts)) as reader:
        frames = list(reader)
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(19 / 25)


def test_a_limit_on_frames_stops_there(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=12)
    with VideoReader(clip, max_frames=5) as reader:
        assert len(list(reader)) == 5
    with VideoReader(clip, max_frames=50) as reader:
        assert len(list(reader)) == 12


def test_closing_in_the_middle_ends_the_iteration(tmp_path: Path) -> None:
    reader = VideoReader(write_clip(tmp_path / "clip.mp4", frames=60))
    next(reader)
    reader.close()
    assert list(reader) == []
    reader.close()


def test_info_of_a_clip_with_sound(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=30, rate=Fraction(30000, 1001), audio=("aac", "aac"))
    with VideoReader(clip) as reader:
        info = reader.info
    assert info.average_rate == Fraction(30000, 1001)
    assert info.frame_count_hint == 30
    assert info.duration_s == pytest.approx(30 * 1001 / 30000)
    assert (info.codec, info.pix_fmt, info.bit_depth) == ("h264", "yuv420p", 8)
    assert info.audio_streams == 2
    assert info.frame_step * info.time_base == Fraction(1001, 30000)


def test_ten_bit_video_is_read(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "ten.mp4", pix_fmt="yuv420p10le", frames=2)
    with VideoReader(clip) as reader:
        assert reader.info.bit_depth == 10
        assert_corners(next(reader).pixels, CORNERS)


def test_the_alpha_of_a_video_is_ignored(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "alpha.mkv", codec="ffv1", pix_fmt="yuva420p", frames=1)
    with VideoReader(clip) as reader:
        assert_corners(next(reader).pixels, CORNERS)


def test_a_damaged_packet_costs_its_own_frame_only(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "jpeg.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=20)
    with av.open(str(clip)) as source:
        packets = [bytes(p) for p in source.demux(video=0) if p.size]
    data = clip.read_bytes()
    at = data.index(packets[8])
    clip.write_bytes(data[:at] + bytes(len(packets[8])) + data[at + len(packets[8]) :])
    with VideoReader(clip) as reader:
        frames = list(reader)
        assert reader.damaged_frames == 1
    assert len(frames) == 19
    assert 8 not in [frame.index for frame in frames]
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})


def test_a_file_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    def noise(width: int, height: int, index: int) -> Pixels:
        return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)

    clip = write_clip(tmp_path / "cut.mp4", frames=60, draw=noise, container_options={"movflags": "+faststart"})
    with VideoReader(truncate(clip, 0.5)) as reader:
        count = len(list(reader))
        assert reader.cut_short
    assert 10 < count < 45


def test_hdr_is_refused_by_name(tmp_path: Path) -> None:
    for trc, name in ((16, "PQ"), (18, "HLG")):
        clip = write_clip(tmp_path / f"{name}.mp4", trc=trc, pix_fmt="yuv420p10le", frames=1)
        with pytest.raises(UserError, match=rf"HDR video \({name}\)"):
            VideoReader(clip)


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", frames=700, size=(320, 240))
    process = psutil.Process()
    with VideoReader(clip) as reader:
        for _ in range(100):
            next(reader)
        early = process.memory_info().rss
        count = 100 + sum(1 for _ in reader)
    grown = process.memory_info().rss - early
    assert count == 700
    assert grown < 30e6, "600 frames of 230 kB, kept, would be 138 MB"


def test_a_closed_reader_leaves_nothing_for_the_garbage_collector(tmp_path):
    """A cycle would keep the decoder's pictures, tens of MB, until one happens to be collected."""
    path = write_clip(tmp_path / "clip.mp4", frames=5)
    gc.collect()
    gc.disable()
    try:
        with VideoReader(path) as reader:
            list(reader)
        del reader
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(thing).__name__ for thing in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert "VideoFrame" not in left
