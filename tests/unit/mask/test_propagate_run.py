from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import UserError
from app.domain.mask.correction import Correction
from app.domain.mask.document import Clip, FrameEdit, MaskDocument, MediaRef, Meta, Origin, Span
from app.domain.mask.planes import Planes
from app.pipeline.bench.moving_objects import MovingObject, translating
from app.pipeline.mask.frame_index import read_index
from app.pipeline.mask.propagate_run import Carried, Ended, Reach, Run, carried, change_of, plan
from app.pipeline.mask.propagation import StopReason
from app.pipeline.mask.seeking import FrameSeeker
from tests.support.media import write_clip

SIZE = (240, 160)
FRAMES = 12
CUT_AT = 8
TICK = Fraction(1, 2500)


class Material:
    """A clip of a disc that moves 2 px a frame, its true masks, and documents about it."""

    def __init__(self, path, scenes):
        shown = [one for object_, numbers in scenes for one in object_.frames(numbers)]
        self.masks = [one.mask for one in shown]
        write_clip(path, frames=len(shown), size=SIZE, time_base=TICK, draw=lambda w, h, i: shown[i].frame.pixels)
        self.index = read_index(path)
        self.seeker = FrameSeeker(path, self.index)
        ref = MediaRef("clip.mp4", str(path), "sampled-sha256:0", 1)
        self.empty = MaskDocument(Meta(Clip(ref, SIZE, self.index.time_base)))

    def pts(self, *places):
        return [self.index.pts_at(place) for place in places]

    def edit(self, place, **flags):
        mask = self.masks[place]
        weight = np.where(mask > 0, 255, 0).astype(np.uint8)
        return FrameEdit(Correction.of(Planes(mask.copy(), weight)), **flags)

    def document(self, *places, span=(None, None), **flags):
        frames = {self.index.pts_at(place): self.edit(place, **flags) for place in places}
        ends = Span(*(None if place is None else self.index.pts_at(place) for place in span))
        return replace(self.empty, meta=replace(self.empty.meta, span=ends)).with_frames(frames)

    def run(self, document, run, *, cuts=(), should_stop=lambda: False):
        """What was carried, by place, and how it ended."""
        items = list(carried(run, document, self.seeker, lambda: frozenset(cuts), should_stop))
        done = {self.index.index_of(item.frame.pts): item for item in items if isinstance(item, Carried)}
        (end,) = [item for item in items if isinstance(item, Ended)]
        assert items[-1] is end
        return done, end

    def check_truth(self, done):
        """Every frame carries its own picture, and a correction that lies on the object."""
        for place, item in done.items():
            assert item.frame.index == place
            planes, mask = item.edit.correction.planes(), self.masks[place] >= 128
            found = (planes.value >= 128) & (planes.weight > 0)
            assert np.count_nonzero(found & mask) / np.count_nonzero(found | mask) > 0.9, place
            assert item.edit.origin is Origin.PROPAGATED


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    disc = MovingObject(SIZE, 80, translating((90, 80), (2, 0.5)), seed=4)
    material = Material(tmp_path_factory.mktemp("moving") / "clip.mp4", [(disc, range(FRAMES))])
    yield material
    material.seeker.close()


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    motion = translating((90, 80), (2, 0.5))
    scenes = [
        (MovingObject(SIZE, 80, motion, seed=4), range(CUT_AT)),
        (MovingObject(SIZE, 80, motion, seed=5), range(CUT_AT, FRAMES)),
    ]
    material = Material(tmp_path_factory.mktemp("cut") / "clip.mp4", scenes)
    yield material
    material.seeker.close()


@pytest.mark.parametrize(("forward", "place"), [(True, 5), (False, 3)])
def test_one_frame_goes_to_the_neighbour_and_no_further(moving, forward, place):
    document = moving.document(4)
    run = plan(document, moving.index, *moving.pts(4), Reach.FRAME, forward=forward)
    done, end = moving.run(document, run)
    assert list(done) == [place]
    moving.check_truth(done)
    assert end == Ended(*moving.pts(place), StopReason.END_OF_RANGE)


@pytest.mark.parametrize(("forward", "places"), [(True, [5, 6, 7, 8]), (False, [3, 2])])
def test_a_range_is_gone_through_to_its_end_in_order(moving, forward, places):
    document = moving.document(4, span=(2, 8))
    run = plan(document, moving.index, *moving.pts(4), Reach.RANGE, forward=forward)
    done, end = moving.run(document, run)
    assert list(done) == places
    moving.check_truth(done)
    assert end == Ended(*moving.pts(places[-1]), StopReason.END_OF_RANGE)


