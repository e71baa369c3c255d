import numpy as np
import pytest

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.document import MaskDocument, Origin
from app.domain.mask.planes import Box, Planes
from app.ui.mask.mask_state import MaskState
from tests.unit.mask.projects import document_of, edit_of, meta_of

BOX = Box(10, 20, 50, 60)


class Heard:
    """All a state says, in order."""

    def __init__(self, state):
        self.said = []
        for name in ("changed", "moved", "planes_changed", "refused", "cleaned"):
            getattr(state, name).connect(lambda *_, name=name: self.said.append(name))

    def take(self):
        said, self.said = self.said, []
        return said


@pytest.fixture
def state(qapp):
    return MaskState(MaskDocument(meta_of()), pts=0)


@pytest.fixture
def heard(state):
    return Heard(state)


def stroke(state, value=255):
    planes = Planes(state.planes.value.copy(), state.planes.weight.copy())
    planes.value[20:60, 10:50], planes.weight[20:60, 10:50] = value, 255
    state.paint(planes, BOX, "Brush stroke")
    return planes


def test_a_stroke_is_one_step_that_makes_a_keyframe(state, heard):
    planes = stroke(state)
    assert heard.take() == ["planes_changed", "changed"]
    assert np.array_equal(state.planes.weight, planes.weight)
    assert np.array_equal(state.planes.value, planes.value)
    assert (state.edit.is_keyframe, state.edit.origin) == (True, Origin.HAND)
    assert (state.undo_name, state.redo_name) == ("Brush stroke", None)


def test_undo_and_redo_take_back_and_bring_back_to_the_bit(state, heard):
    stroke(state)
    after = state.document
    heard.take()
    state.undo()
    assert state.document.frames == {}
    assert not state.planes.weight.any()
    assert heard.take() == ["planes_changed", "changed"]
    state.redo()
    assert state.document.frames == after.frames
    assert state.undo_name == "Brush stroke"


def test_undo_shows_the_frame_it_changes_after_the_change(state, heard):
    stroke(state)
    state.go(9000)
    heard.take()
    seen = []
    state.moved.connect(lambda _: seen.append((state.pts, bool(state.planes.weight.any()))))
    state.undo()
    assert heard.take() == ["changed", "moved"]
    assert seen == [(0, False)]


def test_undo_of_what_is_no_frames_own_stays_where_one_is(state, heard):
    state.set_meta(meta_of(adjustment=Adjustment(grow_px=2)), "Grow")
    state.go(9000)
    heard.take()
    state.undo()
    assert (state.pts, heard.take()) == (9000, ["changed"])


def test_with_nothing_to_take_back_nothing_is_said(state, heard):
    state.undo()
    state.redo()
    state.go(0)
    assert heard.take() == []


def test_moving_shows_the_other_frames_planes(qapp):
    state = MaskState(document_of(1, 2), pts=3000)
    first = state.planes
    state.go(6000)
    assert not np.array_equal(state.planes.value, first.value)
    state.go(-12345)
    assert not state.planes.weight.any()


def test_a_change_of_another_frame_leaves_the_planes_alone(state, heard):
    held = state.planes
    state.set_frames({3000: edit_of(1)}, "Carry on")
    assert heard.take() == ["changed"]
    assert state.planes is held


def test_what_changes_nothing_is_no_step(state, heard):
    state.set_meta(meta_of(), "Nothing")
    state.set_frames({3000: None}, "Nothing")
    state.set_flags("Nothing", is_locked=False)
    assert heard.take() == []
    assert state.undo_name is None


def test_flags_are_set_one_by_one_and_an_empty_frame_is_forgotten(state):
    state.set_flags("Lock", is_locked=True)
    state.set_flags("Keyframe", is_keyframe=True)
    assert (state.edit.is_locked, state.edit.is_keyframe) == (True, True)
    state.set_flags("Lock", is_locked=False)
    state.set_flags("Keyframe", is_keyframe=False)
    assert state.document.frames == {}


def test_a_locked_frame_is_neither_painted_nor_cleared_and_it_is_said_why(state, heard):
    stroke(state)
    state.set_flags("Lock", is_locked=True)
    heard.take()
    assert not state.may_paint()
    state.clear_frame()
    assert heard.take() == ["refused", "refused"]
    assert state.planes.weight.any()


def test_clearing_takes_flags_and_planes_in_one_step(state):
    stroke(state)
    state.clear_frame()
    assert state.document.frames == {}
    state.undo()
    assert state.planes.weight.any()
    assert state.edit.is_keyframe


def test_while_something_runs_nothing_else_changes_the_project(state, heard):
    stroke(state)
    state.undo()
    before = state.document
    heard.take()
    state.is_busy = True
    state.undo()
    state.redo()
    assert heard.take() == []
    state.set_flags("Lock", is_locked=True)
    state.set_frames({3000: edit_of(1)}, "Carry on")
    state.set_meta(meta_of(adjustment=Adjustment(grow_px=2)), "Grow")
    stroke(state)
    state.clear_frame()
    assert state.document is before
    assert set(heard.take()) == {"refused"}
    state.is_busy = False
    state.redo()
    assert state.undo_name == "Brush stroke"


def test_a_drag_is_one_step_until_it_is_let_go(state):
    for grow_px in (1, 2, 3):
        state.set_meta(meta_of(adjustment=Adjustment(grow_px=grow_px)), "Grow", merge_key="grow")
    state.settle()
    state.set_meta(meta_of(adjustment=Adjustment(grow_px=5)), "Grow", merge_key="grow")
    state.undo()
    assert state.meta.adjustment.grow_px == 3
    state.undo()
    assert state.meta.adjustment.grow_px == 0


def test_saved_follows_the_steps_not_their_number(state, heard):
    assert state.is_saved
    stroke(state)
    assert not state.is_saved
    state.mark_saved()
    assert heard.take()[-1] == "cleaned"
    state.undo()
    assert not state.is_saved
    state.redo()
    assert state.is_saved
    state.undo()
    stroke(state, value=0)
    assert not state.is_saved


def test_what_was_brought_back_is_not_saved_until_it_is(state):
    state.mark_saved(saved=False)
    assert not state.is_saved
    stroke(state)
    state.undo()
    assert not state.is_saved
    state.mark_saved()
    assert state.is_saved
