"""Going through a whole clip in the background: every frame's matte, and where it is probably wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Frame
from app.domain.mask.doubts import Glimpse, confidence, glimpse, is_other_scene
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.mask.matte_cache import Judged, MatteCache

WARM_UP_FRAMES: Final = 30
"""Looked at again before the first new one, where an earlier pass stopped: what is remembered settles within these."""


class ClipAnalysis:
    """One pass over a clip on a thread of its own, without haste: `pause` holds it between two frames.

    open_frames: gives every frame in order and closes behind itself; open_analyser: the chain that finds the mattes,
    made on the thread. on_judged(pts, Judged): after each new frame. on_end(error or None): at the end, None for all
    well; not called when it was stopped.
    """

    def __init__(
        self,
        cache: MatteCache,
        *,
        open_frames: Callable[[], Iterable[Frame]],
        open_analyser: Callable[[], FrameAnalyser],
        on_judged: Callable[[int, Judged], None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        self._cache = cache
        self._open_frames, self._open_analyser = open_frames, open_analyser
        self._on_judged, self._on_end = on_judged, on_end
        self._may_go, self._stop = threading.Event(), threading.Event()
        self._may_go.set()
        self._before: Glimpse | None = None
        self._thread = threading.Thread(target=self._run, name="clip-analysis", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def pause(self, *, paused: bool) -> None:
        """Hold, so that somebody else has the machine, or go on."""
        if paused:
            self._may_go.clear()
        else:
            self._may_go.set()

    def stop(self) -> None:
        """End after the frame in hand, and wait for it."""
        self._stop.set()
        self._may_go.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._analyse()
        except Exception as raised:
            error = raised
        if not self._stop.is_set():
            self._on_end(error)

    def _analyse(self) -> None:
        """From a little before the first frame that is not known: frames come in order, and so do mattes."""
        first = len(self._cache) - WARM_UP_FRAMES
        analyser: FrameAnalyser | None = None
        try:
            for frame in self._allowed():
                is_wanted = frame.index >= first
                if analyser is None:
                    analyser = self._open_analyser()
                    if not (is_wanted or analyser.segmenter.coarse):
                        # A screen's colour and where a given film begins are told by the clip's first frame.
                        analyser.segmenter.segment(frame)
                if is_wanted:
                    self._look_at(frame, analyser)
        finally:
            if analyser is not None:
                analyser.segmenter.close()

    def _allowed(self) -> Iterator[Frame]:
        """The clip's frames, each once nobody else has the machine; they end with `stop`."""
        for frame in self._open_frames():
            self._may_go.wait()
            if self._stop.is_set():
                return
            yield frame

    def _look_at(self, frame: Frame, analyser: FrameAnalyser) -> None:
        found = analyser.find(frame)
        alpha = analyser.matte(found)
        now, before = glimpse(found.coarse, frame.pixels), self._before
        self._before = now
        if frame.pts not in self._cache:
            judged = Judged(confidence(now, before), before is not None and is_other_scene(now, before))
            self._keep(frame.pts, alpha, judged)
            self._on_judged(frame.pts, judged)

    def _keep(self, pts: int, alpha: Alpha8, judged: Judged) -> None:
        try:
            self._cache.put(pts, alpha, judged)
        except OSError as error:
            raise UserError(
                f"The masks found in the clip can't be kept ({error.strerror}).",
                "Free some space; what you paint is not affected.",
                code=ExitCode.OUTPUT,
            ) from error