@pytest.mark.parametrize(("forward", "last"), [(True, FRAMES - 1), (False, 0)])
def test_without_a_range_the_clips_end_is_the_end(moving, forward, last):
    document = moving.document(4)
    assert plan(document, moving.index, *moving.pts(4), Reach.RANGE, forward=forward) == Run(*moving.pts(4, last))


@pytest.mark.parametrize(("forward", "place"), [(True, 8), (False, 2)])
def test_nothing_is_carried_out_of_the_range_from_its_last_frame(moving, forward, place):
    document = moving.document(place, span=(2, 8))
    with pytest.raises(UserError):
        plan(document, moving.index, *moving.pts(place), Reach.RANGE, forward=forward)


def test_an_in_point_between_two_frames_keeps_the_run_inside(moving):
    document = moving.document(4)
    (early,) = moving.pts(1)
    document = replace(document, meta=replace(document.meta, span=Span(early + 1, None)))
    run = plan(document, moving.index, *moving.pts(4), Reach.RANGE, forward=False)
    assert run.stop_pts in document.meta.span


@pytest.mark.parametrize(("start", "key", "forward", "places"), [(2, 6, True, [3, 4, 5]), (9, 6, False, [8, 7])])
def test_the_next_keyframe_ends_it_and_stays_as_it_is(moving, start, key, forward, places):
    document = moving.document(start).with_frames({moving.index.pts_at(key): moving.edit(key, is_keyframe=True)})
    run = plan(document, moving.index, *moving.pts(start), Reach.KEYFRAME, forward=forward)
    done, end = moving.run(document, run)
    assert list(done) == places
    moving.check_truth(done)
    assert end == Ended(*moving.pts(key), StopReason.OTHER_KEYFRAME)


def test_a_keyframe_carries_its_own_correction_on(moving):
    document = moving.document(4, is_keyframe=True)
    done, _ = moving.run(document, Run(*moving.pts(4, 6)))
    assert list(done) == [5, 6]
    assert not done[5].edit.is_keyframe


@pytest.mark.parametrize("place", [3, 5, 7])
def test_between_keyframes_every_frame_is_filled_and_no_key_touched(moving, place):
    document = moving.document(3, 8, is_keyframe=True)
    run = plan(document, moving.index, *moving.pts(place), Reach.BETWEEN, forward=True)
    assert run == Run(*moving.pts(3, 8), is_blend=True)
    done, _ = moving.run(document, run)
    assert sorted(done) == [4, 5, 6, 7]
    moving.check_truth(done)


def test_between_is_refused_without_a_corrected_keyframe_on_both_sides(moving):
    document = moving.document(3, 8, is_keyframe=True)
    for place in (1, 8, 10):
        with pytest.raises(UserError, match="both sides"):
            plan(document, moving.index, *moving.pts(place), Reach.BETWEEN, forward=True)
    bare = document.with_frames({moving.index.pts_at(8): FrameEdit(Correction(SIZE), is_keyframe=True)})
    with pytest.raises(UserError, match="both sides"):
        plan(bare, moving.index, *moving.pts(5), Reach.BETWEEN, forward=True)


@pytest.mark.parametrize(("place", "forward"), [(0, False), (FRAMES - 1, True)])
def test_the_ends_of_the_clip_and_empty_frames_are_refused(moving, place, forward):
    with pytest.raises(UserError, match="ends here"):
        plan(moving.document(place), moving.index, *moving.pts(place), Reach.FRAME, forward=forward)
    with pytest.raises(UserError, match="no correction"):
        plan(moving.empty, moving.index, *moving.pts(4), Reach.RANGE, forward=True)


def test_a_locked_frame_ends_it_unchanged_and_is_marked(moving):
    locked = moving.edit(6, is_locked=True)
    document = moving.document(3).with_frames({moving.index.pts_at(6): locked})
    done, end = moving.run(document, Run(*moving.pts(3, 10)))
    assert list(done) == [4, 5]
    assert end == Ended(*moving.pts(6), StopReason.LOCKED_FRAME)
    after = applied(document, done, end)
    assert after.edit_at(*moving.pts(6)) is locked
    assert after.meta.stops == {end.pts: "This frame is locked."}


def test_a_locked_frame_between_keyframes_is_left_out(moving):
    locked = FrameEdit(Correction(SIZE), is_locked=True)
    document = moving.document(3, 8, is_keyframe=True).with_frames({moving.index.pts_at(5): locked})
    done, _ = moving.run(document, Run(*moving.pts(3, 8), is_blend=True))
    assert sorted(done) == [4, 6, 7]


