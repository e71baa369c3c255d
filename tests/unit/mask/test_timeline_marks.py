from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.mask.timeline_marks import (
    MAX_FRAME_PX,
    Mark,
    Marks,
    MatchSpan,
    Scale,
    clock_words,
    columns,
    middle_of,
    next_of,
    previous_of,
    problems,
    pts_array,
    ruler,
    runs,
    signs,
    whole,
)

MS = Fraction(1, 1000)
EVEN = Marks(pts=pts_array(range(0, 4000, 40)), time_base=MS)
VARYING = Marks(pts=pts_array([100, 140, 180, 1180, 1220]), time_base=MS)
"""Five frames from 100 ms on, the third held for a second."""

NONE = Marks()
ONE = Marks(pts=pts_array([7]), time_base=MS)


def big(**more):
    return Marks(pts=pts_array(np.arange(50_000) * 33), time_base=MS, **more)


def trusting(values, **more):
    """A frame a 100 ms."""
    return Marks(
        pts=pts_array(range(0, 100 * len(values), 100)),
        time_base=MS,
        confidence=np.array(values, np.float32),
        **more,
    )


def test_pts_come_out_ascending_and_once_each_from_any_collection():
    for given_pts in ({5, 1, 3}, [3, 1, 5, 3], np.array([5, 3, 1, 1]), {5: "a", 1: "b", 3: "c"}):
        array = pts_array(given_pts)
        assert array.tolist() == [1, 3, 5]
        assert array.dtype == np.int64
        assert not array.flags.writeable
    assert pts_array().tolist() == []


def test_pts_beyond_32_bits_stay_exact():
    far = 2**53 + 1
    assert pts_array([far]).tolist() == [far]
    assert Marks(pts=pts_array([far, far + 2])).frame_at(far + 2) == far + 2


def test_frames_out_of_order_and_another_number_of_confidences_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        Marks(pts=np.array([3, 3]))
    with pytest.raises(ValueError, match="one confidence"):
        Marks(pts=pts_array([1, 2]), confidence=np.ones(3, np.float32))


def test_a_moment_belongs_to_the_frame_that_is_shown_then():
    shown = [VARYING.frame_at(at) for at in (0, 100, 139.9, 140, 180, 700, 1179, 1180, 1220, 99_999)]
    assert shown == [100, 100, 100, 140, 180, 180, 180, 1180, 1220, 1220]


def test_the_last_frame_lasts_as_long_as_most_do():
    assert VARYING.end_pts == 1260
    assert ONE.end_pts == 47
    assert Marks(pts=pts_array([0]), time_base=Fraction(1)).end_pts == 1
    assert NONE.end_pts == 0


def test_steps_stay_inside_the_clip():
    assert [VARYING.stepped(140, by) for by in (-5, -1, 1, 2, 50)] == [100, 100, 180, 1180, 1220]
    assert ONE.stepped(7, 10) == 7


def test_times_count_from_the_first_frame():
    assert VARYING.time_s(1180) == pytest.approx(1.08)
    assert NONE.time_s(99) == 0


def test_a_clip_without_frames_has_no_frame_at_any_time():
    with pytest.raises(ValueError, match="without frames"):
        NONE.index_at(0)
    assert NONE.flags().tolist() == []


def test_the_range_is_the_clip_unless_set_and_lies_on_frames():
    assert VARYING.range_pts() == (100, 1220)
    assert replace(VARYING, in_pts=150, out_pts=1200).range_pts() == (140, 1180)
    assert replace(VARYING, in_pts=1220, out_pts=100).range_pts() == (1220, 1220)


def test_marks_are_found_by_frame_also_when_they_lie_between_two():
    marks = replace(
        VARYING,
        edited=pts_array([140, 500]),
        keyframes=pts_array([140]),
        locked=pts_array([1220]),
        stops={190: "It moved too fast."},
        cuts=pts_array([1180]),
        match_locks=pts_array([100]),
        propagated=pts_array([1180, 1220]),
    )
    flags = [Mark(flag) for flag in marks.flags().tolist()]
    assert flags == [
        Mark.MATCH_LOCK,
        Mark.EDITED | Mark.KEYFRAME,
        Mark.EDITED | Mark.STOP,
        Mark.CUT | Mark.PROPAGATED,
        Mark.LOCKED | Mark.PROPAGATED,
    ]
    assert [marks.marks_of(pts) for pts in marks.pts.tolist()] == flags
    assert marks.stop_reason(180) == "It moved too fast."
    assert marks.stop_reason(140) == ""


