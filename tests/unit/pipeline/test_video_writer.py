from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame, Pixels
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import VideoWriter
from tests.support.media import CORNERS, frame_times_s, picture, write_clip

TICK = Fraction(1, 25)


def noise(width: int, height: int, index: int) -> Pixels:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


def writer(path: Path, size: tuple[int, int] = (64, 48), **kwargs: object) -> VideoWriter:
    options = {"time_base": TICK, "average_rate": 1 / TICK} | kwargs
    return VideoWriter(path, width=size[0], height=size[1], **options)  # type: ignore[arg-type]


def frame(index: int, size: tuple[int, int] = (64, 48)) -> Frame:
    return Frame(picture(*size, index), index, TICK, index)


def write(path: Path, frames: int = 6, size: tuple[int, int] = (64, 48), **kwargs: object) -> VideoWriter:
    with writer(path, size, **kwargs) as target:
        for index in range(frames):
            target.append(frame(index, size))
    return target


def copy(source: Path, path: Path, *, sound: bool = False) -> None:
    with VideoReader(source) as reader:
        info = reader.info
        with VideoWriter(
            path,
            width=info.width,
            height=info.height,
            time_base=info.time_base,
            average_rate=info.average_rate,
            source_audio=source if sound else None,
        ) as target:
            for one in reader:
                target.append(one)


def refusal(path: Path, **kwargs: object) -> UserError:
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    with pytest.raises(UserError) as caught:
        write(path, **kwargs)  # type: ignore[arg-type]
    assert caught.value.code == ExitCode.OUTPUT
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else []) == before
    return caught.value


BASES = [
    Fraction(1, 25),
    Fraction(1, 1000),
    Fraction(1, 12288),
    Fraction(1, 90000),
    Fraction(1001, 30000),
    Fraction(1001, 24000),
    Fraction(1, 200000),
]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("time_base", BASES, ids=str)
def test_variable_times_and_the_start_offset_come_out_exactly(tmp_path: Path, time_base: Fraction, suffix: str) -> None:
    step = max(1, round(1 / (30 * time_base)))
    pts = [step * k for k in (7, 8, 11, 12, 13, 40, 41, 42, 43, 77)]
    path = tmp_path / f"out{suffix}"
    with writer(path, time_base=time_base, average_rate=Fraction(30)) as target:
        for index, ticks in enumerate(pts):
            target.append(Frame(picture(64, 48, index), ticks, time_base, index))
    assert frame_times_s(path) == [ticks * time_base for ticks in pts]
    assert target.frames_written == len(pts)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_rounds_times_to_its_own_milliseconds(tmp_path: Path, suffix: str) -> None:
    time_base, pts = Fraction(1, 90000), [3003 * k for k in (0, 1, 2, 5, 6, 11)]
    path = tmp_path / f"out{suffix}"
    with writer(path, time_base=time_base, average_rate=Fraction(30000, 1001)) as target:
        for index, ticks in enumerate(pts):
            target.append(Frame(picture(64, 48, index), ticks, time_base, index))
    for shown, ticks in zip(frame_times_s(path), pts, strict=True):
        assert abs(shown - ticks * time_base) <= Fraction(1, 2000)


