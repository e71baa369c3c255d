import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.mask.changes import MaskHistory, frames_changed, meta_changed
from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MaskDocument
from app.domain.mask.planes import Box, Planes, painted, restored
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.project_store import ProjectStore
from tests.unit.mask.projects import SIZE, meta_of

FRAMES = st.sampled_from([-3, 0, 1, 2**33])
BOXES = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1), st.integers(1, 90), st.integers(1, 90))


class Painter(RuleBasedStateMachine):
    """Whatever is done to a project, dense planes kept beside it and the project on the disk say the same."""

    @initialize()
    def begin(self):
        self.home = Path(tempfile.mkdtemp())
        self.store = ProjectStore.create(meta_of(), self.home / "a.platematch")
        self.start_from(MaskDocument(meta_of()), {})
        self.saved = MaskDocument(meta_of())
        self.pts = 0

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.home)

    def start_from(self, document, planes):
        self.history = MaskHistory(document)
        self.past, self.planes, self.future = [], planes, []

    def did(self, change, planes):
        if change.is_nothing:
            return
        self.history.do(change)
        self.past.append(self.planes)
        self.planes, self.future = planes, []
        self.store.note(self.history.document)

    @rule(pts=FRAMES)
    def jump(self, pts):
        self.pts = pts

    @rule(box=BOXES, value=st.integers(0, 255) | st.none(), coverage=st.integers(1, 255), ragged=st.booleans())
    def stroke(self, box, value, coverage, ragged):
        x, y, width, height = box
        where = Box(x, y, x + width, y + height).within(SIZE)
        cover = np.full(where.size[::-1], coverage, np.uint8)
        if ragged:
            cover[::2, ::3] = 0
        whole = self.planes.get(self.pts, Planes.empty(SIZE)).copy()
        part = whole.at(where)
        new = restored(part, cover) if value is None else painted(part, cover, value)
        part.value[:], part.weight[:] = new.value, new.weight
        edit = self.history.document.edit_at(self.pts)
        edit = FrameEdit(edit.correction.with_planes(whole, where), edit.is_keyframe, edit.is_locked)
        self.did(frames_changed(self.history.document, {self.pts: edit}, "Stroke"), {**self.planes, self.pts: whole})

    @rule(is_keyframe=st.booleans(), is_locked=st.booleans())
    def flag(self, is_keyframe, is_locked):
        edit = FrameEdit(self.history.document.edit_at(self.pts).correction, is_keyframe, is_locked)
        self.did(frames_changed(self.history.document, {self.pts: edit}, "Flag"), self.planes)

    @rule(why=st.text(max_size=5))
    def stop(self, why):
        meta = meta_of(stops={self.pts: why.replace("\0", "")})
        self.did(meta_changed(self.history.document, meta, "Stop"), self.planes)

    @rule()
    def undo(self):
        if self.history.undo() is not None:
            self.future.append(self.planes)
            self.planes = self.past.pop()
            self.store.note(self.history.document)

    @rule()
    def redo(self):
        if self.history.redo() is not None:
            self.past.append(self.planes)
            self.planes = self.future.pop()
            self.store.note(self.history.document)

    @rule()
    def save(self):
        self.saved = self.history.document
        self.store.save(self.saved)
        self.history.mark_clean()
        assert read_project(self.store.folder).document == self.saved

    @rule()
    def save_a_copy(self):
        self.saved = self.history.document
        self.store.save_as(self.saved, self.home / f"{len(list(self.home.iterdir()))}.platematch")
        self.history.mark_clean()

    @rule()
    def crash_and_recover(self):
        assert self.store.flush()
        self.store.close(discard_journal=False)
        opened = ProjectStore.open(self.store.folder)
        self.store = opened.store
        assert opened.document == self.saved
        if opened.recovered is not None:
            self.store.answer_recovery(opened.recovered, accepted=True)
            assert opened.recovered.document == self.history.document
        else:
            assert self.history.document == self.saved
        self.start_from(opened.document if opened.recovered is None else opened.recovered.document, self.planes)
        if opened.recovered is not None:
            self.history.mark_changed()

    @precondition(lambda self: self.history.is_clean)
    @rule()
    def close_and_open(self):
        self.store.close()
        opened = ProjectStore.open(self.store.folder)
        self.store = opened.store
        assert opened.recovered is None
        self.start_from(opened.document, self.planes)

    @invariant()
    def planes_are_the_same(self):
        if not hasattr(self, "store"):
            return
        document = self.history.document
        for pts, planes in self.planes.items():
            kept = document.edit_at(pts).correction
            assert kept == Correction.of(planes)
        kept = document.edit_at(self.pts).correction.planes()
        expected = self.planes.get(self.pts, Planes.empty(SIZE))
        assert np.array_equal(kept.value, expected.value)
        assert np.array_equal(kept.weight, expected.weight)


TestPainter = Painter.TestCase
TestPainter.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
