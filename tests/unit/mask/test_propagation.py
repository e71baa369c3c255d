import itertools
from dataclasses import replace

import numpy as np
import pytest

from app.domain.mask.motion import FlowEstimator
from app.domain.mask.planes import NOWHERE, Box, Planes, corrected
from app.domain.mask.propagating import Grid, PlacedPlanes, advance, begin
from app.pipeline.mask.propagation import Propagated, StopReason, Stops, blended, propagate
from tests.support.moving_masks import (
    SIZE,
    corrected_iou,
    dot,
    edge_edit,
    iou,
    moving,
    painted_as,
    pictures,
    still,
    with_cut,
    with_occluder,
)


def run(planes, frames, **options):
    """(pts -> item, the last item, which says why it ended)."""
    *items, last = propagate(planes, frames, **options)
    assert last.placed is None
    assert all(item.stopped is None for item in items)
    return {item.pts: item for item in items}, last


@pytest.mark.parametrize("kind", ["translate", "affine", "scale"])
def test_correction_is_on_the_object_30_frames_on(kind):
    shown = moving(kind)
    items, last = run(painted_as(shown[0]), pictures(shown))
    assert list(items) == list(range(1, 31))
    assert corrected_iou(items[30], shown[30]) >= 0.97
    assert items[30].confidence > 0.9
    assert (last.stopped, last.pts) == (StopReason.END_OF_RANGE, 30)


@pytest.mark.parametrize("kind", ["translate", "affine", "scale"])
def test_backward_is_as_good(kind):
    shown = moving(kind)[::-1]
    items, _ = run(painted_as(shown[0]), pictures(shown))
    assert corrected_iou(items[0], shown[-1]) >= 0.97


def test_one_frame_is_just_two_frames_given():
    shown = moving("translate")[:2]
    items, last = run(painted_as(shown[0]), pictures(shown))
    assert list(items) == [1]
    assert last.stopped is StopReason.END_OF_RANGE


def test_in_one_edit_the_object_is_followed_and_the_ground_stays():
    shown = moving("translate")
    planes = edge_edit(shown[0])
    items, _ = run(planes, pictures(shown))
    end = items[30].placed.on(SIZE)
    adds = (end.value >= 128) & (end.weight > 127)
    removes = (end.value < 128) & (end.weight > 127)
    assert iou((adds * 255).astype(np.uint8), shown[30].mask) >= 0.95
    assert np.count_nonzero(removes & (planes.weight == 0)) < 0.04 * np.count_nonzero(removes)
    assert np.count_nonzero(removes & (shown[30].mask >= 128)) < 0.02 * np.count_nonzero(shown[30].mask)


def test_edges_stay_as_sharp_as_they_were_painted():
    shown = moving("translate")
    items, _ = run(painted_as(shown[0]), pictures(shown))
    end = items[30].placed.planes.weight
    soft_now, soft_before = (np.count_nonzero((w > 25) & (w < 230)) for w in (end, shown[0].mask))
    assert soft_now < 2.5 * soft_before


def test_what_something_covers_vanishes_and_does_not_ride_along_with_it():
    shown = list(with_occluder(still(31, size=(320, 240)), width_px=220, step_px=8, from_px=60))
    items, last = run(painted_as(shown[0]), pictures(shown))
    covered = next(one.frame.pts for one in shown if not one.mask.any())
    whole = float(shown[0].mask.sum())
    for pts, item in items.items():
        on_bar = item.placed.on((320, 240)).weight[shown[pts].mask < shown[0].mask]
        assert on_bar.sum() < 0.12 * whole
    assert last.stopped is StopReason.FADED
    assert last.pts <= covered + 1


def test_ends_exactly_on_the_cut():
    shown = moving("translate")[:12]
    items, last = run(painted_as(shown[0]), with_cut(shown, 7))
    assert list(items) == [1, 2, 3, 4, 5, 6]
    assert (last.stopped, last.pts) == (StopReason.SCENE_CUT, 7)


def test_ends_on_a_cut_going_back():
    shown = moving("translate")[:12]
    frames = list(with_cut(shown, 7))[::-1]
    items, last = run(painted_as(shown[-1]), frames)
    assert min(items) == 7
    assert (last.stopped, last.pts) == (StopReason.SCENE_CUT, 6)


@pytest.mark.parametrize("backward", [False, True])
def test_known_cuts_end_it_without_being_seen(backward):
    shown = list(moving("translate")[:10])[:: -1 if backward else 1]
    items, last = run(painted_as(shown[0]), pictures(shown), stops=Stops(cuts={6}))
    assert sorted(items) == ([6, 7, 8] if backward else [1, 2, 3, 4, 5])
    assert (last.stopped, last.pts) == (StopReason.SCENE_CUT, 5 if backward else 6)


