"""Undo over a whole mask project: bounded by bytes, bit-exact, knowing what is saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app.domain.mask.document import FrameEdit, MaskDocument, Meta

MAX_BYTES: Final = 256 * 2**20
"""Of all tiles that only undo still needs."""

_STEP_BYTES: Final = 512
"""Taken for a step's own objects, whatever it holds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step: what some frames, or the rest, were before and after.

    name: as undo names it. pts: the frame where it shows. frames: (before, after) by pts, None for no edit.
    """

    name: str
    pts: int | None = None
    frames: Mapping[int, tuple[FrameEdit | None, FrameEdit | None]] = field(default_factory=dict)
    meta: tuple[Meta, Meta] | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether before and after are the same."""
        return (self.meta is None or self.meta[0] == self.meta[1]) and all(a == b for a, b in self.frames.values())

    @property
    def cost_bytes(self) -> int:
        """Bytes of the tiles in which the two sides differ."""
        return _STEP_BYTES + sum(_difference_bytes(*pair) for pair in self.frames.values())

    def done_to(self, document: MaskDocument) -> MaskDocument:
        """The document after it."""
        after = document.with_frames({pts: pair[1] for pts, pair in self.frames.items()})
        return after if self.meta is None else replace(after, meta=self.meta[1])

    @property
    def reversed(self) -> Change:
        """The step that takes this one back."""
        frames = {pts: (after, before) for pts, (before, after) in self.frames.items()}
        return Change(self.name, self.pts, frames, None if self.meta is None else (self.meta[1], self.meta[0]))


def frames_changed(
    document: MaskDocument, edits: Mapping[int, FrameEdit | None], name: str, *, pts: int | None = None
) -> Change:
    """The change that puts these edits into the document."""
    kept = {at: None if edit is None or edit.is_nothing else edit for at, edit in edits.items()}
    return Change(name, pts, {at: (document.frames.get(at), edit) for at, edit in kept.items()})


def meta_changed(document: MaskDocument, meta: Meta, name: str, *, pts: int | None = None) -> Change:
    """The change that puts this meta into the document."""
    return Change(name, pts, meta=(document.meta, meta))


class MaskHistory:
    """A document, the steps that led to it and those taken back; the oldest are forgotten over `max_bytes`.

    Meta changes in a row with the same merge key are one step, as the many values of a slider's drag are.
    """

    def __init__(self, document: MaskDocument, *, max_bytes: int = MAX_BYTES) -> None:
        self._document = document
        self._max_bytes = max_bytes
        self._done: deque[tuple[Change, int]] = deque()
        self._undone: list[tuple[Change, int]] = []
        self._cost_bytes = 0
        self._merge_key: Hashable | None = None
        self._bottom: object = object()
        self._clean: object = self._bottom

    @property
    def document(self) -> MaskDocument:
        """The document now."""
        return self._document

    @property
    def steps(self) -> int:
        """Steps that can be taken back."""
        return len(self._done)

    @property
    def undo_name(self) -> str | None:
        """What would be taken back; None when there is nothing."""
        return self._done[-1][0].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """What would be done again; None when there is nothing."""
        return self._undone[-1][0].name if self._undone else None

    @property
    def is_clean(self) -> bool:
        """Whether the document is as it was saved last, by whatever steps."""
        return self._clean is self._top()

    def mark_clean(self) -> None:
        """The document as it is now is saved; the next change is a step of its own."""
        self._clean, self._merge_key = self._top(), None

    def mark_changed(self) -> None:
        """Whatever is on the disk is not this document."""
        self._clean = object()

    def do(self, change: Change, *, merge_key: Hashable | None = None) -> None:
        """Make a change; one that changes nothing is no step."""
        if change.is_nothing:
            return
        for _, cost in self._undone:
            self._cost_bytes -= cost
        self._undone.clear()
        if merge_key is not None and merge_key == self._merge_key and self._done:
            change = self._merged(change)
        self._merge_key = merge_key
        self._document = change.done_to(self._document)
        if change.is_nothing:  # A drag that came back to where it began is no step.
            self._merge_key = None
        else:
            self._keep(change)

    def settle(self) -> None:
        """The next change is a step of its own, whatever its key: the slider was let go."""
        self._merge_key = None

    def undo(self) -> Change | None:
        """One step back, as the change it made; None when there is none."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return self._follow(step[0].reversed)

    def redo(self) -> Change | None:
        """One step taken back done again; None when there is none."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return self._follow(step[0])

    def _follow(self, change: Change) -> Change:
        self._merge_key = None
        self._document = change.done_to(self._document)
        return change

    def _merged(self, change: Change) -> Change:
        """The last step and this one as one; only changes of the meta carry a key."""
        last, cost = self._done.pop()
        self._cost_bytes -= cost
        if last.meta is None or change.meta is None:
            raise ValueError("only changes of the meta can be merged")
        return replace(change, meta=(last.meta[0], change.meta[1]))

    def _keep(self, change: Change) -> None:
        cost = change.cost_bytes
        self._done.append((change, cost))
        self._cost_bytes += cost
        while self._cost_bytes > self._max_bytes and len(self._done) > 1:
            self._bottom = self._done[0][0]  # What was clean at this point stays recognisable.
            self._cost_bytes -= self._done.popleft()[1]

    def _top(self) -> object:
        return self._done[-1][0] if self._done else self._bottom


def _difference_bytes(before: FrameEdit | None, after: FrameEdit | None) -> int:
    one = {} if before is None else before.correction.tiles
    other = {} if after is None else after.correction.tiles
    return sum(len(data) for number, data in one.items() if other.get(number) != data) + sum(
        len(data) for number, data in other.items() if one.get(number) != data
    )
