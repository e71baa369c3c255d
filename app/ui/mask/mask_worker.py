"""The thread behind the canvas: decodes the frame that is wanted and makes its layers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PyQt6.QtCore import pyqtSignal

from app.domain.errors import UserError
from app.domain.frame import Alpha8, Frame
from app.domain.mask.document import MaskDocument
from app.domain.mask.views import Layers
from app.pipeline.kernel_cache import prepare_kernels
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.mask.masks_in import ProjectMedia
from app.pipeline.mask.matte_cache import MatteCache
from app.pipeline.mask.playback import Scrubber
from app.pipeline.mask.seeking import Decoded, FrameSeeker
from app.ui.faults import failure_of
from app.ui.worker import Worker, guarded
from harmonizer.curves import Lut

if TYPE_CHECKING:
    from app.ui.mask.layer_maker import LayerMaker


@dataclass(frozen=True)
class Wanted:
    """A frame to be shown. wants_match: with plate and colours. ghosts: pts of the edited frames around, or None."""

    pts: int
    document: MaskDocument
    wants_match: bool
    ghosts: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Shown:
    """The answer; the first is often without the match. curve: the match found, (3, 256), None without."""

    wanted: Wanted
    frame: Frame
    layers: Layers
    curve: Lut | None = None


class MaskWorker(Worker):
    """Decodes on one thread, makes layers on another; in both the latest request wins.

    shown(Shown); failed(Failure): what was asked for did not work. frames: those decoded last, for others too.
    """

    shown = pyqtSignal(object)
    failed = pyqtSignal(object)

    def __init__(self, media: ProjectMedia, index: FrameIndex, cache: MatteCache) -> None:
        self._media, self._index, self._cache = media, index, cache
        self.frames: FrameCache[Decoded] = FrameCache()
        self._maker: LayerMaker | None = None
        self._seeker: FrameSeeker | None = None
        self._wanted: Wanted | None = None
        self._frame: Frame | None = None
        self._scrubber: Scrubber | None = None
        super().__init__("mask-layers")

    def show(self, wanted: Wanted) -> None:
        """Ask for a frame; an older request not yet begun is dropped."""
        self._wanted = wanted
        frame = self._frame
        if frame is not None and frame.pts == wanted.pts:
            self._wish(wanted, frame)
            return
        if self._scrubber is None:  # Not before: of a clip that is gone nobody would hear yet.
            self._scrubber = Scrubber(self._open_seeker, on_frame=self._decoded, on_failure=self._say)
        self._scrubber.request(wanted.pts)

    def stop(self) -> None:
        """End both threads and wait for them."""
        if self._scrubber is not None:
            self._scrubber.stop()
        super().stop()

    def _close(self) -> None:
        if self._seeker is not None:
            self._seeker.close()
        if self._maker is not None:
            self._maker.close()

    def _open_seeker(self) -> FrameSeeker:
        return FrameSeeker(self._media.clip, self._index, cache=self.frames)

    def _decoded(self, frame: Frame) -> None:
        self._frame = frame
        wanted = self._wanted
        if wanted is not None and wanted.pts == frame.pts:
            self._wish(wanted, frame)

    def _say(self, error: UserError) -> None:
        self.failed.emit(failure_of(error))

    def _wish(self, wanted: Wanted, frame: Frame) -> None:
        self._mailbox.wish(guarded(lambda: self._make(wanted, frame), self.failed.emit))

    def _make(self, wanted: Wanted, frame: Frame) -> None:
        maker = self._loaded_maker()
        layers = maker.plain(frame, wanted.document)
        if any(pts is not None for pts in wanted.ghosts):
            before, after = (self._ghost(pts, wanted.document) for pts in wanted.ghosts)
            layers = replace(layers, ghosts=(before, after))
        self.shown.emit(Shown(wanted, frame, layers))
        if wanted.wants_match and not self._mailbox.is_wanted:
            layers = maker.whole(frame, wanted.document, layers)
            self.shown.emit(Shown(wanted, frame, layers, maker.curve))

    def _ghost(self, pts: int | None, document: MaskDocument) -> Alpha8 | None:
        if pts is not None and self._index.find(pts) is not None:
            with contextlib.suppress(UserError):  # The frame that is wanted comes without its neighbour then.
                return self._loaded_maker().ghost(self._frame_at(pts), document)
        return None

    def _frame_at(self, pts: int) -> Frame:
        if self._seeker is None:
            self._seeker = self._open_seeker()
        return self._seeker.at(pts)

    def _loaded_maker(self) -> LayerMaker:
        if self._maker is None:
            from app.ui.mask.layer_maker import LayerMaker

            prepare_kernels()
            self._maker = LayerMaker(self._cache, self._media.mask, first=lambda: self._frame_at(self._index.start_pts))
        return self._maker
