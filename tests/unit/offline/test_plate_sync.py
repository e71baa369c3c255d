"""A video plate shows the same frame at a time wherever one begins, in each of the ways to play it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.plate_sync import PlateSync, shown_place
from app.pipeline.plates import open_plate
from app.pipeline.video_loop import LoopingReader, SeekingLoop
from tests.support.long_gop import moving, write_long_gop
from tests.support.media import truncate, write_clip

VFR = [0, 40, 50, 500, 510, 900, 901, 1500]
SIZE = (32, 24)


def shade(width, height, index):
    return np.full((height, width, 3), 20 + 20 * index, np.uint8)


def place_of(frame):
    return round((int(frame.pixels.mean()) - 20) / 20)


def write_torn(path, *, lost, gop=1):
    """H.264 in MP4; of the packets with these numbers nothing can be decoded."""
    whole = write_long_gop(path.with_stem("whole"), gop=gop)
    with av.open(str(whole)) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        packets = (packet for packet in source.demux(source.streams.video[0]) if packet.size)
        for number, packet in enumerate(packets):
            data = bytes(packet)
            torn = av.Packet(data[:4] + b"\xff" * (len(data) - 4) if number in lost else data)
            torn.pts, torn.dts, torn.duration = packet.pts, packet.dts, packet.duration
            torn.time_base, torn.is_keyframe, torn.stream = packet.time_base, packet.is_keyframe, stream
            copy.mux(torn)
    return path


# --- which frame, on paper -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("loop", "0123012301230"),
        ("hold", "0123333333333"),
        ("ping-pong", "0123210123210"),
    ],
)
def test_frames_in_turn(mode, shown):
    pts = [0, 10, 20, 30]
    assert "".join(str(shown_place(pts, 10, Fraction(10 * i), mode)) for i in range(13)) == shown
    assert "".join(str(shown_place(pts, 10, Fraction(10 * i + 9), mode)) for i in range(13)) == shown


def test_back_and_forth_every_frame_is_shown_as_long_as_it_is_forwards():
    pts = [0, 1, 5, 6]  # shown for 1, 4, 1 and 2 ticks
    shown = [shown_place(pts, 2, Fraction(i), "ping-pong") for i in range(14)]
    assert shown == [0, 1, 1, 1, 1, 2, 3, 3, 2, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("mode", ["loop", "hold", "ping-pong"])
def test_one_and_two_frames(mode):
    assert {shown_place([0], 10, Fraction(i), mode) for i in range(50)} == {0}
    assert [shown_place([0, 10], 10, Fraction(10 * i), mode) for i in range(3)] == [0, 1, 1 if mode == "hold" else 0]


@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=12),
    at=st.fractions(0, 2000, max_denominator=997),
    step=st.integers(1, 50),
)
def test_ways_to_play_agree_on_the_first_round_and_repeat(steps, at, step):
    pts = [int(p) for p in np.cumsum([0, *steps])]
    end, back = pts[-1] + step, pts[-1] - pts[1]
    loop, bounce = (shown_place(pts, step, at, mode) for mode in ("loop", "ping-pong"))
    assert shown_place(pts, step, at + end, "loop") == loop
    assert shown_place(pts, step, at + end + back, "ping-pong") == bounce
    if at < end:
        assert loop == bounce == shown_place(pts, step, at, "hold")
    else:
        assert shown_place(pts, step, at, "hold") == len(pts) - 1


def test_the_offset_is_what_is_shown_with_the_clips_first_frame():
    tick = Fraction(1, 1000)  # what two containers' roundings may come to
    assert PlateSync().elapsed_s(Fraction(3)) == 3 + tick
    assert PlateSync(offset_s=1.5, clip_start_s=10.0).elapsed_s(Fraction(10)) == Fraction(3, 2) + tick
    late = PlateSync(offset_s=-2.0, clip_start_s=10.0)
    assert [late.elapsed_s(Fraction(t)) for t in (9, 10, 11)] == [0, 0, 0]
    assert late.elapsed_s(Fraction(13)) == 1 + tick


# --- the same from the file ------------------------------------------------------------------------------------------

PLATES = {
    "even": lambda folder: write_clip(folder / "even.mp4", frames=30, draw=moving),
    "one frame": lambda folder: write_clip(folder / "one.mp4", frames=1),
    "two frames": lambda folder: write_clip(folder / "two.mp4", frames=2, draw=moving),
    "starts later": lambda folder: write_clip(folder / "later.mp4", start_pts=77, time_base=Fraction(1, 600)),
    "uneven": lambda folder: write_clip(folder / "vfr.mkv", pts=VFR, time_base=Fraction(1, 1000), draw=moving),
    "long GOP": lambda folder: write_long_gop(folder / "long.mp4"),
    "B frames in AVI": lambda folder: write_long_gop(folder / "long.avi", gop=20),
    "cut short": lambda folder: truncate(write_long_gop(folder / "cut.mkv", gop=15), 0.6),
    "damaged at the end": lambda folder: write_torn(folder / "end.mp4", lost=range(55, 60)),
    "damaged in the middle": lambda folder: write_torn(folder / "middle.mp4", lost={17, 23, 24, 25}),
}


@pytest.mark.parametrize("kind", PLATES)
def test_seeking_shows_what_reading_forward_shows_from_wherever_it_begins(kind, tmp_path):
    path = PLATES[kind](tmp_path)
    rng = np.random.default_rng(5)
    with LoopingReader(path) as forward, SeekingLoop(path) as sought:
        round_s = float(sought._pts[-1] * sought.info.time_base) + 0.1
        grid = [i * Fraction(1, 24) for i in range(int(2.2 * round_s * 24))]
        times = sorted([*grid, *map(Fraction, rng.uniform(0, 3.3 * round_s, 40)), Fraction(1000)])
        expected = {time_s: forward.frame_at(time_s).pixels for time_s in times}
        for time_s in times:
            assert np.array_equal(sought.frame_at(time_s).pixels, expected[time_s]), float(time_s)
    with SeekingLoop(path) as sought:
        for time_s in rng.permutation(np.array(times, object))[:30]:
            assert np.array_equal(sought.frame_at(time_s).pixels, expected[time_s]), float(time_s)


def test_the_same_frames_are_shown_where_others_are_lost(tmp_path):
    """By their times: what is predicted from lost ones differs from decoder to decoder."""
    path = write_torn(tmp_path / "torn.mp4", lost={17, 23, 24, 25}, gop=20)
    with LoopingReader(path) as forward, SeekingLoop(path) as sought:
        for i in range(400):
            frame, expected = sought.frame_at(Fraction(i, 60)), forward.frame_at(Fraction(i, 60))
            whole = expected.pts if forward.round_s is None else expected.pts % round(forward.round_s * 12800)
            assert frame.pts - sought._frames.index.start_pts == whole


@pytest.mark.parametrize("kind", ["even", "uneven", "one frame", "long GOP", "damaged at the end"])
@pytest.mark.parametrize("mode", ["ping-pong", "hold"])
def test_any_order_of_times_gives_the_same_frames(kind, mode, tmp_path):
    path = PLATES[kind](tmp_path)
    rng = np.random.default_rng(6)
    with SeekingLoop(path, mode) as in_turn, SeekingLoop(path, mode) as anyhow:
        times = sorted(Fraction(t) for t in rng.uniform(0, 9, 120))
        shown = {time_s: in_turn.frame_at(time_s) for time_s in times}
        for time_s in rng.permutation(np.array(times, object))[:40]:
            assert anyhow.frame_at(time_s).index == shown[time_s].index
            assert np.array_equal(anyhow.frame_at(time_s).pixels, shown[time_s].pixels)
        last = max(frame.index for frame in shown.values())
        places = [frame.index for frame in shown.values()]
        assert (places[-1] == last) if mode == "hold" else (last == 0 or places[-1] != last or places.count(last) < 60)
        assert last <= anyhow._frames.last


def test_back_and_forth_through_a_file(tmp_path):
    path = write_clip(tmp_path / "plate.mp4", frames=10, rate=10, draw=shade, start_pts=4)
    with SeekingLoop(path, "ping-pong") as plate:
        shown = [place_of(plate.frame_at(Fraction(i, 10))) for i in range(40)]
    assert shown == [*(2 * ([*range(10), *range(8, 0, -1)])), *range(4)]


def test_backwards_is_not_decoded_from_the_key_frame_for_every_frame(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4", frames=100)
    with SeekingLoop(path, "ping-pong") as plate:
        seeker = plate._frames._seeker
        seeker.cache.limit_bytes = 30 * 96 * 64 * 2
        for i in range(198):
            plate.frame_at(Fraction(i, 25))
        assert seeker.decoded_frames < 450


def test_to_begin_late_in_a_plate_costs_no_more_than_its_last_key_frames(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4", frames=200, gop=20)
    with SeekingLoop(path) as plate:
        plate.frame_at(Fraction(150, 25))
        assert plate._frames._seeker.decoded_frames <= 20
        plate.frame_at(Fraction(350, 25))
        assert plate._frames._seeker.decoded_frames <= 60


def test_frames_are_decoded_once_going_on(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4", frames=60)
    with SeekingLoop(path) as plate:
        for i in range(180):  # three of the clip's to one of the plate's
            plate.frame_at(Fraction(i, 75))
        assert plate._frames._seeker.decoded_frames == 60


def test_a_file_that_goes_away_is_an_error_and_not_a_black_plate(tmp_path):
    path = write_long_gop(tmp_path / "long.mp4", frames=60)
    with SeekingLoop(path) as plate:
        plate.frame_at(Fraction(1))
        path.unlink()
        plate._frames._seeker.close()
        with pytest.raises(UserError, match="There is no file"):
            plate.frame_at(Fraction(50, 25))


# --- as a plate ------------------------------------------------------------------------------------------------------


def frame_at(ticks, time_base=Fraction(1, 25), index=0):
    return Frame(np.zeros((24, 32, 3), np.uint8), ticks, time_base, index)


def places(plate, frames):
    return [round((int(plate.pixels(frame, SIZE).mean()) - 20) / 20) for frame in frames]


@pytest.fixture
def path(tmp_path):
    """Ten frames at 25 Hz in MP4."""
    return write_clip(tmp_path / "plate.mp4", frames=10, draw=shade, size=SIZE)


@pytest.mark.parametrize("seekable", [True, False])
def test_at_the_clips_own_rate_no_frame_is_shown_twice_nor_left_out(path, tmp_path, seekable):
    rounded = write_clip(
        tmp_path / "ms.mkv", pts=[round(i * 1001 / 30) for i in range(10)], time_base=Fraction(1, 1000), rate=30,
        draw=shade, size=SIZE,
    )  # fmt: skip
    with open_plate(str(path), seekable=seekable) as plate:
        assert places(plate, [frame_at(i) for i in range(20)]) == [i % 10 for i in range(20)]
    with open_plate(str(rounded), seekable=seekable) as plate:
        exact = [frame_at(i * 1001, Fraction(1, 30000)) for i in range(10)]
        assert places(plate, exact) == list(range(10))


@pytest.mark.parametrize("seekable", [True, False])
def test_a_clips_start_and_an_offset(path, seekable):
    sync = PlateSync(offset_s=0.12, clip_start_s=4.0)
    with open_plate(str(path), sync=sync, seekable=seekable) as plate:
        assert places(plate, [frame_at(100 + i) for i in (0, 1, 6, 7)]) == [3, 4, 9, 0]
    with open_plate(str(path), sync=PlateSync(offset_s=-0.12), seekable=seekable) as plate:
        assert places(plate, [frame_at(i) for i in range(6)]) == [0, 0, 0, 0, 1, 2]


def test_the_modes_through_a_plate_without_asking_for_seeking(path):
    frames = [frame_at(i) for i in (8, 9, 10, 11, 30)]
    with open_plate(str(path), sync=PlateSync("hold")) as plate:
        assert places(plate, frames) == [8, 9, 9, 9, 9]
    with open_plate(str(path), sync=PlateSync("ping-pong")) as plate:
        assert places(plate, frames) == [8, 9, 8, 7, 6]


def test_going_back_needs_no_reopening_and_the_key_tells_pictures_apart(path):
    with open_plate(str(path), seekable=True) as plate:
        seen = {}
        for i in (5, 3, 15, 13, 3, 8):
            picture = plate.pixels(frame_at(i), SIZE)
            assert np.array_equal(picture, seen.setdefault(plate.key, picture))
        assert len(seen) == 3


def test_still_plates_take_no_notice(tmp_path):
    for spec in ("studio", "#204060", "blur"):
        with open_plate(spec, sync=PlateSync("ping-pong", 3.0), seekable=True) as plate:
            assert plate.pixels(frame_at(0), SIZE).shape == (24, 32, 3)


def test_the_live_window_opens_a_plate_without_indexing_it(path, monkeypatch):
    monkeypatch.setattr(FrameSeeker, "__init__", lambda *_, **__: pytest.fail("indexed"))
    with open_plate(str(path)) as plate:
        assert places(plate, [frame_at(0)]) == [0]


@settings(max_examples=25, deadline=None)
@given(
    ticks=st.lists(st.integers(0, 60_000), min_size=1, max_size=8), mode=st.sampled_from(["loop", "ping-pong", "hold"])
)
def test_which_frame_is_shown_depends_on_its_time_alone(tmp_path_factory, ticks, mode):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "shared-plate.mkv"
    if not path.exists():
        write_clip(path, frames=11, draw=shade, size=SIZE, rate=Fraction(30000, 1001))
    with open_plate(str(path), sync=PlateSync(mode, 0.3), seekable=True) as plate:
        got = places(plate, [frame_at(t, Fraction(1, 10_000)) for t in ticks])
    for t, place in zip(ticks, got, strict=True):
        with open_plate(str(path), sync=PlateSync(mode, 0.3), seekable=True) as plate:
            assert places(plate, [frame_at(t, Fraction(1, 10_000))]) == [place]
