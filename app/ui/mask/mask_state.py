"""The project that is edited: its document with undo, the frame looked at, and that frame's planes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.mask.changes import Change, MaskHistory, frames_changed, meta_changed
from app.domain.mask.document import FrameEdit, MaskDocument, Meta, Origin
from app.domain.mask.planes import Box, Planes
from app.ui.text import tr


class MaskState(QObject):
    """All that tools, timeline and panels share; knows no widgets. Every change goes through `do`: none while busy.

    changed(Change): the document is another one, by a step, undo or redo. moved(int): another frame is looked at, by
    its pts. planes_changed: the planes of the frame looked at are other ones. refused(str): why something was not
    done, as a sentence. cleaned: what `is_saved` says may have changed without a change.
    """

    changed = pyqtSignal(object)
    moved = pyqtSignal(object)
    planes_changed = pyqtSignal()
    refused = pyqtSignal(str)
    cleaned = pyqtSignal()

    def __init__(self, document: MaskDocument, *, pts: int) -> None:
        super().__init__()
        self._history = MaskHistory(document)
        self._pts = pts
        self._planes: Planes | None = None
        self.is_busy = False

    @property
    def document(self) -> MaskDocument:
        """The project now."""
        return self._history.document

    @property
    def meta(self) -> Meta:
        """All of it that is not a frame's own."""
        return self._history.document.meta

    @property
    def pts(self) -> int:
        """The frame looked at."""
        return self._pts

    @property
    def edit(self) -> FrameEdit:
        """That frame's edit; an empty one where nothing was done."""
        return self.document.edit_at(self._pts)

    @property
    def planes(self) -> Planes:
        """That frame's planes, of the whole picture; not to be written to."""
        if self._planes is None:
            self._planes = self.edit.correction.planes()
        return self._planes

    @property
    def undo_name(self) -> str | None:
        """What undo would take back."""
        return self._history.undo_name

    @property
    def redo_name(self) -> str | None:
        """What redo would do again."""
        return self._history.redo_name

    @property
    def is_saved(self) -> bool:
        """Whether the project is as it was saved last."""
        return self._history.is_clean

    def mark_saved(self, *, saved: bool = True) -> None:
        """Say that the document is on the disk as it is now, or that it is not."""
        if saved:
            self._history.mark_clean()
        else:
            self._history.mark_changed()
        self.cleaned.emit()

    def go(self, pts: int) -> None:
        """Look at another frame."""
        if pts != self._pts:
            self._pts, self._planes = pts, None
            self.moved.emit(pts)

    def may_paint(self) -> bool:
        """Whether the frame looked at may be changed; else it is said why not."""
        if self.is_busy:
            self._refuse_busy()
        elif self.edit.is_locked:
            self.refused.emit(tr("This frame is locked. Unlock it to change it (Shift+L)."))
        else:
            return True
        return False

    def paint(self, planes: Planes, box: Box, name: str) -> None:
        """Put what a tool made of the planes into the document, as one step.

        planes: of the whole frame; they are this object's from now on. box: around all that changed. What a hand has
        touched is a keyframe: propagation goes out from it and does not run over it.
        """
        correction = self.edit.correction.with_planes(planes, box)
        edit = replace(self.edit, correction=correction, is_keyframe=True, origin=Origin.HAND)
        self.do(frames_changed(self.document, {self._pts: edit}, name, pts=self._pts))

    def clear_frame(self) -> None:
        """Take all of the hand's say of this frame back."""
        if self.may_paint():
            self.set_frames({self._pts: None}, tr("Clear the frame"))

    def set_flags(self, name: str, *, is_keyframe: bool | None = None, is_locked: bool | None = None) -> None:
        """Set or take a flag of the frame looked at."""
        edit = self.edit
        edit = replace(
            edit,
            is_keyframe=edit.is_keyframe if is_keyframe is None else is_keyframe,
            is_locked=edit.is_locked if is_locked is None else is_locked,
        )
        self.set_frames({self._pts: edit}, name)

    def set_frames(self, edits: Mapping[int, FrameEdit | None], name: str) -> None:
        """Put some frames' edits into the document as one step."""
        self.do(frames_changed(self.document, edits, name, pts=self._pts))

    def set_meta(self, meta: Meta, name: str, *, merge_key: Hashable | None = None) -> None:
        """Replace all that is not a frame's own, as one step; steps in a row with one merge key become one."""
        self.do(meta_changed(self.document, meta, name), merge_key=merge_key)

    def do(self, change: Change, *, merge_key: Hashable | None = None) -> None:
        """Make a change; while something runs that is about to make one itself, it is refused."""
        if self.is_busy:
            self._refuse_busy()
            return
        before = self.document
        self._history.do(change, merge_key=merge_key)
        if self.document is not before:
            self._tell(change)

    def settle(self) -> None:
        """The next change is a step of its own: the slider was let go."""
        self._history.settle()

    def undo(self) -> None:
        """Take the last step back and show where it was."""
        self._follow(None if self.is_busy else self._history.undo())

    def redo(self) -> None:
        """Make it again and show where it is."""
        self._follow(None if self.is_busy else self._history.redo())

    def _refuse_busy(self) -> None:
        self.refused.emit(tr("Wait until what is running has finished, or cancel it."))

    def _follow(self, change: Change | None) -> None:
        if change is None:
            return
        self._tell(change)
        if change.pts is not None:
            self.go(change.pts)

    def _tell(self, change: Change) -> None:
        if self._pts in change.frames:
            self._planes = None
            self.planes_changed.emit()
        self.changed.emit(change)
