from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.pipeline.recording import microphone as microphones
from app.pipeline.recording.clock import FileClock, Placed, Span
from app.pipeline.recording.microphone import Microphone, MicrophoneError, PortAudioStream, list_microphones
from app.pipeline.recording.sound import RATE_HZ, AdcClock, SoundFitter, stretched
from tests.unit.recording.helpers import FakeClock, FakeMicrophone, feed, finished, recorder, sound_in, stopped

BLOCK = 1024


def fitted_clicks(*, drift: float, seconds: float, jitter_s: float = 0.0, every_s: float = 5.0) -> np.ndarray:
    """Offsets in s of one-sample clicks, laid down by a device whose clock runs `drift` fast."""
    fitter, rng, offsets = SoundFitter(), np.random.default_rng(3), []
    rate = RATE_HZ * (1 + drift)
    clicks = {round(t * rate): t for t in np.arange(1, seconds, every_s)}
    for first in range(0, int(seconds * rate), BLOCK):
        samples = np.zeros(BLOCK, np.float32)
        inside = [at for at in clicks if first <= at < first + BLOCK]
        samples[[at - first for at in inside]] = 1
        before = fitter.position
        out = fitter.fit(samples, first / rate + rng.uniform(-jitter_s, jitter_s))
        if inside:
            offsets.append((before + int(np.argmax(out))) / RATE_HZ - clicks[inside[0]])
    return np.array(offsets)


@pytest.mark.parametrize("drift", [-500e-6, -200e-6, 0, 200e-6, 500e-6])
def test_a_drifting_microphone_stays_within_some_ms_for_ten_minutes(drift: float) -> None:
    offsets = fitted_clicks(drift=drift, seconds=600)
    assert len(offsets) > 110
    assert np.abs(offsets).max() < 0.005


def test_late_callbacks_do_not_move_the_sound() -> None:
    assert np.abs(fitted_clicks(drift=1e-4, seconds=120, jitter_s=0.008)).max() < 0.012


def test_lost_blocks_become_silence_of_their_length() -> None:
    fitter, pieces = SoundFitter(), []
    starts = [first for first in range(0, 3 * RATE_HZ, BLOCK) if not RATE_HZ <= first < 2 * RATE_HZ]
    for first in starts:
        pieces.append(fitter.fit(np.full(BLOCK, first < RATE_HZ, np.float32) + np.float32(0.5), first / RATE_HZ))
    out = np.concatenate(pieces)
    assert fitter.position == len(out)
    assert len(out) == pytest.approx(3 * RATE_HZ, abs=2 * BLOCK)
    assert np.count_nonzero(out == 0) == pytest.approx(RATE_HZ, abs=2 * BLOCK)


def test_sound_that_comes_after_its_place_was_filled_is_left_out() -> None:
    fitter = SoundFitter()
    assert len(fitter.silence(1.0)) == RATE_HZ
    for first in range(0, 2 * RATE_HZ, BLOCK):
        fitter.fit(np.ones(BLOCK, np.float32), first / RATE_HZ)
    assert fitter.position == pytest.approx(2 * RATE_HZ, abs=2 * BLOCK)


def test_the_first_block_is_laid_exactly_where_it_belongs() -> None:
    out = SoundFitter().fit(np.ones(BLOCK, np.float32), 0.25)
    assert np.flatnonzero(out)[0] == RATE_HZ // 4


def test_stretching_keeps_a_tone_smooth() -> None:
    tone = np.sin(np.arange(1000) / 20).astype(np.float32)
    out = stretched(tone, 1001)
    assert len(out) == 1001
    assert np.abs(np.diff(out)).max() <= np.abs(np.diff(tone)).max() + 1e-6