@pytest.mark.parametrize(
    ("start", "stop", "places", "at"), [(5, 11, [6, 7], CUT_AT), (10, 2, [9, 8], CUT_AT - 1)], ids=["on", "back"]
)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_cut_ends_it_exactly_and_is_marked(cut, start, stop, places, at, is_known):
    document = cut.document(start)
    cuts = cut.pts(CUT_AT) if is_known else []
    done, end = cut.run(document, Run(*cut.pts(start, stop)), cuts=cuts)
    assert list(done) == places
    assert end == Ended(*cut.pts(at), StopReason.SCENE_CUT)
    assert applied(document, done, end).meta.stops == {end.pts: "The scene cuts here."}


def test_a_cut_between_keyframes_is_crossed_by_neither_side(cut):
    document = cut.document(CUT_AT - 3, CUT_AT + 3, is_keyframe=True)
    done, _ = cut.run(document, Run(*cut.pts(CUT_AT - 3, CUT_AT + 3), is_blend=True), cuts=cut.pts(CUT_AT))
    assert sorted(done) == [6, 7, 8, 9, 10]
    cut.check_truth(done)


def test_cancelled_runs_keep_what_was_done_and_mark_nothing(moving):
    document, asked = moving.document(2), []

    def after_three():
        asked.append(1)
        return len(asked) > 3

    done, end = moving.run(document, Run(*moving.pts(2, 11)), should_stop=after_three)
    assert list(done) == [3, 4, 5]
    moving.check_truth(done)
    assert end.reason is StopReason.CANCELLED
    after = applied(document, done, end)
    assert sorted(after.frames) == moving.pts(2, 3, 4, 5)
    assert after.meta.stops == {}


def test_a_cancelled_blend_ends_by_saying_so(moving):
    document = moving.document(3, 8, is_keyframe=True)
    count = []

    def while_results_come():
        count.append(1)
        return len(count) > 10

    done, end = moving.run(document, Run(*moving.pts(3, 8), is_blend=True), should_stop=while_results_come)
    assert end.reason is StopReason.CANCELLED
    assert 0 < len(done) < 4
    moving.check_truth(done)


def test_what_a_frame_had_before_is_replaced_but_for_its_flags_and_comes_back_by_undo(moving):
    old = FrameEdit(Correction.of(Planes(np.full(SIZE[::-1], 9, np.uint8), np.full(SIZE[::-1], 9, np.uint8))))
    document = moving.document(3).with_frames({moving.index.pts_at(4): old})
    done, end = moving.run(document, Run(*moving.pts(3, 5)))
    moving.check_truth(done)
    change = change_of(document, edits_of(done), end, "Carry on", moving.index.pts_at(3))
    after = change.done_to(document)
    assert after.frames.keys() == set(moving.pts(3, 4, 5))
    assert after.edit_at(*moving.pts(4)).correction != old.correction
    assert change.reversed.done_to(after) == document


def test_marks_that_a_run_passes_are_taken_away_and_others_stay(moving):
    document = moving.document(3)
    stops = dict(zip(moving.pts(5, 9), ("was here", "still here"), strict=True))
    document = replace(document, meta=replace(document.meta, stops=stops))
    done, end = moving.run(document, Run(*moving.pts(3, 6)))
    assert applied(document, done, end).meta.stops == {moving.index.pts_at(9): "still here"}


def edits_of(done):
    return {item.frame.pts: item.edit for item in done.values()}


def applied(document, done, end):
    return change_of(document, edits_of(done), end, "Carry on", end.pts).done_to(document)


@pytest.mark.parametrize("forward", [True, False])
def test_without_a_keyframe_in_the_direction_nothing_is_begun(moving, forward):
    with pytest.raises(UserError, match="no keyframe in this direction"):
        plan(moving.document(4), moving.index, *moving.pts(4), Reach.KEYFRAME, forward=forward)


def test_a_start_that_cannot_be_decoded_is_not_mistaken_for_the_next_frame(moving, monkeypatch):
    def broken(_pts, **_):
        raise UserError("It is damaged at this moment.")

    document = moving.document(4)
    run = plan(document, moving.index, *moving.pts(4), Reach.RANGE, forward=True)
    monkeypatch.setattr(moving.seeker, "at", broken)
    with pytest.raises(UserError, match="damaged"):
        moving.run(document, run)


def test_a_blend_that_was_stopped_says_where(cut):
    document = cut.document(CUT_AT - 4, CUT_AT + 2, is_keyframe=True)
    run = plan(document, cut.index, *cut.pts(CUT_AT - 2), Reach.BETWEEN, forward=True)
    done, end = cut.run(document, run)
    assert sorted(done) == [CUT_AT - 3, CUT_AT - 2, CUT_AT - 1, CUT_AT, CUT_AT + 1]
    assert end.reason is StopReason.SCENE_CUT