@pytest.mark.parametrize("source_suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_a_file_read_and_written_has_the_same_times(tmp_path: Path, source_suffix: str) -> None:
    source = write_clip(tmp_path / f"in{source_suffix}", frames=40, rate=Fraction(30000, 1001))
    copy(source, tmp_path / "out.mp4")
    assert frame_times_s(tmp_path / "out.mp4") == frame_times_s(source)


def test_a_time_base_finer_than_mp4_can_hold_becomes_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    nanosecond = Fraction(1, 10**9)
    with writer(path, time_base=nanosecond) as target:
        for index, ticks in enumerate([0, 33_333_333, 66_666_667]):
            target.append(Frame(picture(64, 48, index), ticks, nanosecond, index))
    assert frame_times_s(path) == [0, Fraction(33333, 10**6), Fraction(66667, 10**6)]


def test_frames_on_another_clock_than_the_writers_are_converted(tmp_path: Path) -> None:
    with writer(tmp_path / "out.mp4", time_base=Fraction(1, 90000)) as target:
        for index in range(3):
            target.append(frame(index))
    assert frame_times_s(tmp_path / "out.mp4") == [0, Fraction(1, 25), Fraction(2, 25)]


def test_a_start_before_zero_is_moved_to_zero(tmp_path: Path) -> None:
    with writer(tmp_path / "out.mp4") as target:
        for index in range(5):
            target.append(Frame(picture(64, 48, index), index - 3, TICK, index))
    assert frame_times_s(tmp_path / "out.mp4") == [index * TICK for index in range(5)]


def test_the_encoder_is_drained(tmp_path: Path) -> None:
    """x264 holds dozens of frames back; each must come out, with its own picture."""

    def shade(index: int) -> Frame:
        return Frame(np.full((48, 64, 3), 30 + index * 2, np.uint8), index, TICK, index)

    with writer(tmp_path / "out.mp4") as target:
        for index in range(75):
            target.append(shade(index))
    with VideoReader(tmp_path / "out.mp4") as reader:
        levels = [int(one.pixels.mean()) for one in reader]
    np.testing.assert_allclose(levels, [30 + index * 2 for index in range(75)], atol=2)


def test_one_frame_has_the_length_of_one_frame(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", frames=1)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.duration_s == pytest.approx(1 / 25)
        assert len(list(reader)) == 1


@pytest.mark.parametrize(
    ("suffix", "size", "padded"),
    [
        (".mp4", (63, 47), (1, 1)),
        (".mp4", (64, 47), (0, 1)),
        (".mkv", (63, 48), (1, 0)),
        (".mp4", (1, 1), (1, 1)),
        (".mp4", (2, 2), (0, 0)),
        (".webm", (63, 47), (0, 0)),
        (".webm", (1, 1), (0, 0)),
    ],
)
def test_odd_sides_are_padded_not_cropped(
    tmp_path: Path, suffix: str, size: tuple[int, int], padded: tuple[int, int]
) -> None:
    path = tmp_path / f"out{suffix}"
    target = write(path, size=size)
    assert target.padded == padded
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == 6
    assert frames[0].size == (size[0] + padded[0], size[1] + padded[1])
    if min(size) > 8:
        for spot in ((-4, -4), (-1, -1)):  # the added row and column repeat their neighbours
            np.testing.assert_allclose(frames[0].pixels[spot], CORNERS["bottom right"], atol=8)
        difference = frames[0].pixels[: size[1], : size[0]].astype(int) - picture(*size)
        assert np.abs(difference).mean() < 6


def test_full_colour_resolution_needs_no_padding(tmp_path: Path) -> None:
    settings = EncodeSettings(pix_fmt="yuv444p")
    assert write(tmp_path / "out.mp4", size=(63, 47), settings=settings).padded == (0, 0)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.size == (63, 47)


@pytest.mark.parametrize("name", ["out.gif", "out", "out.mp4.txt", ".mp4"])
def test_unknown_suffix(tmp_path: Path, name: str) -> None:
    assert "no ending for a video" in str(refusal(tmp_path / name))


def test_missing_folder(tmp_path: Path) -> None:
    assert "does not exist" in str(refusal(tmp_path / "no" / "out.mp4"))


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    assert "is a folder" in str(refusal(tmp_path / "out.mp4"))


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs Linux: a folder nobody may write in")
def test_a_folder_that_may_not_be_written() -> None:
    with pytest.raises(UserError, match="may not be written") as caught:
        write(Path("/sys/out.mp4"))
    assert caught.value.code == ExitCode.OUTPUT


@pytest.mark.parametrize(
    ("suffix", "settings"),
    [
        (".webm", EncodeSettings(codec="libx264")),
        (".mp4", EncodeSettings(codec="nonsense")),
        (".mp4", EncodeSettings(pix_fmt="nonsense")),
        (".mp4", EncodeSettings(codec="libx264", pix_fmt="rgb24")),
    ],
)
def test_a_codec_the_container_or_encoder_can_not_do(tmp_path: Path, suffix: str, settings: EncodeSettings) -> None:
    assert "can't hold" in str(refusal(tmp_path / f"out{suffix}", settings=settings))


def test_an_unknown_preset_is_refused_before_x264_prints_about_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no encoding speed") as caught:
        EncodeSettings(preset="warp")
    assert caught.value.code == ExitCode.USAGE
    assert capfd.readouterr().err == ""


def test_nothing_is_printed_while_encoding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "out.mp4")
    write(tmp_path / "out.webm")
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_an_existing_file_is_kept_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"mine")
    assert "exists already" in str(refusal(path, overwrite=False))
    assert path.read_bytes() == b"mine"
    write(path)
    assert len(frame_times_s(path)) == 6


