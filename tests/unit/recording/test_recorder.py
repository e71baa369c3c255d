from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Pixels
from app.pipeline.live.pictures import Finished
from app.pipeline.recording.microphone import OnBlock
from app.pipeline.recording.recorder import RecordState
from tests.unit.recording.helpers import (
    FakeClock,
    FakeMicrophone,
    feed,
    finished,
    flat,
    keyframe_times,
    no_microphone,
    pictures_in,
    recorder,
    sound_in,
    stopped,
    wait_for,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "h264"), ("mp4", "hevc"), ("mp4", "av1"), ("mkv", "h264"), ("webm", "vp9"), ("webm", "av1")],
)
def test_every_container_keeps_pictures_times_and_sound(
    tmp_path: Path, clock: FakeClock, container: str, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    microphone = FakeMicrophone()
    target = recorder(
        tmp_path, clock=clock, container=container, codec=codec, microphone="default", open_stream=microphone
    )
    target.start()
    times = [0.0, 0.031, 0.07, 0.1, 0.133, 0.2, 0.233, 0.27, 0.3, 0.333]
    zero_s = clock.now_s
    for index, at_s in enumerate(times):
        feed(target, clock, finished(20 * index, zero_s + at_s))
    microphone.hear(0.3 * np.sin(np.arange(17_000) / 10), zero_s)
    status = stopped(target)

    (path,) = status.files
    assert re.fullmatch(r"PlateMatch \d{4}-\d\d-\d\d \d\d-\d\d-\d\d\." + container, path.name)
    assert list(tmp_path.iterdir()) == [path]
    found = pictures_in(path)
    tick_s = 1 / 90_000 if container == "mp4" else 1 / 1000
    assert [at for at, _ in found] == pytest.approx(times, abs=0.51 * tick_s)
    assert [level for _, level in found] == pytest.approx([20 * i for i in range(10)], abs=6)
    assert np.abs(sound_in(path)[2000:14_000]).max() == pytest.approx(0.3, abs=0.05)
    assert status.state is RecordState.FINISHED
    assert (status.frames, status.dropped) == (10, 0)
    assert status.bytes_written == path.stat().st_size
    assert microphone.closed == 1
    assert capfd.readouterr() == ("", "")


def test_a_variable_rate_is_not_evened_out_and_times_only_go_up(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock)
    target.start()
    start_s = clock.now_s
    for level, at_s in enumerate([0.0, 0.010, 0.300, 0.300, 0.290, 0.410]):
        feed(target, clock, finished(30 * level, start_s + at_s))
    times = [at for at, _ in pictures_in(stopped(target).files[0])]
    tick = 1 / 90_000
    assert times == pytest.approx([0, 0.01, 0.3, 0.3 + tick, 0.3 + 2 * tick, 0.41], abs=tick / 2)


def test_a_pause_leaves_no_gap_and_a_keyframe_after_it(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock)
    target.start()
    start_s = clock.now_s
    for index in range(10):
        feed(target, clock, finished(100 + index, start_s + index * 0.04))
    target.pause()
    assert target.status.state is RecordState.PAUSED
    clock.now_s += 60
    target.put(finished(0, clock.now_s))
    target.resume()
    resumed_s = clock.now_s
    for index in range(10):
        feed(target, clock, finished(200, resumed_s + 0.02 + index * 0.04))
    status = stopped(target)
    found = pictures_in(status.files[0])
    assert [at for at, _ in found] == pytest.approx(
        [i * 0.04 for i in range(10)] + [0.38 + i * 0.04 for i in range(10)], abs=1e-4
    )
    assert all(level > 90 for _, level in found)
    assert keyframe_times(status.files[0])[-1] == pytest.approx(0.38, abs=1e-4)
    assert status.recorded_s == pytest.approx(0.74, abs=0.01)


def test_a_split_loses_no_frame_and_each_part_begins_with_a_keyframe(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, split_s=1)
    target.start()
    start_s = clock.now_s
    for index in range(70):
        feed(target, clock, finished(3 * index, start_s + index / 30))
    files = stopped(target).files
    assert [path.stem.removeprefix(files[0].stem) for path in files] == ["", " (2)", " (3)"]
    levels = [level for path in files for _, level in pictures_in(path)]
    assert levels == pytest.approx([3 * i for i in range(70)], abs=3)
    for path in files:
        assert pictures_in(path)[0][0] == 0
        assert keyframe_times(path)[0] == 0


def test_sound_of_a_split_recording_is_cut_where_the_picture_is(tmp_path: Path, clock: FakeClock) -> None:
    microphone = FakeMicrophone()
    target = recorder(tmp_path, clock=clock, split_s=1, microphone="default", open_stream=microphone)
    target.start()
    start_s = clock.now_s
    ramp = np.arange(2 * 48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 500 * ramp) * (ramp >= 1)
    for index in range(60):
        # Sound comes a quarter of a second after its picture, as from a slow device.
        if index >= 8:
            at = (index - 8) * 1600
            microphone.hear(tone[at : at + 1600], start_s + at / 48_000)
        feed(target, clock, finished(index, start_s + index / 30))
    clock.now_s = start_s + 2
    for at in range(52 * 1600, 60 * 1600, 1600):
        microphone.hear(tone[at : at + 1600], start_s + at / 48_000)
    first, second = stopped(target).files
    # The tone begins with the second part: AAC smears it by some ms.
    assert np.abs(sound_in(first)[:47_000]).max() < 0.05
    assert np.abs(sound_in(second)[1500:40_000]).max() > 0.4
    assert len(sound_in(first)) == pytest.approx(48_000, abs=2048)


def test_original_and_matte_keep_the_same_times_and_covers_are_black(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, keep_original=True)
    target.start()
    start_s = clock.now_s
    covers = {0, 1, 7}
    for index in range(12):
        feed(target, clock, finished(10 * index + 60, start_s + index / 25, cover=index in covers))
    main, original, matte = stopped(target).files
    assert original.name == f"{main.stem} original.mp4"
    assert matte.name == f"{main.stem} matte.mp4"
    times = [at for at, _ in pictures_in(main)]
    assert [at for at, _ in pictures_in(original)] == times
    assert [at for at, _ in pictures_in(matte)] == times
    shown = [0 if i in covers else 10 * i + 60 for i in range(12)]
    assert [level for _, level in pictures_in(matte)] == pytest.approx(shown, abs=2)
    sources = [0 if i in covers else 195 - 10 * i for i in range(12)]
    assert [level for _, level in pictures_in(original)] == pytest.approx(sources, abs=3)


def test_a_picture_of_another_size_is_letterboxed_into_the_same_file(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, size=(65, 49))
    target.start()
    start_s = clock.now_s
    for index, size in enumerate([(65, 49), (200, 20), (31, 90), (65, 49)]):
        feed(target, clock, finished(200, start_s + index / 30, size=size))
    found = pictures_in(stopped(target).files[0])
    assert found[0][1] == pytest.approx(200, abs=3)
    assert found[1][1] < 60
    assert 40 < found[2][1] < 120
    assert len(found) == 4


def test_a_full_queue_drops_and_counts_and_never_waits(tmp_path: Path, clock: FakeClock) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Finished):
        @property
        def composite(self) -> Pixels:  # type: ignore[override]
            entered.set()
            assert go_on.wait(20)
            return flat(50)

        @composite.setter
        def composite(self, _: Pixels) -> None: ...

    target = recorder(tmp_path, clock=clock, rate_hz=10)
    target.start()
    slow = object.__new__(Slow)
    object.__setattr__(slow, "captured_s", clock.now_s)
    target.put(slow)
    assert entered.wait(20)
    for index in range(1, 12):
        target.put(finished(50, clock.now_s + index / 10))
    assert target.status.dropped == 11 - 5
    go_on.set()
    clock.now_s += 1.1
    status = stopped(target)
    assert len(pictures_in(status.files[0])) == status.frames >= 6