@pytest.mark.parametrize(
    ("stops", "reason"),
    [
        (Stops(locked={4}), StopReason.LOCKED_FRAME),
        (Stops(keyframes={4}), StopReason.OTHER_KEYFRAME),
        (Stops(locked={4}, keyframes={4}, cuts={4}), StopReason.LOCKED_FRAME),
    ],
)
def test_ends_before_frames_that_are_somebody_elses(stops, reason):
    shown = moving("translate")[:8]
    items, last = run(painted_as(shown[0]), pictures(shown), stops=stops)
    assert list(items) == [1, 2, 3]
    assert (last.stopped, last.pts) == (reason, 4)


def test_the_edited_frame_itself_may_be_a_keyframe_or_locked():
    shown = moving("translate")[:3]
    items, _ = run(painted_as(shown[0]), pictures(shown), stops=Stops(locked={0}, keyframes={0}, cuts={0}))
    assert list(items) == [1, 2]


def test_stops_when_asked_to():
    asked = itertools.count(1)
    shown = moving("translate")[:8]
    items, last = run(painted_as(shown[0]), pictures(shown), should_stop=lambda: next(asked) > 3)
    assert list(items) == [1, 2, 3]
    assert last.stopped is StopReason.CANCELLED


def test_closing_it_reads_no_further_frame():
    read = []
    shown = moving("translate")[:8]
    items = propagate(painted_as(shown[0]), (read.append(one.frame.pts) or one.frame for one in shown))
    next(items)
    items.close()
    assert read == [0, 1]


def test_every_reason_has_a_sentence_of_its_own():
    assert len({reason.value for reason in StopReason}) == len(StopReason)
    assert all(reason.value.endswith(".") for reason in StopReason)


def test_empty_planes_are_nothing_to_carry():
    shown = moving("translate")[:3]
    items, last = run(Planes.empty(SIZE), pictures(shown))
    assert items == {}
    assert (last.stopped, last.pts) == (StopReason.NOTHING_PAINTED, 0)


def test_no_frames_no_items():
    assert list(propagate(Planes.empty(SIZE), [])) == []


def test_planes_of_another_size_are_refused():
    with pytest.raises(ValueError, match="planes of"):
        next(propagate(Planes.empty((10, 10)), pictures(moving("translate")[:2])))


def test_an_edit_that_leaves_the_picture_is_over():
    shown = [replace_shift(one, 16 * number) for number, one in enumerate(still(16))]
    _, last = run(painted_as(still(1)[0]), shown)
    assert last.stopped in {StopReason.FADED, StopReason.LOW_CONFIDENCE}
    assert last.pts > 5


def replace_shift(one, by_px):
    """The frame with everything moved to the right and a plain wall behind."""
    pixels = np.full_like(one.frame.pixels, 128)
    pixels[:, by_px:] = one.frame.pixels[:, : pixels.shape[1] - by_px]
    return replace(one.frame, pixels=pixels)


def test_an_edit_at_the_border_stays_there():
    shown = still(6)
    planes = Planes.empty(SIZE)
    planes.value[:40, :50] = planes.weight[:40, :50] = 255
    items, _ = run(planes, pictures(shown))
    end = items[5].placed.on(SIZE)
    assert iou(end.weight, planes.weight) > 0.97
    assert end.weight[0, 0] == 255


def test_one_pixel_is_carried_too():
    shown = moving("translate")[:6]
    y, x = (int(v.mean()) for v in np.nonzero(shown[0].mask))
    items, _ = run(dot(SIZE, x, y), pictures(shown))
    weight = items[5].placed.on(SIZE).weight
    ys, xs = np.nonzero(weight)
    assert np.hypot(xs.mean() - (x + 5 * 1.2), ys.mean() - (y - 5 * 0.6)) < 1.5
    assert 1 <= xs.size <= 6


@pytest.mark.parametrize("size", [(97, 61), (33, 130), (16, 9), (3, 2)])
def test_odd_and_tiny_frames(size):
    shown = still(4, size=size, object_px=min(size) * 0.8)
    planes = Planes(np.full(size[::-1], 255, np.uint8), np.full(size[::-1], 200, np.uint8))
    items, last = run(planes, pictures(shown))
    assert last.stopped is StopReason.END_OF_RANGE
    assert items[3].placed.on(size).weight.min() > 150


def test_large_edits_are_followed_on_a_coarse_grid_but_stay_full_size():
    shown = still(4, size=(700, 420), object_px=380)
    assert not Grid.around(Box(100, 20, 600, 400), (700, 420)).is_pixels
    items, _ = run(painted_as(shown[0]), pictures(shown))
    assert iou(items[3].placed.on((700, 420)).weight, shown[3].mask) > 0.99


