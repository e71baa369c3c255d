"""One export of a mask project on a thread of its own, with progress and cancel; answers by signals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.masks_in import ProjectMedia
from app.ui.choices import RenderReport
from app.ui.job import Job


class ExportKind(Enum):
    """What is made of a project; the value is what the person reads."""

    COMPOSITE = "Matched composite (video)"
    MATTE_VIDEO = "Matte video"
    MATTE_PICTURES = "Matte pictures (PNG)"
    CUTOUTS = "Cut-out pictures (PNG with alpha)"

    @property
    def is_video(self) -> bool:
        """Whether it becomes one file; else a folder of pictures."""
        return self in (ExportKind.COMPOSITE, ExportKind.MATTE_VIDEO)


@dataclass(frozen=True, slots=True)
class ExportWish:
    """output: a video's file, or the folder for pictures. whole: the clip from end to end, not the in-out range."""

    kind: ExportKind
    output: Path
    whole: bool


class ExportJob(Job):
    """Exports once; finished(RenderReport). notices: one sentence each, until the end.

    What is in the way of the output is replaced: whoever asked for it has agreed. Inputs never are. Pictures that were
    finished before it was cancelled stay.
    """

    def __init__(self, document: MaskDocument, media: ProjectMedia, wish: ExportWish) -> None:
        super().__init__("export")
        self.document, self.media, self.wish = document, media, wish
        self.notices: list[str] = []

    def _work(self) -> RenderReport:
        from app.pipeline.threads import share_cores

        share_cores()
        self._report(0)
        started_s = time.monotonic()
        frames = self._composite() if self.wish.kind is ExportKind.COMPOSITE else self._mattes()
        return RenderReport(self.wish.output, frames, time.monotonic() - started_s, tuple(self.notices))

    def _composite(self) -> int:
        from app.pipeline.mask.project_render import RenderWish, render_project

        wish = RenderWish(whole=self.wish.whole, overwrite=True)
        return render_project(
            self.document, self.media, self.wish.output, wish, on_notice=self.notices.append, report=self._report
        ).frames

    def _mattes(self) -> int:
        from app.pipeline.mask.mattes_out import MatteWish, export_matte

        wish = MatteWish(rgba=self.wish.kind is ExportKind.CUTOUTS, whole=self.wish.whole, overwrite=True)
        return export_matte(
            self.document, self.media, self.wish.output, wish, on_notice=self.notices.append, report=self._report
        )
