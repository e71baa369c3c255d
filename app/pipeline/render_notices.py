"""What the owner of a clip should be told after its render."""

from __future__ import annotations

from app.pipeline.render import RenderResult
from app.pipeline.video_reader import VideoReader


def notices_of(result: RenderResult, reader: VideoReader | None) -> list[str]:
    """Sentences about a finished render; reader: what the frames came from, if it was a file."""
    empty, (right_px, bottom_px) = result.frames_without_person, result.padded
    facts = {
        f"Nobody was found in {empty} of {result.frames} frames: the plate alone is there.": empty > 0,
        "The clip's sound could not be read to its end; what could is in the result.": result.audio_cut_short,
        f"The codec takes even sizes only: {right_px} x {bottom_px} px were added.": right_px + bottom_px > 0,
    }
    if reader is not None:
        facts |= {
            f"{reader.damaged_frames} frames of the clip were damaged.": reader.damaged_frames > 0,
            "The clip ends before its header says: it was cut short.": reader.cut_short,
            f"{reader.repaired_pts} frames had impossible times and were moved.": reader.repaired_pts > 0,
            f"{reader.resized_frames} frames had another size and were resized.": reader.resized_frames > 0,
            "The clip's colours are not tagged; its size decided between BT.601 and BT.709.": reader.info.color.guessed,
        }
    return [text for text, holds in facts.items() if holds]