def test_a_silent_source_holds_the_last_picture_and_says_so(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock)
    target.start()
    start_s = clock.now_s
    feed(target, clock, finished(150, start_s))
    for _ in range(3):
        before = target.status.repeated
        clock.now_s += 0.6
        wait_for(lambda before=before: target.status.repeated > before, "a repeated picture")
    feed(target, clock, finished(50, clock.now_s))
    status = stopped(target)
    found = pictures_in(status.files[0])
    assert status.repeated >= 3
    assert {level for _, level in found[:-1]} <= {149, 150, 151}
    assert found[-1] == (pytest.approx(1.8, abs=1e-3), pytest.approx(50, abs=3))


def test_without_a_microphone_it_records_silently_and_says_so_once(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, microphone="USB mic", open_stream=no_microphone)
    target.start()
    feed(target, clock, finished(9, clock.now_s))
    status = stopped(target)
    assert status.notices == ("The recording has no sound: no microphone was found.",)
    assert len(pictures_in(status.files[0])) == 1


def test_a_microphone_that_goes_away_leaves_silence_and_a_notice(tmp_path: Path, clock: FakeClock) -> None:
    microphone = FakeMicrophone()
    events = []
    target = recorder(
        tmp_path, clock=clock, microphone="default", open_stream=microphone, on_event=events.append, rate_hz=10
    )
    target.start()
    start_s = clock.now_s
    for index in range(30):
        if index < 10:
            microphone.hear(np.full(4800, 0.3) * np.sin(np.arange(4800) / 9), start_s + index / 10)
        feed(target, clock, finished(index, start_s + index / 10))
    wait_for(lambda: target.status.notices, "the notice")
    clock.now_s = start_s + 3
    status = stopped(target)
    assert len(status.notices) == 1
    assert "microphone" in status.notices[0]
    assert any(event.notices for event in events)
    heard = sound_in(status.files[0])
    assert np.abs(heard[:40_000]).max() > 0.2
    assert np.abs(heard[52_000:]).max() < 0.01
    assert len(heard) == pytest.approx(3 * 48_000, abs=2100)


