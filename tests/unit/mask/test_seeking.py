from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import FrameIndex, Stopped, read_index
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.stills import OpenVideo
from app.pipeline.video_reader import VideoReader
from tests.support.long_gop import moving, write_long_gop
from tests.support.media import concatenate, corrupt, truncate, write_clip

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
VFR = [0, 40, 50, 500, 510, 900, 901, 1500]
PICTURE_BYTES = 96 * 64 * 3 // 2


@pytest.fixture
def opened():
    seekers = []

    def make(path, **options):
        seekers.append(FrameSeeker(path, read_index(path), **options))
        return seekers[-1]

    yield make
    for seeker in seekers:
        seeker.close()


def delivered(path):
    with VideoReader(path) as reader:
        return list(reader)


def assert_same(frame, expected):
    assert (frame.pts, frame.time_base) == (expected.pts, expected.time_base)
    assert np.array_equal(frame.pixels, expected.pixels)


MAKERS = {
    "even": lambda folder: write_clip(folder / "even.mp4", frames=30),
    "one frame": lambda folder: write_clip(folder / "one.mp4", frames=1),
    "starts later": lambda folder: write_clip(folder / "later.mp4", start_pts=77, time_base=Fraction(1, 600)),
    "uneven": lambda folder: write_clip(folder / "vfr.mkv", pts=VFR, time_base=Fraction(1, 1000), draw=moving),
    "turned": lambda folder: write_clip(folder / "turned.mp4", rotation=90, draw=moving),
    "wide pixels": lambda folder: write_clip(folder / "wide.mp4", pixel_aspect=Fraction(32, 27), draw=moving),
    "webm": lambda folder: write_clip(folder / "vp9.webm", codec="libvpx-vp9", frames=30, draw=moving),
    "HEVC": lambda folder: write_clip(folder / "hevc.mp4", codec="libx265", frames=30, draw=moving),
    "ten bits": lambda folder: write_clip(folder / "ten.mkv", pix_fmt="yuv420p10le", draw=moving),
    "long GOP": lambda folder: write_long_gop(folder / "long.mp4"),
    "short GOPs": lambda folder: write_long_gop(folder / "short.mp4", gop=7),
    "open GOPs": lambda folder: write_long_gop(folder / "open.mkv", gop=10, is_open=True),
    "open GOPs in TS": lambda folder: write_long_gop(folder / "open.ts", gop=10, is_open=True),
    "B frames in AVI": lambda folder: write_long_gop(folder / "long.avi", gop=20),
    "interlaced": lambda folder: write_long_gop(folder / "lines.mkv", gop=20, options="interlaced=1"),
    "intra refresh": lambda folder: write_long_gop(folder / "refresh.mkv", gop=15, options="intra-refresh=1"),
    "cut short": lambda folder: truncate(write_long_gop(folder / "cut.mkv", gop=15), 0.6),
    "two recordings": lambda folder: concatenate(
        folder / "two.ts", [write_clip(folder / f"{i}.ts", frames=10) for i in range(2)]
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_frame_in_any_order_is_the_readers(kind, tmp_path, opened):
    path = MAKERS[kind](tmp_path)
    frames = delivered(path)
    seeker = opened(path, cache=FrameCache(0))
    for place in np.random.default_rng(3).permutation(len(frames))[:40]:
        frame = seeker.at(frames[place].pts)
        assert_same(frame, frames[place])
        assert frame.index == place
    seeker.cache.limit_bytes = 12 * PICTURE_BYTES
    start, stop = frames[0].pts, frames[-1].pts
    for got, expected in zip(seeker.frames_between(stop, start), reversed(frames), strict=True):
        assert_same(got, expected)
    for got, expected in zip(seeker.frames_between(start, stop), frames, strict=True):
        assert_same(got, expected)


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not on this machine")
def test_a_real_clip_is_the_readers(opened):
    path = CLIPS / "webcam-walk.mkv"
    frames = delivered(path)
    seeker = opened(path)
    for place in np.random.default_rng(4).permutation(len(frames))[:12]:
        assert_same(seeker.at(frames[place].pts), frames[place])


def test_frames_that_a_seek_leaves_without_their_references_are_not_kept(tmp_path, opened):
    path = write_long_gop(tmp_path / "open.mkv", gop=10, is_open=True)
    frames = delivered(path)
    seeker = opened(path)
    for key in seeker.index.key_pts[1:].tolist():
        place = seeker.index.index_of(key)
        for near in (place, place - 1, place - 2, place - 3):
            assert_same(seeker.at(frames[near].pts, keep=8), frames[near])


def test_hidden_frames_before_the_first_are_what_it_is_decoded_from(tmp_path, opened):
    path = write_clip(
        tmp_path / "edited.mp4", pts=range(-6, 24), draw=moving, container_options={"avoid_negative_ts": "disabled"}
    )
    seeker = opened(path)
    for frame in reversed(delivered(path)):
        assert_same(seeker.at(frame.pts), frame)


def test_frames_already_decoded_come_from_the_cache(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    frames = delivered(path)
    seeker = opened(path)
    seeker.at(frames[40].pts, keep=10)
    before = seeker.decoded_frames
    for place in range(40, 29, -1):
        assert_same(seeker.at(frames[place].pts), frames[place])
    assert seeker.decoded_frames == before
    assert seeker.cache.hits == 11


def test_a_little_ahead_the_decoder_goes_on_instead_of_starting_over(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    seeker = opened(path)
    seeker.at(seeker.index.pts_at(30))
    before = seeker.decoded_frames
    seeker.at(seeker.index.pts_at(33))
    assert seeker.decoded_frames == before + 3


def test_frames_nobody_needs_are_left_out_on_the_way(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    seeker = opened(path)
    seeker.at(seeker.index.pts_at(50))
    assert seeker.decoded_frames < 35


def test_a_decoder_stays_where_it_was_for_who_comes_back(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    seeker = opened(path, cache=FrameCache(0))
    seeker.at(seeker.index.pts_at(50))
    seeker.at(seeker.index.pts_at(10))
    before = seeker.decoded_frames
    seeker.at(seeker.index.pts_at(51))
    assert seeker.decoded_frames == before + 1


def test_backwards_a_gop_is_decoded_a_few_times_and_not_for_every_frame(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    seeker = opened(path, cache=FrameCache(40 * PICTURE_BYTES))
    assert len(list(seeker.frames_between(seeker.index.pts_at(59), seeker.index.pts_at(0)))) == 60
    assert seeker.decoded_frames < 200
    assert seeker.cache.size_bytes <= seeker.cache.limit_bytes


def test_other_frames_may_be_asked_for_while_reading(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    frames = delivered(path)
    seeker = opened(path, cache=FrameCache(0))
    for place, frame in enumerate(seeker.frames_between(frames[20].pts, frames[40].pts), start=20):
        assert_same(frame, frames[place])
        assert_same(seeker.at(frames[(place * 7) % 60].pts), frames[(place * 7) % 60])


def test_the_cache_holds_what_it_says_and_its_pictures_outlive_the_seeker(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4")
    frames = delivered(path)
    cache = FrameCache(10 * PICTURE_BYTES)
    first, second = (FrameSeeker(path, read_index(path), cache=cache) for _ in range(2))
    for place in (5, 30, 55):
        first.at(frames[place].pts)
        assert cache.size_bytes <= cache.limit_bytes
    first.close()
    assert_same(second.at(frames[55].pts), frames[55])
    assert second.decoded_frames == 0
    second.close()


def test_a_damaged_packet_costs_its_own_frames_and_no_other_is_shown_instead(tmp_path, opened):
    path = write_long_gop(tmp_path / "damaged.mp4", gop=20, frames=80)
    corrupt(path, start=0.35, length_bytes=400)
    corrupt(path, start=0.6, length_bytes=1500)
    frames = {frame.pts: frame for frame in delivered(path)}
    video = OpenVideo(path)
    concealed = {frame.pts for frame in video.frames() if frame.is_corrupt}
    video.close()
    seeker = opened(path)
    # What is predicted from a concealed picture differs by a level or so with what the decoder's threads had at hand,
    # from one reading of the file to the next, however it is read.
    gops = [seeker.index.key_before(pts) for pts in concealed | (set(seeker.index.pts.tolist()) - frames.keys())]
    assert 0 < len(set(gops)) < len(seeker.index.key_pts)
    assert len(seeker.index) == 80
    assert 0 < len(frames) < 80
    for pts in reversed(seeker.index.pts.tolist()):
        if pts not in frames:
            with pytest.raises(UserError, match=r"damaged\.mp4"):
                seeker.at(pts)
        elif seeker.index.key_before(pts) in gops:
            assert seeker.at(pts).pts == pts
        else:
            assert_same(seeker.at(pts), frames[pts])
    got = [frame.pts for frame in seeker.frames_between(seeker.index.pts_at(0), seeker.index.pts_at(79))]
    assert got == list(frames)


def test_a_frame_that_never_comes_out_is_an_error_at_once_the_second_time(tmp_path):
    path = write_long_gop(tmp_path / "gap.mkv", gop=10)
    index = read_index(path)
    between = np.sort(np.append(index.pts, index.pts[33] + 7))
    seeker = FrameSeeker(path, FrameIndex(between, index.key_pts, index.time_base))
    for _ in range(2):
        before = seeker.decoded_frames
        with pytest.raises(UserError, match="damaged at this moment"):
            seeker.at(int(index.pts[33]) + 7)
    assert seeker.decoded_frames == before
    assert seeker.at(int(index.pts[34])).pts == index.pts[34]
    seeker.close()


def test_a_pts_that_is_no_frames_is_not_guessed_at(tmp_path, opened):
    seeker = opened(write_clip(tmp_path / "clip.mkv", frames=5))
    with pytest.raises(KeyError):
        seeker.at(seeker.index.pts_at(2) + 1)


def test_a_search_can_be_given_up_and_the_next_one_is_right(tmp_path, opened):
    path = write_long_gop(tmp_path / "long.mp4")
    frames = delivered(path)
    seeker = opened(path)
    asked = []
    with pytest.raises(Stopped):
        seeker.at(frames[50].pts, should_stop=lambda: asked.append(1) or len(asked) > 4)
    for place in (50, 3, 20):
        assert_same(seeker.at(frames[place].pts), frames[place])


def test_what_is_no_video_is_refused_with_its_name(tmp_path):
    good = write_clip(tmp_path / "clip.mp4", frames=5)
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"notes\.mp4"):
        FrameSeeker(tmp_path / "notes.mp4", read_index(good))
