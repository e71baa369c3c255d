"""One render on a thread of its own."""

from __future__ import annotations

from pathlib import Path

from app.domain.settings import Settings
from app.ui.choices import ClipInfo, RenderReport
from app.ui.job import Job


class RenderJob(Job):
    """Renders a clip once; finished(RenderReport)."""

    def __init__(self, clip: ClipInfo, settings: Settings, output: Path) -> None:
        super().__init__("render")
        self.clip = clip
        self.settings = settings
        self.output = output

    def _work(self) -> RenderReport:
        from app.ui.render_work import render_clip

        return render_clip(self.clip, self.settings, self.output, report=self._report)
