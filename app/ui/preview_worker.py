"""The thread behind the preview: opens clips and makes pictures of their moments.

The networks take seconds to import and load: that happens here, on the first request, so that the window and
the clip's first frame are there long before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt6.QtCore import pyqtSignal

from app.pipeline.kernel_cache import prepare_kernels
from app.ui.choices import Pictures, PreviewRequest, Source, View
from app.ui.clips import Clip, open_clip
from app.ui.images import images_of, to_image
from app.ui.worker import Worker, guarded

if TYPE_CHECKING:
    from app.ui.preview_job import PreviewMaker


class PreviewWorker(Worker):
    """One thread with a latest-wins slot for pictures.

    opened(number, ClipInfo, Frame): a clip is open, and this is its first frame. ready(Pictures): the answer
    to a request, sometimes a part of it first. clip_failed(Failure), picture_failed(Failure): what was asked
    for did not work.
    """

    opened = pyqtSignal(int, object, object)
    ready = pyqtSignal(object)
    clip_failed = pyqtSignal(object)
    picture_failed = pyqtSignal(object)

    def __init__(self) -> None:
        self._clip: tuple[int, Clip] | None = None
        self._maker: PreviewMaker | None = None
        super().__init__("preview")

    def open_clip(self, number: int, source: Source) -> None:
        """Open a clip in place of the current one, which stays if that fails."""
        self._mailbox.errand(guarded(lambda: self._open(number, source), self.clip_failed.emit))

    def request(self, request: PreviewRequest) -> None:
        """Ask for the pictures of a moment; an older request not yet begun is dropped."""
        self._mailbox.wish(guarded(lambda: self._make(request), self.picture_failed.emit))

    def _close(self) -> None:
        if self._clip is not None:
            self._clip[1].close()
        if self._maker is not None:
            self._maker.close()

    def _open(self, number: int, source: Source) -> None:
        clip = open_clip(source)
        if self._clip is not None:
            self._clip[1].close()
        self._clip = (number, clip)
        self.opened.emit(number, clip.info, clip.still(0.0))

    def _make(self, request: PreviewRequest) -> None:
        if self._clip is None or self._clip[0] != request.clip:
            return
        frame = self._clip[1].still(request.time_s)
        if self._maker is None:
            first = {View.ORIGINAL: to_image(frame.pixels, request.size_px)}
            self.ready.emit(Pictures(request, first, has_person=None))
        rendered = self._loaded_maker().render(frame, request.settings, clip=request.clip)
        images = images_of(rendered, request.size_px)
        self.ready.emit(Pictures(request, images, has_person=rendered.has_person))

    def _loaded_maker(self) -> PreviewMaker:
        if self._maker is None:
            from app.ui.preview_job import PreviewMaker

            prepare_kernels()
            self._maker = PreviewMaker()
        return self._maker
