"""One propagation on a thread of its own, with progress and cancel; answers by signals."""

from __future__ import annotations

import threading
import time
from typing import Final

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.mask.document import FrameEdit, MaskDocument
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.matte_cache import MatteCache
from app.pipeline.mask.propagate_run import Ended, Run, carried
from app.pipeline.mask.seeking import Decoded, FrameSeeker
from app.pipeline.mask.sessions import Session
from app.ui.faults import failure_of

_SHOW_EVERY_S: Final = 0.1


class PropagateJob(QObject):
    """Runs once. stepped(int): frames done. shown(Layers, FrameEdit, int): one of them to look at, and its pts.

    ended(): `edits` and `end` say what came out, also where it was cancelled: what was done until then is kept.
    failed(Failure): it could not be finished; then `edits` hold what was done. frames: decoded ones, shared.
    """

    stepped = pyqtSignal(int)
    shown = pyqtSignal(object, object, object)
    ended = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self,
        session: Session,
        document: MaskDocument,
        cache: MatteCache,
        run: Run,
        *,
        frames: FrameCache[Decoded] | None = None,
    ) -> None:
        super().__init__()
        self.edits: dict[int, FrameEdit] = {}
        self.end: Ended | None = None
        self.document, self.run = document, run
        self._session, self._cache, self._frames = session, cache, frames
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="propagation", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the frame in hand."""
        self._stop.set()

    def wait(self) -> None:
        """Wait for the thread to end."""
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        try:
            self._run_through()
        except Exception as error:
            self.failed.emit(failure_of(error))
        else:
            self.ended.emit()

    def _run_through(self) -> None:
        from app.ui.mask.layer_maker import LayerMaker

        seeker = FrameSeeker(self._session.media.clip, self._session.index, cache=self._frames, decoders=2)
        maker = LayerMaker(
            self._cache, self._session.media.mask, first=lambda: seeker.at(self._session.index.start_pts)
        )
        try:
            shown_s = 0.0
            for item in carried(self.run, self.document, seeker, self._cuts, self._stop.is_set):
                if isinstance(item, Ended):
                    self.end = item
                    continue
                self.edits[item.frame.pts] = item.edit
                self.stepped.emit(len(self.edits))
                if time.monotonic() - shown_s >= _SHOW_EVERY_S:
                    self.shown.emit(maker.plain(item.frame, self.document), item.edit, item.frame.pts)
                    shown_s = time.monotonic()
        finally:
            maker.close()
            seeker.close()

    def _cuts(self) -> frozenset[int]:
        return frozenset(pts for pts, one in self._cache.judged.items() if one.is_cut)