def test_confidence_of_a_frame_is_none_where_it_is_not_known():
    marks = trusting([0.25, np.nan])
    assert marks.confidence_at(50) == pytest.approx(0.25)
    assert marks.confidence_at(100) is None
    assert VARYING.confidence_at(100) is None


def test_next_and_previous_never_stay_where_they_are():
    edited = pts_array([40, 80, 400])
    assert [next_of(edited, pts) for pts in (0, 40, 41, 400)] == [40, 80, 80, None]
    assert [previous_of(edited, pts) for pts in (40, 41, 400, 999)] == [None, 40, 80, 400]
    assert next_of(pts_array(), 0) is None
    assert previous_of(pts_array(), 0) is None


# Problems


def test_of_frames_near_each_other_the_worst_stands_for_all():
    values = np.ones(60)
    values[[10, 12, 14]] = 0.5, 0.2, 0.4
    values[40] = 0.6
    assert problems(trusting(values), below=0.75, apart_s=1.0).tolist() == [1200, 4000]


def test_frames_at_the_threshold_unknown_ones_and_a_clip_not_analysed_are_no_problems():
    assert problems(trusting([0.75, np.nan, 0.9]), below=0.75).tolist() == []
    assert problems(VARYING).tolist() == []
    assert problems(NONE).tolist() == []


def test_a_long_bad_stretch_has_a_place_at_its_start_and_at_each_of_its_lows():
    values = np.full(100, 0.3)
    values[[20, 50, 80]] = 0.1
    assert problems(trusting(values), apart_s=1.0).tolist() == [0, 2000, 5000, 8000]


def test_a_stretch_that_is_equally_bad_leads_to_its_start():
    values = np.ones(50)
    values[20:45] = 0.0
    assert problems(trusting(values)).tolist() == [2000]


@pytest.mark.parametrize("what", ["edited", "locked", "propagated"])
def test_what_the_hand_has_seen_to_is_no_problem_any_more(what):
    values = np.ones(60)
    values[[10, 40]] = 0.2
    assert problems(trusting(values, **{what: pts_array([1000])})).tolist() == [4000]


def test_only_the_chosen_range_is_looked_at():
    values = np.ones(60)
    values[[5, 30, 55]] = 0.2
    assert problems(trusting(values, in_pts=1000, out_pts=4000)).tolist() == [3000]


def test_where_carrying_stopped_wants_a_look_even_without_an_analysis():
    stops = {2000: "cut", 3000: "cut"}
    marks = Marks(pts=pts_array(range(0, 6000, 100)), time_base=MS, stops=stops, edited=pts_array([3000]))
    assert problems(marks).tolist() == [2000]
    values = np.ones(60)
    values[[22, 40]] = 0.2
    assert problems(trusting(values, stops={2000: "cut"})).tolist() == [2000, 4000]


@given(
    st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1, width=32)), min_size=1, max_size=80),
    st.lists(st.integers(1, 400), min_size=80, max_size=80),
)
def test_problems_lie_apart_under_the_threshold_and_miss_no_worst_frame(values, gaps):
    pts = np.cumsum(gaps[: len(values)])
    marks = Marks(pts=pts_array(pts), time_base=MS, confidence=np.array(values, np.float32))
    found = problems(marks, below=0.5, apart_s=0.5)
    assert np.all(np.diff(found) > 500)
    trust = np.array([marks.confidence_at(at) for at in found.tolist()])
    assert np.all(trust < 0.5)
    low = np.nan_to_num(np.array(values, np.float32), nan=1.0)
    if low.min() < 0.5:
        assert trust.min() == low.min()
    else:
        assert len(found) == 0


def test_problems_of_50000_frames_are_found_where_they_are():
    values = np.ones(50_000, np.float32)
    bad = np.arange(500, 50_000, 1000)
    values[bad] = 0.1
    assert problems(big(confidence=values)).tolist() == (bad * 33).tolist()


# Places


def test_the_whole_clip_fills_the_line_and_frames_lie_by_their_time():
    scale = whole(VARYING, 1160)
    assert scale.x_of(100) == 0
    assert scale.x_of(1260) == pytest.approx(1160)
    assert scale.x_of(1180) == pytest.approx(1080)
    assert VARYING.frame_at(scale.pts_at(500)) == 180


