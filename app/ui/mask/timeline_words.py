"""What there is to say about a frame of the timeline: for tool tips, labels and who can't see it."""

from __future__ import annotations

from typing import Final

from app.domain.mask.timeline_marks import Mark, Marks, clock_words
from app.ui.text import tr

_MARK_WORDS: Final = {
    Mark.KEYFRAME: "keyframe",
    Mark.EDITED: "edited by hand",
    Mark.PROPAGATED: "edit carried here",
    Mark.LOCKED: "locked",
    Mark.CUT: "scene cut",
    Mark.MATCH_LOCK: "match locked",
}


def frame_words(marks: Marks, pts: int) -> str:
    """A frame's moment and number: "0:12.480 · frame 312"."""
    return f"{clock_words(marks.time_s(pts))} · {tr('frame')} {marks.index_at(pts)}"


def mark_words(marks: Marks, pts: int) -> list[str]:
    """What is marked on a frame, a line each."""
    found = marks.marks_of(pts)
    named = [tr(words) for mark, words in _MARK_WORDS.items() if mark in found]
    lines = [", ".join(named).capitalize()] if named else []
    if Mark.STOP in found:
        lines.append(f"{tr('Carrying stopped here:')} {marks.stop_reason(pts)}")
    lines += [span.words for span in marks.match_spans if span.start_pts <= pts <= span.end_pts]
    trust = marks.confidence_at(pts)
    if trust is not None:
        lines.append(f"{tr('Trust in the matte:')} {round(100 * trust)} %")
    return lines