def test_a_file_made_meanwhile_is_kept_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    target = writer(path, overwrite=False)
    target.append(frame(0))
    path.write_bytes(b"somebody else's")
    with pytest.raises(UserError, match="exists already"):
        target.close()
    assert path.read_bytes() == b"somebody else's"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with writer(path) as target:
        target.append(frame(0))
        assert target.part_path == tmp_path / "out.part.mp4"
        assert target.part_path.exists()
        assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert len(frame_times_s(path)) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file_and_no_part(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with writer(path) as target:
            target.append(frame(0))
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_abort_and_close_may_be_called_again(tmp_path: Path) -> None:
    target = writer(tmp_path / "out.mp4")
    target.append(frame(0))
    target.abort()
    target.abort()
    target.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        target.append(frame(1))


def test_no_frames_make_no_file(tmp_path: Path) -> None:
    assert "No frame was written" in str(refusal(tmp_path / "out.mp4", frames=0))


@pytest.mark.parametrize("link", ["same", "symbolic", "hard", "spelling", "part"])
def test_the_input_is_never_overwritten(tmp_path: Path, link: str) -> None:
    source = write_clip(tmp_path / ("out.part.mp4" if link == "part" else "in.mp4"))
    before = source.read_bytes()
    path = tmp_path / "out.mp4"
    if link == "same":
        path = source
    elif link == "symbolic":
        path.symlink_to(source)
    elif link == "hard":
        os.link(source, path)
    elif link == "spelling":
        path = tmp_path / "x" / ".." / "in.mp4"
        (tmp_path / "x").mkdir()
    for given in ({"source_audio": source}, {"inputs": (source,)}):
        with pytest.raises(UserError, match="is in use") as caught:
            writer(path, **given)
        assert caught.value.code == ExitCode.OUTPUT
    assert source.read_bytes() == before


def test_two_outputs_of_one_run_may_not_share_a_name(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with pytest.raises(UserError, match="is in use"):
        writer(path, inputs=(tmp_path / "x" / ".." / "out.mp4",))
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "out.mp4", tmp_path / "link.mp4"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write(link)
    assert link.is_symlink()
    assert len(frame_times_s(real)) == 6


@pytest.mark.parametrize(
    "name", ["a b.mp4", "é 日本 #1%20 %03d.mp4", "file:x.mp4", "line\nbreak.mp4", "x" * 251 + ".mp4"]
)
def test_any_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path(name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(frame_times_s(tmp_path / name)) == 6


def test_a_mirrored_view_is_written_as_it_looks(tmp_path: Path) -> None:
    flipped = picture(64, 48)[::-1, ::-1]
    with writer(tmp_path / "out.mp4") as target:
        target.append(Frame(flipped, 0, TICK, 0))
    with VideoReader(tmp_path / "out.mp4") as reader:
        np.testing.assert_allclose(next(reader).pixels[4, 4], CORNERS["bottom right"], atol=6)


def test_a_matte_may_be_reused_by_the_caller_at_once(tmp_path: Path) -> None:
    settings = EncodeSettings(codec="ffv1", pix_fmt="gray", gray=True)
    alpha = np.empty((48, 64), np.uint8)
    with writer(tmp_path / "out.mkv", settings=settings) as target:
        for index in range(20):
            alpha[:] = index
            target.append_alpha(alpha, pts=index)
    with VideoReader(tmp_path / "out.mkv") as reader:
        assert [int(one.pixels[20, 20, 0]) for one in reader] == list(range(20))


def test_mistakes_of_the_caller_are_value_errors(tmp_path: Path) -> None:
    with writer(tmp_path / "out.mp4") as target:
        target.append(frame(5))
        with pytest.raises(ValueError, match="not later"):
            target.append(frame(5))
        with pytest.raises(ValueError, match="writer"):
            target.append(frame(6, (32, 32)))
        with pytest.raises(ValueError, match="takes append"):
            target.append_alpha(np.zeros((48, 64), np.uint8), pts=6)


def test_a_finished_mp4_is_an_ordinary_one(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", frames=60)
    data = (tmp_path / "out.mp4").read_bytes()
    boxes, at = [], 0
    while at < len(data):
        boxes.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    assert b"moof" not in boxes
    assert boxes.count(b"moov") == boxes.count(b"mdat") == 1


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    process = psutil.Process()
    pixels = noise(320, 240, 0)
    with writer(tmp_path / "out.mp4", (320, 240), settings=EncodeSettings(preset="ultrafast")) as target:
        for index in range(600):
            if index == 150:
                early = process.memory_info().rss
            target.append(Frame(np.roll(pixels, index, axis=0), index, TICK, index))
        grown = process.memory_info().rss - early
    assert grown < 30e6, "450 frames of 230 kB, kept, would be 104 MB"


def test_the_writer_holds_no_more_than_the_encoder_needs(tmp_path: Path) -> None:
    with writer(tmp_path / "out.mkv") as target:
        for index in range(200):
            target.append(frame(index))
        target.part_path.stat()
        with av.open(str(target.part_path)) as unfinished:
            written = sum(1 for p in unfinished.demux(video=0) if p.size)
    assert written >= 120
