"""A worker that begins in the middle of a clip gets the mattes that one gets who began at its start."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest

from app.domain.compositing import Size
from app.domain.frame import Frame
from app.pipeline import matte_film
from app.pipeline.given_matte import GivenMatte
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.matte_film import ForwardMatte, SoughtMatte
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.video_loop import SoughtFrames
from tests.support.long_gop import moving, write_long_gop
from tests.support.media import truncate, write_clip
from tests.unit.mask.test_masks_in import alpha_at, write_alpha_video

SIZE: Size = (96, 64)
VFR = [0, 40, 50, 500, 510, 900, 901, 1500]
VP9 = {"crf": "10", "b": "0", "auto-alt-ref": "0"}


def with_alpha(path, codec, pix_fmt, **options):
    alphas = [alpha_at(i % 14, size=SIZE) for i in range(30)]
    return write_alpha_video(path, codec, pix_fmt, alphas=alphas, options=options)


MATTES = {
    "long GOP": lambda folder: write_long_gop(folder / "long.mp4"),
    "short GOPs in TS": lambda folder: write_long_gop(folder / "short.ts", gop=10, is_open=True),
    "starts later": lambda folder: write_clip(
        folder / "later.mp4", start_pts=777, time_base=Fraction(1, 600), size=SIZE, draw=moving
    ),
    "uneven": lambda folder: write_clip(
        folder / "vfr.mkv", pts=VFR, time_base=Fraction(1, 1000), size=SIZE, draw=moving
    ),
    "one frame": lambda folder: write_clip(folder / "one.mp4", frames=1, size=SIZE, draw=moving),
    "B frames in AVI": lambda folder: write_long_gop(folder / "long.avi", gop=20),
    "cut short": lambda folder: truncate(write_long_gop(folder / "cut.mkv", gop=15), 0.6),
    "alpha of ProRes": lambda folder: with_alpha(folder / "m.mov", "prores_ks", "yuva444p10le", profile="4"),
    "alpha of FFV1": lambda folder: with_alpha(folder / "m.mkv", "ffv1", "bgra"),
    "alpha of Animation": lambda folder: with_alpha(folder / "m.mov", "qtrle", "argb"),
    "alpha of VP9": lambda folder: with_alpha(folder / "m.webm", "libvpx-vp9", "yuva420p", **VP9),
}


def clip_frames(rate, *, start_s=Fraction(0), length_s=3):
    """Frames of a clip at `rate`, from `start_s`."""
    time_base = Fraction(1, 90_000)
    black = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    return [
        Frame(black, round((start_s + i / Fraction(rate)) / time_base), time_base, i)
        for i in range(int(length_s * rate))
    ]


def mattes_of(path, frames, **options):
    """(mattes, which of them were held)."""
    with closing(GivenMatte(path, on_notice=lambda _: None, **options)) as given:
        found, held = [], []
        for frame in frames:
            before = given.held_frames
            found.append(given.segment(frame))
            held.append(given.held_frames > before)
    return found, held


def clip_start(frames):
    return frames[0].time_s


@pytest.mark.parametrize("start_s", [Fraction(0), Fraction(7, 5)])
@pytest.mark.parametrize("kind", MATTES)
def test_mattes_are_those_of_a_sequential_run_wherever_one_begins(kind, start_s, tmp_path):
    path = MATTES[kind](tmp_path)
    for rate in (25, Fraction(30000, 1001)):
        frames = clip_frames(rate, start_s=start_s)
        expected, held = mattes_of(path, frames)
        for begin, end in ((0, len(frames)), (40, 60), (len(frames) - 5, len(frames))):
            got, got_held = mattes_of(path, frames[begin:end], clip_start_s=clip_start(frames))
            for matte, other in zip(got, expected[begin:end], strict=True):
                assert np.array_equal(matte, other)
            assert got_held == held[begin:end]


@pytest.mark.parametrize("kind", ["long GOP", "uneven", "alpha of FFV1", "alpha of VP9"])
def test_segments_in_any_order_with_one_open_matte(kind, tmp_path):
    path = MATTES[kind](tmp_path)
    frames = clip_frames(25, start_s=Fraction(2))
    expected, _ = mattes_of(path, frames)
    with closing(GivenMatte(path, on_notice=lambda _: None, clip_start_s=clip_start(frames))) as given:
        for begin in (50, 0, 25, 60):
            given.reset()
            for place in range(begin, begin + 12):
                assert np.array_equal(given.segment(frames[place]), expected[place])


def test_without_the_clips_start_a_clip_joined_midway_goes_by_the_files_own_zero(tmp_path):
    path = MATTES["long GOP"](tmp_path)
    frames = clip_frames(25, start_s=Fraction(4, 5))
    from_start, _ = mattes_of(path, frames)
    midway, _ = mattes_of(path, frames[10:20])
    assert not np.array_equal(midway[0], from_start[10])


def test_the_middle_is_sought_and_not_read_up_to(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4", frames=300, gop=20)
    frames = clip_frames(25, length_s=12)
    with closing(GivenMatte(path, clip_start_s=0.0)) as given:
        seeker = given._source._frames._frames._seeker
        for frame in frames[250:270]:
            given.segment(frame)
        assert seeker.decoded_frames < 2 + 20 + 25


def test_only_who_says_where_the_clip_starts_has_the_matte_indexed(tmp_path, monkeypatch):
    path = MATTES["long GOP"](tmp_path)
    monkeypatch.setattr(FrameSeeker, "__init__", lambda *_, **__: pytest.fail("indexed"))
    with closing(GivenMatte(path)) as given:
        given.segment(clip_frames(25)[0])


@pytest.mark.parametrize(
    ("kind", "expected"), [("alpha of ProRes", SoughtMatte), ("alpha of VP9", ForwardMatte), ("long GOP", SoughtMatte)]
)
def test_alpha_in_a_stream_of_its_own_is_read_forward(kind, expected, tmp_path):
    frames = matte_film.matte_frames(MATTES[kind](tmp_path), is_alpha=kind.startswith("alpha"), seekable=True)
    assert type(frames) is expected
    frames.close()


def test_the_alpha_is_the_pictures_own(tmp_path):
    path = MATTES["alpha of ProRes"](tmp_path)
    frames = clip_frames(25)
    got, _ = mattes_of(path, frames[5:9], clip_start_s=0.0)
    for place, matte in enumerate(got, start=5):
        assert np.array_equal(np.rint(matte * 255), alpha_at(place, size=SIZE))


def test_the_choice_of_a_segmenter_passes_it_on(tmp_path):
    path = MATTES["long GOP"](tmp_path)
    frames = clip_frames(25, start_s=Fraction(3))
    expected, _ = mattes_of(path, frames)
    choice = SegmenterChoice(mask=path, clip_start_s=clip_start(frames))
    with closing(open_segmenter(choice, SIZE, on_notice=lambda _: None)) as segmenter:
        assert np.array_equal(segmenter.segment(frames[40]), expected[40])


def test_frames_by_place_are_the_videos(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4")
    with SoughtFrames(path) as frames:
        assert frames.last == 59
        assert [frames.at(place).index for place in (59, 3, 30, 31)] == [59, 3, 30, 31]