def test_existing_files_are_never_overwritten(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pipeline.recording.recorder.stem_for", lambda _: "PlateMatch 2026-11-23 12-00-00")
    taken = tmp_path / "PlateMatch 2026-11-23 12-00-00.mp4"
    taken.write_bytes(b"mine")
    target = recorder(tmp_path, clock=clock)
    target.start()
    late = tmp_path / "PlateMatch 2026-11-23 12-00-00 (2).mp4"
    feed(target, clock, finished(9, clock.now_s))
    late.write_bytes(b"also mine")
    status = stopped(target)
    assert [path.name for path in status.files] == ["PlateMatch 2026-11-23 12-00-00 (3).mp4"]
    assert taken.read_bytes() == b"mine"
    assert late.read_bytes() == b"also mine"


def test_stopping_with_nothing_recorded_leaves_no_file(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, keep_original=True)
    target.start()
    status = stopped(target)
    assert status.files == ()
    assert list(tmp_path.iterdir()) == []
    assert target.stop() == status


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"container": "webm", "codec": "h264"}, ExitCode.OUTPUT),
        ({"bitrate_kbps": 500}, ExitCode.USAGE),
        ({"crf": None}, ExitCode.USAGE),
        ({"crf": 99}, ExitCode.USAGE),
        ({"rate_hz": 0}, ExitCode.USAGE),
        ({"split_s": 0.2}, ExitCode.USAGE),
        ({"disk_left": lambda _: 100_000_000}, ExitCode.OUTPUT),
        ({"size": (100_000, 64)}, ExitCode.OUTPUT),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(tmp_path: Path, given: dict[str, object], code: ExitCode) -> None:
    target = recorder(tmp_path, **given)  # type: ignore[arg-type]
    with pytest.raises(UserError) as refused:
        target.start()
    assert refused.value.code is code
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        recorder(tmp_path / "gone").start()


def test_the_microphone_is_released_when_a_file_cannot_be_begun(tmp_path: Path) -> None:
    microphone, folder = FakeMicrophone(), tmp_path / "soon gone"
    folder.mkdir()

    def open_stream(name: str, on_block: OnBlock) -> FakeMicrophone:
        folder.rmdir()
        return microphone(name, on_block)

    with pytest.raises(UserError, match="soon gone"):
        recorder(folder, microphone="default", open_stream=open_stream).start()
    assert microphone.closed == 1


def test_a_driver_that_delivers_nonsense_does_not_end_the_recording(tmp_path: Path, clock: FakeClock) -> None:
    microphone = FakeMicrophone()
    target = recorder(tmp_path, clock=clock, microphone="default", open_stream=microphone)
    target.start()
    feed(target, clock, finished(80, clock.now_s))
    for index, value in enumerate([np.nan, np.inf, -np.inf, 1e30, 0.1]):
        microphone.hear(np.full(4800, value), clock.now_s + index / 10)
    clock.now_s += 0.5
    assert len(pictures_in(stopped(target).files[0])) >= 1


def test_waiting_for_the_first_picture_is_no_fault_of_the_microphone(tmp_path: Path, clock: FakeClock) -> None:
    microphone = FakeMicrophone()
    target = recorder(tmp_path, clock=clock, microphone="default", open_stream=microphone)
    target.start()
    for _ in range(1000):
        microphone.hear(np.zeros(480), clock.now_s)
        clock.now_s += 0.01
    microphone.hear(np.zeros(480), clock.now_s)
    feed(target, clock, finished(80, clock.now_s))
    assert stopped(target).notices == ()


def test_a_fixed_bit_rate_is_kept(tmp_path: Path, clock: FakeClock) -> None:
    target = recorder(tmp_path, clock=clock, size=(160, 120), crf=None, bitrate_kbps=200)
    target.start()
    start_s, rng = clock.now_s, np.random.default_rng(1)
    for index in range(90):
        feed(target, clock, Finished(rng.integers(0, 256, (120, 160, 3), np.uint8), start_s + index / 30))
    status = stopped(target)
    assert 8 * status.files[0].stat().st_size / 3 == pytest.approx(200_000, rel=0.35)