@given(st.floats(0, 1100), st.floats(0.01, 100))
def test_zooming_keeps_what_is_under_the_mouse(x, factor):
    scale = whole(EVEN, 1100)
    zoomed = scale.zoomed(factor, at_px=x)
    assert zoomed.pts_at(x) == pytest.approx(scale.pts_at(x), abs=1e-6)


@given(st.sampled_from([EVEN, VARYING, ONE]), st.floats(-9e3, 9e3), st.floats(1e-4, 1e4), st.integers(1, 3000))
def test_a_limited_scale_shows_nothing_beside_the_clip_and_no_giant_frames(marks, start, per_px, width):
    scale = Scale(start, per_px).limited(marks, width)
    length = marks.end_pts - int(marks.pts[0])
    assert scale.start_pts >= int(marks.pts[0]) - 1e-6
    assert scale.pts_at(width) <= marks.end_pts + 1e-6
    shortest = int(np.diff(marks.pts).min()) if len(marks) > 1 else length
    assert shortest / scale.ticks_per_px <= max(MAX_FRAME_PX, width * shortest / length) + 1e-6


def test_no_frames_and_no_room_still_give_a_scale():
    assert whole(NONE, 500) == Scale(0.0, 1.0)
    assert whole(EVEN, 0) == Scale(0.0, 1.0)


def test_a_moment_out_of_sight_is_brought_in_by_turning_the_page():
    scale = Scale(0, 1)
    assert scale.showing(500, 1000) is scale
    ahead = scale.showing(1500, 1000)
    assert 0 < ahead.x_of(1500) < 100
    back = ahead.showing(100, 1000)
    assert 900 < back.x_of(100) < 1000


def test_a_frame_stands_at_its_middle_and_a_held_one_near_its_start():
    assert middle_of(VARYING, 0) == 120
    assert middle_of(VARYING, 2) == 200
    assert middle_of(VARYING, 4) == 1240


# Pixels


def test_a_column_stands_for_all_frames_it_covers():
    marks = replace(EVEN, edited=pts_array([1000]), locked=pts_array([1040]))
    flags = columns(marks, whole(marks, 10), 10).any_of(marks.flags())
    assert [Mark(flag) for flag in flags.tolist()] == [
        Mark.EDITED | Mark.LOCKED if column == 2 else Mark(0) for column in range(10)
    ]


def test_a_held_frame_fills_all_its_columns():
    marks = replace(VARYING, edited=pts_array([180]))
    flags = columns(marks, whole(marks, 116), 116).any_of(marks.flags())
    assert runs(flags > 0) == [(8, 108)]


def test_columns_beside_the_clip_are_empty():
    marks = replace(ONE, edited=ONE.pts, confidence=np.array([0.5], np.float32))
    under = columns(marks, Scale(-13, 10), 10)
    assert runs(under.any_of(marks.flags()) > 0) == [(2, 6)]
    assert np.isnan(under.lowest(marks.confidence)).tolist() == [True] * 2 + [False] * 4 + [True] * 4
    nothing = columns(NONE, Scale(0, 1), 5)
    assert nothing.any_of(NONE.flags()).tolist() == [0] * 5


def test_a_column_shows_its_least_trusted_frame_and_unknown_only_when_all_are():
    values = [0.9, 0.2, np.nan, 0.7, np.nan, np.nan]
    marks = trusting(values)
    lowest = columns(marks, whole(marks, 3), 3).lowest(marks.confidence)
    assert lowest[:2].tolist() == pytest.approx([0.2, 0.7])
    assert np.isnan(lowest[2])


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.data())
def test_columns_agree_with_asking_every_pixel(gaps, data):
    pts = pts_array(np.cumsum(gaps))
    set_ones = data.draw(st.lists(st.booleans(), min_size=len(pts), max_size=len(pts)))
    marks = Marks(pts=pts, time_base=MS, edited=pts[np.array(set_ones)])
    scale = Scale(data.draw(st.integers(-50, 500)), data.draw(st.sampled_from([0.25, 1, 7])))
    flags = columns(marks, scale, 40, ratio=2).any_of(marks.flags())
    for column in range(80):
        left, right = scale.pts_at(column / 2), scale.pts_at((column + 1) / 2)
        ends = np.append(pts[1:], marks.end_pts)
        seen = np.array(set_ones) & (pts < right) & (ends > left)
        assert bool(flags[column]) == bool(seen.any())


