"""What a clip has besides its picture, carried over: sound, subtitles, chapters, names and notes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from av.container import InputContainer, OutputContainer

from app.domain.errors import UserError
from app.pipeline.audio_copy import AudioCopier
from app.pipeline.media_safety import open_media
from app.pipeline.offline.clip_notes import Span, describe, describe_file, left_out
from app.pipeline.offline.subtitle_copy import SubtitleCopier

_HELD_BACK_S: Final = Fraction(1)
"""How long before its end sound that stops with the picture is left to `AudioCopier.finish`, which cuts it well."""


class SideStreams:
    """Carries everything but the picture from `source` into `target`, in step with the picture.

    Make it when the target has its picture's stream and no header yet; then `feed` with the picture's time, `finish`,
    `close`. All sound goes along, packets untouched; subtitles as they are where the container takes them, text
    subtitles otherwise in its own format; chapters, title, artist, comment, dates, languages, and which track is the
    default. UserError when the container can't hold the sound.
    """

    def __init__(self, source: Path, target: OutputContainer, *, span: Span) -> None:
        self._span = span
        self._audio = AudioCopier(source, target)
        self._source: InputContainer | None = None
        try:
            self._start(source, target)
        except BaseException:
            self.close()
            raise

    def _start(self, source: Path, target: OutputContainer) -> None:
        span = self._span
        self._audio.delay_s = span.delay_s
        if span.starts_inside:
            self._audio.skip(until_s=Fraction(0))
        for stream, copy in self._audio.pairs:
            describe(stream, copy, target)
        self._source = open_media(source)
        describe_file(self._source, target, span)
        self._left_out = tuple(left_out(self._source))
        self._subtitles = SubtitleCopier(self._source, target, span=span)

    @property
    def notices(self) -> tuple[str, ...]:
        """What is left out, one sentence each."""
        return (*self._left_out, *self._subtitles.notices)

    @property
    def audio_packets(self) -> int:
        """Packets of sound copied so far."""
        return self._audio.packets

    @property
    def audio_cut_short(self) -> bool:
        """True when the source's sound could not be read to its end."""
        return self._audio.cut_short

    def feed(self, until_s: Fraction) -> None:
        """Mux what is due by `until_s` on the result's clock. Raises what the muxer raises."""
        end_s = self._span.until_s
        self._audio.feed(until_s if end_s is None else min(until_s, end_s - _HELD_BACK_S))
        self._subtitles.feed(until_s)

    def finish(self) -> None:
        """Mux all that is left. Raises what the muxer raises."""
        if self._span.until_s is None:
            self._audio.feed(None)
        else:
            self._audio.finish(end_s=self._span.until_s)
        self._subtitles.finish()

    def close(self) -> None:
        """Close the source; safe to call more than once."""
        self._audio.close()
        if self._source is not None:
            self._source.close()

    def refusal(self) -> UserError | None:
        """Make the error for a header that the container turned down, where the sound can be the reason."""
        return self._audio.refusal() if self._audio.streams else None
