"""The sound of a recording: from the microphone's blocks to samples that follow each other from zero on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.pipeline.recording.clock import FileClock
from app.pipeline.recording.microphone import Microphone, SoundBlock
from app.pipeline.recording.sound import RATE_HZ, Samples, SoundFitter

_LATE_S: Final = 0.5
"""Sound that has not come after that long is taken for silence: the file must not wait for it."""
_GONE_S: Final = 1.0
_TAIL_WAIT_S: Final = 0.1
_TAIL_TRIES: Final = 3

TakeSamples = Callable[[Samples], None]


class SoundTrack:
    """Cuts the microphone's blocks to what is recorded, keeps them in step with the clock, fills gaps with silence."""

    def __init__(self, microphone: Microphone, clock: FileClock, *, now_s: Callable[[], float]) -> None:
        self._microphone = microphone
        self._clock = clock
        self._now_s = now_s
        self._fitter = SoundFitter()
        self._heard_s = now_s()
        self._is_silent = False

    def drain(self, give: TakeSamples) -> None:
        """Hand over all sound that has come; before the recording's zero it waits."""
        if not self._clock.has_started:
            self._microphone.keep_latest()
            return
        while (block := self._microphone.take()) is not None:
            self._hand_over(block, give)
        self._fill(self._clock.length_s(self._now_s()) - _LATE_S, give)

    def drain_to_end(self, give: TakeSamples) -> None:
        """Hand over the last sound of a stopped clock, waiting a moment for it; the rest is silence."""
        self.drain(give)
        end_s = self._clock.length_s(self._now_s())
        tries = 0
        while self._fitter.position < round(end_s * RATE_HZ) and tries < _TAIL_TRIES:
            block = self._microphone.take(_TAIL_WAIT_S)
            if block is None:
                tries += 1
            else:
                self._hand_over(block, give)
        self._fill(end_s, give)

    def has_just_fallen_silent(self) -> bool:
        """Whether nothing has come for a while, told once each time."""
        is_silent = self._clock.has_started and self._now_s() - self._heard_s > _GONE_S
        fallen, self._is_silent = is_silent and not self._is_silent, is_silent
        return fallen

    def close(self) -> None:
        """Release the microphone."""
        self._microphone.close()

    def _hand_over(self, block: SoundBlock, give: TakeSamples) -> None:
        self._heard_s = block.end_s
        for span in self._clock.spans(block.start_s, block.end_s):
            first = round((span.start_s - block.start_s) * RATE_HZ)
            last = round((span.end_s - block.start_s) * RATE_HZ)
            give(self._fitter.fit(block.samples[first:last], span.file_s))

    def _fill(self, until_s: float, give: TakeSamples) -> None:
        silence = self._fitter.silence(until_s)
        if len(silence):
            give(silence)
