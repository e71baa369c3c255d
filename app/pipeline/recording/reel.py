"""The parts of a recording in a row: pictures and sound go in, files come out."""

from __future__ import annotations

from collections.abc import Callable

from app.pipeline.live.pictures import Finished
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.recording.clock import Placed
from app.pipeline.recording.sound import Samples
from app.pipeline.recording.take import Plan, Take


class Reel:
    """Splits what comes in order into takes. One thread's; UserError when a take can't be begun.

    on_begun, on_closed: called with each take that was begun, and that has ended, to be named. A part begins
    with the picture that is due `split_s` after the part's first; the part before it stays open until its last
    sound has come.
    """

    def __init__(self, plan: Plan, *, on_begun: Callable[[Take], None], on_closed: Callable[[Take], None]) -> None:
        self._plan = plan
        self._on_begun = on_begun
        self._on_closed = on_closed
        self._samples = 0
        self._segment = 0
        self._ending: Take | None = None
        self._current = self._begin()

    @property
    def open_takes(self) -> tuple[Take, ...]:
        """The one that grows and, just after a split, the one that waits for its last sound."""
        ending = self._ending
        return (self._current,) if ending is None else (ending, self._current)

    def picture(self, picture: Finished, placed: Placed) -> None:
        """Encode a picture; the first after a pause is a keyframe."""
        self._split_if_due(placed.file_s)
        self._current.append(picture, placed.file_s, keyframe=placed.segment != self._segment)
        self._segment = placed.segment

    def sound(self, samples: Samples) -> None:
        """Encode the sound that follows what was given before; the first begins at 0 s."""
        to_boundary = max(0, self._current.first_sample - self._samples)
        self._samples += len(samples)
        if self._ending is not None:
            self._ending.append_sound(samples[:to_boundary])
            if len(samples) >= to_boundary:
                self._end_previous()
        self._current.append_sound(samples[to_boundary:])

    def finish(self) -> None:
        """End everything; raises the first failure after all has been ended."""
        failures = [error for end in (self._end_previous, self._end_current) if (error := _failure_of(end))]
        if failures:
            raise failures[0]

    def _split_if_due(self, file_s: float) -> None:
        split_s, start_s = self._plan.settings.split_s, self._current.start_s
        if split_s is None or start_s is None or file_s - start_s < split_s:
            return
        following = self._begin()
        self._end_previous()
        self._ending, self._current = self._current, following
        if not self._plan.sound:
            self._end_previous()

    def _begin(self) -> Take:
        take = Take(self._plan)
        self._on_begun(take)
        return take

    def _end_previous(self) -> None:
        ending, self._ending = self._ending, None
        if ending is not None:
            self._end(ending)

    def _end_current(self) -> None:
        self._end(self._current)

    def _end(self, take: Take) -> None:
        try:
            if take.frames:
                take.close()
        finally:
            self._on_closed(take)


def _failure_of(end: Callable[[], None]) -> BaseException | None:
    try:
        end()
    except MEDIA_ERRORS as error:
        return error
    return None