def test_the_file_clock_takes_pauses_out() -> None:
    clock = FileClock()
    assert clock.place(5.0) is None
    assert clock.length_s(5.0) == 0
    clock.start(10.0)
    clock.pause(12.0)
    assert clock.place(11.0) == Placed(1.0, 0)
    assert clock.place(12.5) is None
    assert clock.length_s(20.0) == 2.0
    clock.resume(30.0)
    assert clock.place(31.0) == Placed(3.0, 1)
    assert clock.place(9.0) is None
    assert clock.spans(11.0, 31.0) == [Span(11.0, 12.0, 1.0), Span(30.0, 31.0, 2.0)]
    assert clock.spans(13.0, 14.0) == []


def test_an_adc_time_is_mapped_by_the_earliest_callback() -> None:
    clock, rng = AdcClock(), np.random.default_rng(0)
    for index in range(100):
        late_s = 0.0 if index == 0 else rng.uniform(0, 0.05)
        current_s = 50.0 + index * 0.02
        heard_s = clock.captured_s(
            now_s=1000 + index * 0.02 + late_s,
            current_s=current_s,
            adc_s=current_s - 0.03,
            length_s=0.02,
            latency_s=0.1,
        )
        assert heard_s == pytest.approx(1000 + index * 0.02 - 0.03)


@pytest.mark.parametrize("adc_s", [0.0, 5.0, 1e6])
def test_a_driver_without_times_is_placed_by_arrival(adc_s: float) -> None:
    heard_s = AdcClock().captured_s(now_s=1000, current_s=50, adc_s=adc_s, length_s=0.02, latency_s=0.1)
    assert heard_s == pytest.approx(1000 - 0.02 - 0.1)


def test_another_rate_is_resampled() -> None:
    fake = FakeMicrophone(rate_hz=16_000)
    microphone = Microphone("default", open_stream=fake)
    for index in range(50):
        fake.hear(np.sin(2 * np.pi * 440 * (np.arange(320) + 320 * index) / 16_000), index / 50)
    blocks = []
    while (block := microphone.take()) is not None:
        blocks.append(block.samples)
    sound = np.concatenate(blocks)
    assert len(sound) == pytest.approx(48_000, abs=200)
    spectrum = np.abs(np.fft.rfft(sound[2000:46_000]))
    assert np.argmax(spectrum) * 48_000 / 44_000 == pytest.approx(440, abs=2)
    microphone.close()


