"""Moving pictures of a project: the clip played with its mask, and the little pictures along its time."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from functools import partial

import numpy as np
from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.cells import shrunk_into
from app.domain.compositing import Size
from app.domain.errors import UserError
from app.domain.frame import Alpha8, Frame
from app.domain.mask.adjusting import adjusted
from app.domain.mask.views import Layers
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import Stopped
from app.pipeline.mask.playback import Playback
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.mask.sessions import Session
from app.pipeline.mask.thumbnails import ThumbnailFolder
from app.ui.faults import failure_of
from app.ui.images import to_image
from app.ui.mask.marks_of import ends_of
from app.ui.mask.mask_desk import MaskDesk
from app.ui.text import tr
from app.ui.worker import Worker


class MaskPlayer(QObject):
    """Plays the desk's clip at its own times, in the in-out range round and round. playing(bool): it began or ended.

    Frames whose matte was not found yet are shown without a mask.
    """

    playing = pyqtSignal(bool)
    _came = pyqtSignal(object, object)
    _ended = pyqtSignal()
    _failed = pyqtSignal(object)

    def __init__(self, desk: MaskDesk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._playback: Playback | None = None
        self._shown_pts: int | None = None
        self._waiting = threading.Semaphore(1)
        self._came.connect(self._show)
        self._ended.connect(self.pause)
        self._failed.connect(self._fail)

    @property
    def is_playing(self) -> bool:
        """Whether frames are coming."""
        return self._desk.is_playing

    def toggle(self) -> None:
        """Play or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play from the frame looked at."""
        desk = self._desk
        if desk.state.is_busy or self.is_playing:
            return
        if self._playback is None:
            self._playback = Playback(
                partial(_uncached_seeker, desk.session),
                on_frame=self._prepare,
                on_end=self._ended.emit,
                on_failure=self._failed.emit,
            )
        first, last = ends_of(desk.state.meta.span, desk.session.index)
        now = desk.session.index.nearest(desk.state.pts)
        start = now if first <= now < last else first
        desk.set_playing(playing=True)
        self._playback.play(start, span=(first, last), loops=desk.state.meta.span.last_pts is not None)
        self.playing.emit(True)

    def pause(self) -> None:
        """Stop at the frame that is shown."""
        if self._playback is None or not self.is_playing:
            return
        self._playback.pause()
        if self._shown_pts is not None:
            self._desk.state.go(self._shown_pts)
        self._shown_pts = None
        self._desk.page.canvas.set_note("")
        self._desk.set_playing(playing=False)
        self.playing.emit(False)

    def close(self) -> None:
        """Stop at the frame that is shown, and end the threads."""
        self.pause()
        self._end()

    def _end(self) -> None:
        if self._playback is not None:
            self._playback.stop()
            self._playback = None

    def _fail(self, error: UserError) -> None:
        """Playing ended; another try begins with another thread."""
        self.pause()
        self._end()
        self._desk.failed.emit(failure_of(error))

    def _prepare(self, frame: Frame) -> None:
        """On the player's thread: the mask of a frame; one frame at a time is on its way to the window."""
        if not self._waiting.acquire(blocking=False):
            return
        document = self._desk.state.document
        known = self._desk.cache.get(frame.pts)
        alpha = None if known is None else adjusted(known, document.meta.adjustment_at(frame.pts))
        self._came.emit(frame, alpha)

    def _show(self, frame: Frame, alpha: Alpha8 | None) -> None:
        self._waiting.release()
        if not self.is_playing:
            return
        self._shown_pts = frame.pts
        desk = self._desk
        desk.page.canvas.set_note("" if alpha is not None else tr("This part has not been looked through yet"))
        whole = alpha if alpha is not None else _everything(frame.size)
        desk.show_passing(Layers(frame.pixels, whole), desk.state.document.edit_at(frame.pts), frame.pts)


class ThumbnailMaker(Worker):
    """Makes little pictures of frames, the latest wish first. made(pts, QImage): one is ready."""

    made = pyqtSignal(object, object)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seeker: FrameSeeker | None = None
        super().__init__("mask-thumbnails")

    def make(self, wanted: list[int], size_px: Size) -> None:
        """Ask for these frames, no larger than `size_px`; what was asked for before need not come any more."""
        self._mailbox.wish(lambda: self._make(deque(wanted), size_px))

    def _close(self) -> None:
        if self._seeker is not None:
            self._seeker.close()

    def _make(self, wanted: deque[int], size_px: Size) -> None:
        """One after the other, until somebody wants others: then those come first."""
        clip = self._session.document.meta.clip
        folder = ThumbnailFolder(self._session.store.folder, clip)  # Saved under a name, the project lies elsewhere.
        while wanted and not self._mailbox.is_wanted:
            pts = wanted.popleft()
            kept = folder.get(pts)
            if kept is not None and kept.shape[0] >= min(size_px[1], clip.size[1]) // 2:
                self.made.emit(pts, to_image(kept, size_px))
                continue
            with contextlib.suppress(UserError, Stopped):  # A damaged frame leaves the others theirs.
                self._seeker = self._seeker or _uncached_seeker(self._session)
                frame = self._seeker.at(pts, keep=0, should_stop=lambda: self._mailbox.is_wanted)
                small = shrunk_into(frame.pixels, size_px)
                self.made.emit(frame.pts, to_image(small, size_px))
                folder.put(frame.pts, small)


def _uncached_seeker(session: Session) -> FrameSeeker:
    return FrameSeeker(session.media.clip, session.index, cache=FrameCache(0), decoders=1)


def _everything(size: Size) -> Alpha8:
    return np.full(size[::-1], 255, np.uint8)