def test_soft_weight_and_values_come_through_unchanged_where_nothing_moves():
    shown = still(5)
    planes = painted_as(shown[0])
    planes.value[planes.weight > 0] = 90
    planes.weight[...] = planes.weight // 2
    items, _ = run(planes, pictures(shown))
    end = items[4].placed.on(SIZE)
    assert np.abs(end.weight.astype(int) - planes.weight)[planes.weight == 127].mean() < 2
    assert set(np.unique(end.value)) <= {0, 90}


def test_where_there_is_no_weight_there_is_no_value():
    shown = moving("affine")[:6]
    items, _ = run(edge_edit(shown[0]), pictures(shown))
    for item in items.values():
        assert not item.placed.planes.value[item.placed.planes.weight == 0].any()
        assert item.trust.shape == item.placed.planes.weight.shape


def test_a_step_leaves_the_earlier_track_as_it_was():
    shown = moving("translate")[:3]
    first = begin(painted_as(shown[0]), shown[0].frame)
    again = [advance(first, shown[1].frame, FlowEstimator())[1] for _ in range(2)]
    assert np.array_equal(again[0].placed.planes.weight, again[1].placed.planes.weight)


def item(pts, box, value, weight, trust=255, confidence=1.0):
    shape = box.size[::-1]
    filled = [np.full(shape, level, np.uint8) for level in (value, weight, trust)]
    return Propagated(pts, PlacedPlanes(box, Planes(filled[0], filled[1])), filled[2], confidence)


def end(pts):
    return Propagated(pts, None, np.zeros((0, 0), np.uint8), 0.0, StopReason.OTHER_KEYFRAME)


def test_blending_follows_the_distance_in_time():
    box = Box(0, 0, 4, 4)
    ahead = [item(pts, box, 255, 255) for pts in (1, 2, 3)]
    back = [item(pts, box, 0, 255) for pts in (3, 2, 1)]
    values = {i.pts: int(i.placed.planes.value[0, 0]) for i in blended(ahead, back, keyframes=(0, 4))}
    assert values == {3: 64, 2: 128, 1: 191}


def test_blending_follows_the_surer_one():
    box = Box(2, 2, 6, 6)
    lost = item(2, box, 255, 3, trust=3, confidence=0.01)
    (only,) = blended([lost], [item(2, box, 40, 255)], keyframes=(0, 4))
    assert only.placed.planes.weight.min() > 250
    assert only.placed.planes.value.max() < 50


def test_where_one_run_stopped_the_other_is_used():
    box = Box(0, 0, 3, 3)
    ahead = [item(1, box, 255, 200), end(2)]
    back = [item(3, box, 10, 100), item(2, box, 10, 100), end(1)]
    got = {i.pts: i for i in blended(ahead, back, keyframes=(0, 4))}
    assert list(got) == [3, 2, 1]
    assert got[1].placed.planes.weight.tolist() == [[200] * 3] * 3
    assert got[3].placed.planes.value.tolist() == [[10] * 3] * 3


def test_blending_covers_both_boxes():
    one, other = item(1, Box(0, 0, 4, 4), 255, 255), item(1, Box(6, 2, 10, 8), 0, 255)
    (both,) = blended([one], [other], keyframes=(0, 2))
    assert both.placed.box == Box(0, 0, 10, 8)
    assert 120 <= both.placed.planes.weight[0, 0] <= 135
    assert both.placed.planes.weight[0, 9] == 0


def test_blending_nothing_with_nothing():
    empty = Propagated(1, PlacedPlanes(NOWHERE, Planes.empty((0, 0))), np.zeros((0, 0), np.uint8), 0.5)
    (only,) = blended([empty], [empty], keyframes=(0, 2))
    assert only.placed.box.is_empty


def test_two_keyframes_blended_are_better_than_either_alone():
    """A bar passes over the object and loses it for the run ahead, later for the one back."""
    shown = list(with_occluder(still(26, size=(320, 240)), width_px=60, step_px=12, from_px=40))
    ahead = list(propagate(painted_as(shown[0]), pictures(shown)))
    back = list(propagate(painted_as(shown[-1]), pictures(shown)[::-1]))
    both = list(blended(ahead, back, keyframes=(0, 25)))

    def mean_iou(items):
        by_pts = {i.pts: i for i in items if i.placed is not None}
        scores = [corrected_iou(by_pts[pts], shown[pts]) if pts in by_pts else 0.0 for pts in range(1, 25)]
        return float(np.mean(scores))

    assert mean_iou(both) > max(mean_iou(ahead), mean_iou(back)) + 0.02


def test_wrong_model_alpha_is_overruled_both_ways():
    shown = moving("translate")[:11]
    items, _ = run(edge_edit(shown[0]), pictures(shown))
    planes = items[10].placed.on(SIZE)
    sure = planes.weight > 200
    wrong = 255 - shown[10].mask
    right = (corrected(wrong, planes) >= 128) == (shown[10].mask >= 128)
    assert right[sure].mean() > 0.97