class FakeSoundDevice:
    """The parts of the sounddevice module that are used, with scripted devices."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *, only_hz: int | None = None, opens: bool = True) -> None:
        self.only_hz, self.opens = only_hz, opens
        self.callback: Callable[..., None] | None = None
        self.closed = False
        self.devices = [
            {"index": 0, "name": "HDMI", "max_input_channels": 0, "default_samplerate": 48000.0},
            {"index": 1, "name": "USB mic", "max_input_channels": 2, "default_samplerate": 44100.0},
            {"index": 2, "name": "USB mic", "max_input_channels": 2, "default_samplerate": 44100.0},
        ]

    def query_devices(self, kind: str | None = None) -> Any:
        return self.devices[1] if kind == "input" else self.devices

    def check_input_settings(self, **settings: Any) -> None:
        if self.only_hz not in (None, settings["samplerate"]):
            raise self.PortAudioError("rate")

    def InputStream(self, **settings: Any) -> Any:
        if not self.opens:
            raise self.PortAudioError("busy")
        self.settings, self.callback = settings, settings["callback"]
        return SimpleNamespace(
            start=lambda: None, latency=0.05, close=lambda ignore_errors: setattr(self, "closed", True)
        )


@pytest.fixture
def sound_module(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    fake = FakeSoundDevice()
    monkeypatch.setattr(microphones, "_sounddevice", lambda: fake)
    return fake


def test_a_portaudio_device_delivers_mono_with_times(sound_module: FakeSoundDevice) -> None:
    heard: list[tuple[np.ndarray, float]] = []
    sound_module.only_hz = 44_100
    stream = PortAudioStream("USB mic", lambda samples, at: heard.append((samples, at)))
    assert stream.rate_hz == 44_100
    assert sound_module.settings["device"] == 1
    data = np.array([[0.2, 0.4], [0.0, -0.2]], np.float32)
    assert sound_module.callback is not None
    sound_module.callback(data, 2, SimpleNamespace(currentTime=7.0, inputBufferAdcTime=6.9), None)
    data[:] = 9
    assert heard[0][0] == pytest.approx([0.3, -0.1])
    stream.close()
    assert sound_module.closed
    assert list_microphones() == ["USB mic"]


def test_a_named_microphone_that_is_gone_is_named(sound_module: FakeSoundDevice) -> None:
    with pytest.raises(MicrophoneError, match="“Studio” was not found"):
        PortAudioStream("Studio", lambda *_: None)


def test_a_microphone_in_use_is_named(sound_module: FakeSoundDevice) -> None:
    sound_module.opens = False
    with pytest.raises(MicrophoneError, match="“USB mic” could not be opened"):
        PortAudioStream("default", lambda *_: None)


def test_without_portaudio_there_is_a_reason_and_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert list_microphones() == []
    with pytest.raises(MicrophoneError, match="PortAudio is not installed"):
        PortAudioStream("default", lambda *_: None)


CLICK = np.hanning(96).astype(np.float32) * np.sin(np.arange(96))


def test_flash_and_click_stay_together_for_ten_minutes_and_over_a_pause(tmp_path: Path) -> None:
    """A microphone 200 ppm fast, 600 s, a pause of 100 s in the middle: 5 pictures a second, a pair every 20 s."""
    clock, microphone = FakeClock(), FakeMicrophone()
    target = recorder(
        tmp_path, clock=clock, rate_hz=5, crf=20, microphone="default", open_stream=microphone, size=(32, 32)
    )
    target.start()
    zero_s, rate = clock.now_s, RATE_HZ * (1 + 200e-6)
    pairs = [2.0 + 20 * i for i in range(35)]
    sent = 0
    for index in range(700 * 5):
        at_s = index / 5
        if index == 300 * 5:
            clock.now_s = zero_s + at_s
            target.pause()
        if index == 400 * 5:
            clock.now_s = zero_s + at_s
            target.resume()
        # Sound until 60 ms before this picture has come: as far behind as a real device is.
        while (sent + 9600) / rate < at_s - 0.06:
            block = np.zeros(9600, np.float32)
            for pair_s in pairs:
                first = round(pair_s * rate) - sent
                if 0 <= first < 9600 - len(CLICK):
                    block[first : first + len(CLICK)] = CLICK
            microphone.hear(block, zero_s + sent / rate)
            sent += 9600
        level = 235 if any(abs(at_s - pair_s) < 0.01 for pair_s in pairs) else 16
        picture = finished(level, zero_s + at_s, size=(32, 32))
        if 300 * 5 <= index < 400 * 5:
            target.put(picture)
            clock.now_s = zero_s + at_s
        else:
            feed(target, clock, picture)
    (path,) = stopped(target).files
    offsets = np.array(click_minus_flash(path))
    assert len(offsets) == len([p for p in pairs if not 300 <= p < 400])
    assert np.abs(offsets).max() <= 0.040, offsets


def click_minus_flash(path: Path) -> list[float]:
    import av

    with av.open(str(path)) as container:
        flashes = [
            float(frame.pts * frame.time_base)
            for frame in container.decode(video=0)
            if frame.to_ndarray(format="gray").mean() > 128
        ]
    sound = np.abs(sound_in(path))
    found = []
    for flash_s in flashes:
        first = max(0, round((flash_s - 0.15) * RATE_HZ))
        window = sound[first : first + round(0.3 * RATE_HZ)]
        assert window.max() > 0.2, f"no click near {flash_s}"
        found.append((first + int(np.argmax(window > 0.5 * window.max()))) / RATE_HZ - flash_s)
    return found
