"""What the owner of a clip should be told after its delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.pipeline.offline.plan import Plan
from app.pipeline.video_reader import EARLY_END_S

Facts = Sequence[dict[str, Any]]
"""What the sidecars of one pass say, segment by segment."""


def notices_of(plan: Plan, facts: Sequence[Facts]) -> list[str]:
    """Sentences about a finished delivery. facts: of both passes."""
    analysed, rendered = facts
    shown, empty = (sum(fact[name] for fact in rendered) for name in ("frames", "without_person"))
    damaged, lost, resized = (
        sum(fact[name] for fact in analysed) for name in ("damaged_frames", "lost_frames", "resized_frames")
    )
    right_px, bottom_px = (0, 0) if plan.encoder is None else plan.encoder.padded
    said = {
        f"Nobody was found in {empty} of {shown} frames: the plate alone is there.": empty > 0,
        f"The codec takes even sizes only: {right_px} x {bottom_px} px were added.": right_px + bottom_px > 0,
        f"{damaged + lost} frames of the clip were damaged.": damaged + lost > 0,
        "The clip ends before its header says: it was cut short.": _is_cut_short(plan),
        "Some frames had impossible times and were moved.": not plan.index.is_seekable,
        f"{resized} frames had another size and were resized.": resized > 0,
        "The clip's colours are not tagged; its size decided between BT.601 and BT.709.": plan.info.color.guessed,
    }
    notes = [str(note) for stage in facts for fact in stage for note in fact["notices"]]
    return [*plan.notices, *notes, *(text for text, holds in said.items() if holds)]


def _is_cut_short(plan: Plan) -> bool:
    """A file's length may be that of its sound: then nobody knows. From zero errs to the safe side."""
    info = plan.info
    if info.duration_s is None or not info.is_picture_duration:
        return False
    return info.duration_s - float(plan.index.end_pts * plan.index.time_base) > EARLY_END_S
