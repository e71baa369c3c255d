"""A recorder without hardware: pictures drawn here, a microphone that says what the test tells it to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.domain.frame import Frame
from app.pipeline.live.pictures import Finished
from app.pipeline.recording.microphone import MicrophoneError, OnBlock
from app.pipeline.recording.recorder import Recorder, RecordSettings, RecordStatus

SIZE = (64, 48)
WAIT_S = 20.0


def wait_for(condition: Callable[[], Any], what: str = "") -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"never came: {what or condition}"
        time.sleep(0.0005)


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class FakeMicrophone:
    """Stands in for PortAudio: `__call__` is the stream factory."""

    rate_hz: int = 48_000
    on_block: OnBlock | None = None
    closed: int = 0
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str, on_block: OnBlock) -> FakeMicrophone:
        self.names.append(name)
        self.on_block = on_block
        return self

    def hear(self, samples: np.ndarray, start_s: float) -> None:
        assert self.on_block is not None
        self.on_block(samples.astype(np.float32), start_s)

    def close(self) -> None:
        self.closed += 1


def no_microphone(name: str, on_block: OnBlock) -> FakeMicrophone:
    raise MicrophoneError("no microphone was found")


def plenty(_: Path) -> int:
    return 10**12


def flat(level: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), level, np.uint8)


def finished(level: int, at_s: float, *, size: tuple[int, int] = SIZE, cover: bool = True) -> Finished:
    if cover:
        return Finished(flat(level, size), at_s)
    pixels = flat(255 - level, size)
    alpha = np.full(pixels.shape[:2], level, np.uint8)
    return Finished(flat(level, size), at_s, Frame(pixels, 0, Fraction(1, 30), 0), alpha)


def recorder(folder: Path, *, clock: FakeClock | None = None, size: tuple[int, int] = SIZE, **given: Any) -> Recorder:
    extra = {k: given.pop(k) for k in ("open_stream", "disk_left", "on_event") if k in given}
    settings = RecordSettings(folder, **{"hardware": False, "microphone": None, "crf": 12, **given})
    return Recorder(settings, size=size, clock=clock or FakeClock(), **{"disk_left": plenty, **extra})


def feed(target: Recorder, clock: FakeClock, picture: Finished) -> None:
    """Put a picture at its time and wait until it is encoded: nothing is dropped however slow the machine."""
    clock.now_s = max(clock.now_s, picture.captured_s)
    before = target.status.frames
    target.put(picture)
    wait_for(lambda: target.status.frames > before or target.status.state.is_over, "the picture")


def stopped(target: Recorder) -> RecordStatus:
    status = target.stop()
    assert status.failure is None, status.failure
    return status


def pictures_in(path: Path, *, damaged_end: bool = False) -> list[tuple[float, int]]:
    """(time in s, mean level) of every picture that decodes; damaged_end: the last packet need not."""
    found = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        packets = list(container.demux(video=0))
        for packet in packets:
            try:
                frames = packet.decode()
            except av.FFmpegError:
                assert damaged_end
                assert packet in packets[-2:]
                continue
            found += [(float(f.pts * f.time_base), round(float(f.to_ndarray(format="gray").mean()))) for f in frames]
    return found


def keyframe_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]


def sound_in(path: Path) -> np.ndarray:
    """All samples, laid out by their own times from 0 s on."""
    with av.open(str(path)) as container:
        frames = [(round(float(f.pts * f.time_base) * 48_000), f.to_ndarray()[0]) for f in container.decode(audio=0)]
    out = np.zeros(max(at + len(data) for at, data in frames), np.float32)
    for at, data in frames:
        out[max(0, at) : at + len(data)] = data[max(0, -at) :]
    return out