def test_50000_frames_become_as_many_columns_as_there_are_pixels():
    marks = big(edited=pts_array([33 * 49_999]), keyframes=pts_array(np.arange(50_000) * 33))
    scale = whole(marks, 1120)
    flags = columns(marks, scale, 1120, ratio=2).any_of(marks.flags())
    assert len(flags) == 2240
    assert runs((flags & Mark.EDITED) > 0) == [(2239, 2240)]
    assert len(signs(marks, marks.flags(), Mark.KEYFRAME, scale, 1120)) <= 1120 / 5 + 2


def test_runs_are_half_open():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, bool)) == []
    assert runs(np.zeros(0, bool)) == []


def test_signs_stand_in_the_middle_of_their_frames_and_the_same_ones_stay_while_scrolling():
    marks = replace(EVEN, keyframes=EVEN.pts)
    assert signs(marks, marks.flags(), Mark.KEYFRAME, Scale(0, 1), 100)[:2] == [20, 60]
    close = Scale(0, 20)
    kept = []
    for by in (0, 1, 2, 3, 7):
        moved = close.scrolled(by)
        places = signs(marks, marks.flags(), Mark.KEYFRAME, moved, 60)
        kept.append({round(moved.pts_at(x)) for x in places if 300 < moved.pts_at(x) < 1000})
    assert 6 <= len(kept[0]) <= 8
    assert all(others == kept[0] for others in kept)
    assert signs(NONE, NONE.flags(), Mark.KEYFRAME, close, 100) == []


# Words


def test_times_are_written_as_players_write_them():
    assert clock_words(12.48) == "0:12.480"
    assert clock_words(3723.5, decimals=1) == "1:02:03.5"
    assert clock_words(59.9999, decimals=0) == "0:59"
    assert clock_words(0.29, decimals=2) == "0:00.29"
    assert clock_words(0) == "0:00.000"


def test_the_ruler_writes_round_times_that_do_not_touch():
    marks = big()
    ticks = ruler(marks, whole(marks, 1120), 1120)
    labels = [tick for tick in ticks if tick.words]
    assert [tick.words for tick in labels][:3] == ["0:00", "5:00", "10:00"]
    assert np.diff([tick.x_px for tick in labels]).min() >= 84
    assert len(ticks) < 80


def test_the_ruler_counts_from_the_first_frame_and_shows_parts_of_seconds_close_up():
    ticks = ruler(VARYING, Scale(100, 1), 400)
    assert [(tick.words, round(tick.x_px)) for tick in ticks if tick.words][:2] == [("0:00.0", 0), ("0:00.1", 100)]


def test_the_ruler_of_frames_stands_at_their_own_times():
    ticks = ruler(VARYING, whole(VARYING, 1160), 1160, "frames")
    assert [(tick.words, round(tick.x_px)) for tick in ticks] == [("0", 0), ("", 40), ("", 80), ("3", 1080), ("", 1120)]


@given(st.floats(0.001, 100), st.floats(-5e3, 5e3))
def test_words_of_the_ruler_never_overlap_whatever_the_scale(per_px, start):
    for unit in ("time", "frames"):
        scale = Scale(start, per_px).limited(EVEN, 900)
        x = [tick.x_px for tick in ruler(EVEN, scale, 900, unit) if tick.words]
        assert all(after - before >= 83.9 for before, after in pairwise(x))


def test_a_ruler_without_frames_is_empty_and_one_frame_has_its_start():
    assert ruler(NONE, Scale(0, 1), 100) == []
    assert ruler(ONE, whole(ONE, 500), 500)[0].words == "0:00.00"


def test_a_clip_of_days_has_a_ruler_too():
    days = Marks(pts=pts_array(np.arange(1000) * 600), time_base=Fraction(1))
    labels = [tick.x_px for tick in ruler(days, whole(days, 300), 300) if tick.words]
    assert len(labels) >= 2
    assert min(np.diff(labels)) >= 84


def test_spans_are_plain_values():
    assert MatchSpan(1, 2, "locked", "Locked") == MatchSpan(1, 2, "locked", "Locked")
