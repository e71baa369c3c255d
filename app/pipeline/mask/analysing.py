"""Going through a whole clip in the background: every frame's matte, and where it is probably wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.domain.mask.doubts import Glimpse, confidence, glimpse, is_other_scene
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.mask.matte_cache import Judged, MatteCache


class ClipAnalysis:
    """One pass over a clip on a thread of its own, without haste: `pause` holds it between two frames.

    It goes from the first frame to the last, also where an earlier one was stopped. What a matte takes from the frames
    before does not fade: begun at the 20th frame, the edges in three clips of people still differed by 76, 122 and 255
    levels 59 frames later. The person would correct another matte than the one a render makes.

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
        except OSError as raised:
            error = _no_room(raised)
        except Exception as raised:
            error = raised
        if not self._stop.is_set():
            self._on_end(error)

    def _analyse(self) -> None:
        analyser: FrameAnalyser | None = None
        try:
            for frame in self._allowed():
                analyser = analyser or self._open_analyser()
                self._look_at(frame, analyser)
        finally:
            if analyser is not None:
                analyser.segmenter.close()
        if not self._stop.is_set():
            self._cache.finish()

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
            self._cache.put(frame.pts, alpha, judged)
            self._on_judged(frame.pts, judged)


def _no_room(error: OSError) -> UserError:
    return UserError(
        f"The masks found in the clip can't be kept ({error.strerror}).",
        "Free some space; what you paint is not affected.",
        code=ExitCode.OUTPUT,
    )
