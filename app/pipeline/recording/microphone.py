"""The microphone: blocks of sound, each with the moment it was heard."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol

import av
import numpy as np

from app.pipeline.handover import BoundedQueue
from app.pipeline.recording.sound import RATE_HZ, AdcClock, Samples

OnBlock = Callable[[Samples, float], None]
"""Called with a block (its memory is the callee's) and the monotonic time of its first sample; must not wait."""

_DEFAULT: Final = "default"
_QUEUE_BLOCKS: Final = 4000
"""Some drivers deliver a millisecond at a time: seconds of those, 8 MB of ordinary ones."""


class MicrophoneError(Exception):
    """Why there is no sound, as a clause: `no microphone was found`."""


class InputStream(Protocol):
    """A running microphone. rate_hz: samples a second it really delivers."""

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        ...

    def close(self) -> None:
        """Stop; no block comes after it."""
        ...


StreamFactory = Callable[[str, OnBlock], InputStream]
"""Opens and starts the microphone of that name; MicrophoneError when it can't."""


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """samples at RATE_HZ; start_s: monotonic time of the first."""

    samples: Samples
    start_s: float

    @property
    def end_s(self) -> float:
        """Monotonic time after the last sample."""
        return self.start_s + len(self.samples) / RATE_HZ


def list_microphones() -> list[str]:
    """Names of the input devices, each once; empty when there is none or no sound system."""
    try:
        devices = _sounddevice().query_devices()
    except Exception:  # PortAudio has errors of its own; to the user all of them mean "none".
        return []
    return list(dict.fromkeys(str(d["name"]) for d in devices if d["max_input_channels"] > 0))


class Microphone:
    """Collects what a stream delivers until someone takes it; MicrophoneError when it can't be opened."""

    def __init__(self, name: str, *, open_stream: StreamFactory) -> None:
        self._blocks: BoundedQueue[SoundBlock] = BoundedQueue(_QUEUE_BLOCKS)
        self._stream = open_stream(name, self._keep)
        rate_hz = self._stream.rate_hz
        self._resampler = None if rate_hz == RATE_HZ else _Resampler(rate_hz)

    def take(self, timeout_s: float = 0) -> SoundBlock | None:
        """Return the oldest block, at RATE_HZ; None when none comes in time."""
        block = self._blocks.take(timeout_s)
        if block is None:
            return None
        samples = block.samples if self._resampler is None else self._resampler.resampled(block.samples)
        # A driver's NaN would end the recording: AAC refuses it.
        return SoundBlock(np.clip(np.nan_to_num(samples, nan=0, posinf=1, neginf=-1), -1, 1), block.start_s)

    def keep_latest(self) -> None:
        """Throw away the oldest while nobody records, so that there is room for what comes."""
        while len(self._blocks) > _QUEUE_BLOCKS // 2:
            self._blocks.take(0)

    def close(self) -> None:
        """Stop listening; what was heard can still be taken."""
        self._stream.close()
        self._blocks.close()

    def _keep(self, samples: Samples, start_s: float) -> None:
        self._blocks.put(SoundBlock(samples, start_s))


class _Resampler:
    """To RATE_HZ, for devices that know only another rate."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._inner = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)

    def resampled(self, samples: Samples) -> Samples:
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self._rate_hz
        parts = [part.to_ndarray()[0] for part in self._inner.resample(frame)]
        return np.concatenate(parts).astype(np.float32, copy=False) if parts else np.zeros(0, np.float32)


class PortAudioStream:
    """A device of the `sounddevice` package, opened as it likes it best: its own rate, one or two channels."""

    def __init__(self, name: str, on_block: OnBlock) -> None:
        self._on_block = on_block
        self._clock = AdcClock()
        self._latency_s = 0.0
        try:
            sound = _sounddevice()
        except (ImportError, OSError) as error:
            raise MicrophoneError("the sound library PortAudio is not installed") from error
        device = _find(sound, name)
        self.rate_hz, channels = _best_format(sound, device)
        try:
            self._stream = sound.InputStream(
                device=device["index"],
                samplerate=self.rate_hz,
                channels=channels,
                dtype="float32",
                latency="high",
                callback=self._heard,
            )
            self._stream.start()
        except sound.PortAudioError as error:
            raise MicrophoneError(f"“{device['name']}” could not be opened") from error
        self._latency_s = float(self._stream.latency)

    def close(self) -> None:
        """Stop and release the device."""
        self._stream.close(ignore_errors=True)

    def _heard(self, data: Samples, frames: int, times: Any, _: object) -> None:
        start_s = self._clock.captured_s(
            now_s=time.monotonic(),
            current_s=times.currentTime,
            adc_s=times.inputBufferAdcTime,
            length_s=frames / self.rate_hz,
            latency_s=self._latency_s,
        )
        # PortAudio uses the memory again; the mean is a new array.
        self._on_block(data.mean(axis=1, dtype=np.float32), start_s)


def _sounddevice() -> ModuleType:
    """Import late: without PortAudio the import itself raises OSError."""
    return importlib.import_module("sounddevice")


def _find(sound: ModuleType, name: str) -> dict[str, Any]:
    try:
        if name == _DEFAULT:
            return dict(sound.query_devices(kind="input"))
        devices = [dict(d) for d in sound.query_devices() if d["name"] == name and d["max_input_channels"] > 0]
    except (sound.PortAudioError, ValueError) as error:
        raise MicrophoneError("no microphone was found") from error
    if not devices:
        raise MicrophoneError(f"the microphone “{name}” was not found")
    return devices[0]


def _best_format(sound: ModuleType, device: dict[str, Any]) -> tuple[int, int]:
    """(samples a second, channels)."""
    channels = min(2, int(device["max_input_channels"]))
    try:
        sound.check_input_settings(device=device["index"], channels=channels, samplerate=RATE_HZ, dtype="float32")
    except (sound.PortAudioError, ValueError):
        return int(device["default_samplerate"]), channels
    return RATE_HZ, channels
