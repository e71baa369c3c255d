import itertools
from fractions import Fraction

import numpy as np
import pytest

from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline.cutting import LONGEST_FRAMES, cuts_of, range_of, segments_of, shown_frames
from app.pipeline.offline.job import Trim

TICK = Fraction(1, 1000)


def index_of(count, *, step=40, gop=25, start=0, is_seekable=True):
    pts = np.arange(count, dtype=np.int64) * step + start
    return FrameIndex(pts, pts[::gop].copy(), TICK, is_seekable)


def segments(index, **more):
    first, stop = range_of(index, more.pop("trim", Trim()), more.pop("max_frames", None))
    cuts = cuts_of(index, first, stop)
    shown = list(shown_frames(index, first, stop, rate=more.get("rate"), time_base=TICK, shift_s=Fraction(0)))
    return segments_of(index, cuts, shown), shown


def test_every_frame_is_in_exactly_one_segment():
    index = index_of(1000)
    found, shown = segments(index)
    joined = [one for segment in found for one in segment.shown]
    assert joined == shown
    assert [one.source_pts for one in joined] == index.pts.tolist()
    assert all(a.stop_pts == b.first_pts for a, b in itertools.pairwise(found))
    assert [segment.number for segment in found] == np.cumsum([0] + [len(s.shown) for s in found[:-1]]).tolist()


def test_cuts_are_at_key_frames_where_there_are_some_nearby():
    index = index_of(1000, gop=50)
    keys = set(index.key_pts.tolist())
    found, _ = segments(index)
    assert len(found) > 3
    assert all(segment.first_pts in keys for segment in found)


def test_long_groups_of_pictures_are_cut_in_their_middle():
    found, _ = segments(index_of(1000, gop=1000))
    assert len(found) == 6
    assert all(len(s.shown) <= LONGEST_FRAMES for s in found)


def test_short_clips_have_several_segments_and_tiny_ones_one():
    assert len(segments(index_of(200, gop=10))[0]) == 4
    assert len(segments(index_of(20))[0]) == 1
    assert len(segments(index_of(1))[0]) == 1


def test_files_that_cannot_be_sought_in_are_hardly_cut():
    assert len(segments(index_of(1000, is_seekable=False))[0]) == 1


def test_no_segment_is_much_shorter_than_the_others():
    for count in range(200, 1500, 37):
        found, _ = segments(index_of(count, gop=12))
        lengths = [s.stop_pts - s.first_pts for s in found]
        assert min(lengths) >= 0.4 * max(lengths), (count, lengths)


def test_trim_takes_frames_from_the_first_time_up_to_the_second():
    index = index_of(100, start=5000)
    first, stop = range_of(index, Trim(1.0, 2.0), None)
    assert index.pts[first] == 6000
    assert index.pts[stop - 1] == 6960
    assert range_of(index, Trim(9.0, None), None) == (100, 100)
    assert range_of(index, Trim(None, None), 7) == (0, 7)


@pytest.mark.parametrize(("rate", "count"), [(Fraction(25), 100), (Fraction(50), 200), (Fraction(10), 40)])
def test_a_rate_shows_at_each_moment_the_frame_on_the_screen(rate, count):
    index = index_of(100)
    shown = list(shown_frames(index, 0, 100, rate=rate, time_base=1 / rate, shift_s=Fraction(0)))
    assert len(shown) == count
    assert [one.out_pts for one in shown] == list(range(count))
    for number, one in enumerate(shown):
        at = float(number / rate) * 1000
        assert one.source_pts <= at + 1e-6 < one.source_pts + 40


def test_variable_rate_keeps_every_time():
    pts = np.array([0, 10, 100, 350, 351, 900], np.int64)
    index = FrameIndex(pts, pts[:1].copy(), TICK)
    shown = list(shown_frames(index, 0, 6, rate=None, time_base=TICK, shift_s=Fraction(1, 2)))
    assert [one.out_pts for one in shown] == [500, 510, 600, 850, 851, 1400]
