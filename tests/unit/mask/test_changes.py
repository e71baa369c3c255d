from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.brush import BrushSettings, Stroke
from app.domain.mask.changes import Change, MaskHistory, frames_changed, meta_changed
from app.domain.mask.correction import Correction
from app.domain.mask.document import (
    AdjustedSpan,
    Clip,
    FrameEdit,
    MaskDocument,
    MatchSpan,
    MediaRef,
    Meta,
    Origin,
    Span,
)
from app.domain.mask.planes import Planes


def empty(size=(200, 100)):
    return MaskDocument(Meta(Clip(MediaRef("a.mp4", "/a.mp4", "", 1), size, Fraction(1, 25))))


def spot(x, value=255, size=(200, 100)):
    planes = Planes.empty(size)
    planes.value[5:9, x : x + 4], planes.weight[5:9, x : x + 4] = value, 255
    return FrameEdit(Correction.of(planes))


def step(document, pts, edit, name="Stroke"):
    return frames_changed(document, {pts: edit}, name, pts=pts)


def painted_history(count, *, max_bytes=2**28):
    history = MaskHistory(empty(), max_bytes=max_bytes)
    for number in range(count):
        history.do(step(history.document, number % 3, spot(number % 150)))
    return history


def test_undo_and_redo_give_back_exactly_what_was_there():
    history, states = MaskHistory(empty()), []
    for number in range(5):
        states.append(history.document)
        history.do(step(history.document, number % 2, spot(10 * number)))
    final = history.document
    for state in reversed(states):
        assert history.undo() is not None
        assert history.document == state
    assert history.undo() is None
    while history.redo() is not None:
        pass
    assert history.document == final


def test_a_step_back_says_which_frame_it_changed():
    history = MaskHistory(empty())
    history.do(step(history.document, 7, spot(1), "Lasso"))
    assert history.undo_name == "Lasso"
    change = history.undo()
    assert change is not None
    assert change.pts == 7
    assert change.frames[7] == (spot(1), None)
    assert (history.undo_name, history.redo_name) == (None, "Lasso")


def test_a_new_step_forgets_what_was_taken_back():
    history = painted_history(2)
    history.undo()
    history.do(step(history.document, 9, spot(3)))
    assert history.redo() is None


def test_what_changes_nothing_is_no_step():
    history = painted_history(1)
    history.do(step(history.document, 0, spot(0)))
    history.do(Change("nothing"))
    assert history.steps == 1


def test_saved_is_known_by_the_steps_not_by_counting():
    history = painted_history(2)
    assert not history.is_clean
    history.mark_clean()
    history.undo()
    assert not history.is_clean
    history.redo()
    assert history.is_clean
    history.undo()
    history.do(step(history.document, 9, spot(3)))
    history.undo()
    assert not history.is_clean


def test_the_oldest_steps_go_first_when_the_bytes_are_used_up():
    history = painted_history(60, max_bytes=20_000)
    assert 1 < history.steps < 60
    final = history.document
    steps = history.steps
    while history.undo() is not None:
        pass
    assert not history.is_clean
    for _ in range(steps):
        history.redo()
    assert history.document == final


def test_one_step_can_be_taken_back_however_large_it_is():
    assert painted_history(3, max_bytes=1).steps == 1


def test_two_hundred_long_soft_strokes_over_a_1080p_frame_can_be_taken_back():
    size = (1920, 1080)
    history = MaskHistory(empty(size))
    rng = np.random.default_rng(0)
    planes, strokes = Planes.empty(size), []
    for _ in range(4):
        stroke = Stroke(size, BrushSettings(size_px=200, hardness=0.2))
        for x, y in zip(np.linspace(0, 1919, 12), rng.integers(100, 980, 12), strict=True):
            stroke.extend(float(x), float(y))
        part = stroke.applied(planes, stroke.box, "add")
        planes = planes.copy()
        planes.value[stroke.box.rows_columns], planes.weight[stroke.box.rows_columns] = part.value, part.weight
        edit = FrameEdit(Correction.of(planes))
        history.do(frames_changed(history.document, {0: edit}, "Brush stroke", pts=0))
        strokes.append(history._done[-1][0].cost_bytes)
    assert 200 * max(strokes) < 2**28


def test_values_of_one_drag_are_one_step():
    history = MaskHistory(empty())
    for by in (1, 2, 3):
        meta = replace(history.document.meta, adjustment=Adjustment(grow_px=by))
        history.do(meta_changed(history.document, meta, "Adjust"), merge_key="grow")
    history.settle()
    meta = replace(history.document.meta, adjustment=Adjustment(grow_px=9))
    history.do(meta_changed(history.document, meta, "Adjust"), merge_key="grow")
    assert history.steps == 2
    history.undo()
    assert history.document.meta.adjustment.grow_px == 3
    history.undo()
    assert history.document == empty()


def test_a_drag_that_comes_back_to_where_it_began_is_no_step():
    history = painted_history(1)
    history.mark_clean()
    for by in (1, 2, 0, 3, 0):
        meta = replace(history.document.meta, adjustment=Adjustment(grow_px=by))
        history.do(meta_changed(history.document, meta, "Adjust"), merge_key="grow")
    assert history.steps == 1
    assert history.is_clean
    history.undo()
    assert history.document == empty()


def test_steps_of_frames_are_never_merged():
    history = MaskHistory(empty())
    history.do(step(history.document, 0, spot(1)), merge_key="a")
    with pytest.raises(ValueError, match="meta"):
        history.do(step(history.document, 0, spot(2)), merge_key="a")


def test_an_edit_of_nothing_is_taken_out_of_the_document():
    document = empty().with_frames({1: spot(3), 2: FrameEdit(Correction((200, 100)), is_locked=True)})
    assert document.frames.keys() == {1, 2}
    assert document.with_frames({1: FrameEdit(Correction((200, 100))), 2: None}).frames == {}


def test_of_spans_that_overlap_the_last_counts():
    meta = replace(
        empty().meta,
        adjustment=Adjustment(grow_px=1),
        adjusted_spans=(
            AdjustedSpan(Span(0, 10), Adjustment(grow_px=2)),
            AdjustedSpan(Span(10, None), Adjustment(grow_px=3)),
        ),
        match_spans=(MatchSpan(Span(None, 5), strength=0.5),),
    )
    assert [meta.adjustment_at(pts).grow_px for pts in (-1, 0, 9, 10, 99)] == [1, 2, 2, 3, 3]
    assert meta.match_at(5) == meta.match_spans[0]
    assert meta.match_at(6) is None


def test_origin_and_flags_are_part_of_an_edit():
    assert replace(spot(1), origin=Origin.PROPAGATED) != spot(1)
    assert not FrameEdit(Correction((9, 9)), is_keyframe=True).is_nothing
