from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.live.pictures import Finished
from app.pipeline.recording import live_file
from app.pipeline.recording.file_lock import WriterLock
from app.pipeline.recording.recorder import RecordState
from app.pipeline.recording.recovery import is_playable, playable_s, recover, unfinished
from tests.unit.recording.helpers import (
    FakeClock,
    feed,
    finished,
    keyframe_times,
    pictures_in,
    recorder,
    stopped,
    wait_for,
)

PROJECT = Path(__file__).parents[3]

RECORD = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from tests.unit.recording.helpers import FakeMicrophone
    from app.pipeline.live.pictures import Finished
    from app.pipeline.recording.recorder import Recorder, RecordSettings

    microphone = FakeMicrophone()
    settings = RecordSettings(Path(sys.argv[1]), container=sys.argv[2], hardware=False)
    recorder = Recorder(settings, size=(320, 240), open_stream=microphone)
    recorder.start()
    start_s = time.monotonic()
    print(start_s, flush=True)
    still = np.full((240, 320, 3), 90, np.uint8)
    index = 0
    while True:
        at_s = start_s + index / 30
        time.sleep(max(0, at_s - time.monotonic()))
        picture = still.copy()
        picture[:4, index % 300 : index % 300 + 4] = 255
        recorder.put(Finished(picture, at_s))
        microphone.hear(0.1 * np.sin(np.arange(1600) / 20), at_s)
        index += 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_killed_recording_of_a_quiet_picture_loses_a_second_at_most(tmp_path: Path, container: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RECORD), str(tmp_path), container],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout:
        start_s = float(child.stdout.readline())
        kill_s = start_s + 2.0 + random.uniform(0, 1)
        time.sleep(kill_s - time.monotonic())
        assert unfinished(tmp_path) == [], "a file in use was offered for recovery"
        child.send_signal(signal.SIGKILL)
        lived_s = time.monotonic() - start_s
        child.wait()

    (part,) = unfinished(tmp_path)
    # As it lies there, before any repair.
    assert lived_s - playable_s(part) <= 1.1
    before = pictures_in(part)
    whole = recover(part)
    assert list(tmp_path.iterdir()) == [whole]
    assert pictures_in(whole) == before
    assert [at for at, _ in before] == pytest.approx([i / 30 for i in range(len(before))], abs=0.02)
    assert unfinished(tmp_path) == []


def test_a_part_file_with_a_damaged_end_is_recovered_up_to_it(tmp_path: Path) -> None:
    clock = FakeClock()
    target = recorder(tmp_path, clock=clock, container="mkv", size=(160, 120))
    target.start()
    start_s, rng = clock.now_s, np.random.default_rng(0)
    for index in range(60):
        feed(target, clock, Finished(rng.integers(0, 256, (120, 160, 3), np.uint8), start_s + index / 30))
    (path,) = stopped(target).files
    part = path.with_name(f"{path.stem}.part.mkv")
    data = bytearray(path.read_bytes())
    path.unlink()
    part.write_bytes(data[: len(data) * 2 // 3] + bytes(1000))
    whole = recover(part)
    assert whole.name == f"{path.stem} recovered.mkv"
    assert 30 < len(pictures_in(whole)) < 50
    assert not part.exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"ffconcat version 1.0\nfile other.mp4\n"])
def test_what_holds_no_picture_is_kept_and_said(tmp_path: Path, content: bytes) -> None:
    part = tmp_path / "PlateMatch 2026-11-23 12-00-00.part.mp4"
    part.write_bytes(content)
    assert unfinished(tmp_path) == [part]
    with pytest.raises(UserError, match="left as it is"):
        recover(part)
    assert part.read_bytes() == content
    assert list(tmp_path.iterdir()) == [part]


def test_only_our_own_part_files_that_nobody_writes_are_unfinished(tmp_path: Path) -> None:
    ours = tmp_path / "PlateMatch 2026-11-23 12-00-00 (2) matte.part.mkv"
    for name in (ours.name, "holiday.part.mp4", "PlateMatch 2026-11-23 12-00-00.mp4", "PlateMatch.part.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert unfinished(tmp_path) == [ours]
    lock = WriterLock(ours)
    if sys.platform != "win32":
        assert unfinished(tmp_path) == []
    lock.release()
    assert unfinished(tmp_path) == [ours]
    assert unfinished(tmp_path / "gone") == []


def test_recovery_never_overwrites(tmp_path: Path) -> None:
    clock = FakeClock()
    target = recorder(tmp_path, clock=clock)
    target.start()
    feed(target, clock, finished(100, clock.now_s))
    (path,) = stopped(target).files
    taken = path.with_name(f"{path.stem} recovered.mp4")
    taken.write_bytes(b"mine")
    part = path.rename(path.with_name(f"{path.stem}.part.mp4"))
    assert recover(part).name == f"{path.stem} recovered (2).mp4"
    assert taken.read_bytes() == b"mine"


def test_a_nearly_full_disk_is_told_and_a_full_one_ends_the_recording_whole(tmp_path: Path) -> None:
    clock, left = FakeClock(), [900_000_000]
    events = []
    target = recorder(tmp_path, clock=clock, disk_left=lambda _: left[0], on_event=events.append)
    target.start()
    start_s = clock.now_s
    for index in range(95):
        feed(target, clock, finished(100, start_s + index))
    wait_for(lambda: target.status.notices, "the warning")
    assert "nearly full" in target.status.notices[0]
    left[0] = 150_000_000
    wait_for(lambda: target.status.state.is_over, "the end")
    target.put(finished(0, clock.now_s + 1))
    status = target.stop()
    assert status.state is RecordState.FAILED
    assert status.failure is not None
    assert status.failure.message == "Disk full: 1:34 were saved."
    assert status.failure.code is ExitCode.OUTPUT
    assert status.notices == events[-1].notices
    assert len(status.notices) == 1
    assert events[-1].state is RecordState.FAILED
    assert [path.suffixes for path in tmp_path.iterdir()] == [[".mp4"]]
    assert len(pictures_in(status.files[0])) == status.frames


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MB, where this user may mount one."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("only root may mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    shutil.rmtree(folder)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_disk_that_fills_up_keeps_what_fitted(small_disk: Path, container: str) -> None:
    clock = FakeClock()
    target = recorder(small_disk, clock=clock, container=container, size=(160, 120))
    target.start()
    start_s, rng = clock.now_s, np.random.default_rng(0)
    for index in range(300):
        feed(target, clock, Finished(rng.integers(0, 256, (120, 160, 3), np.uint8), start_s + index / 10))
        if target.status.state.is_over:
            break
    status = target.stop()
    assert status.state is RecordState.FAILED
    assert status.failure is not None
    assert status.failure.message.startswith("Disk full: 0:0")
    (path,) = status.files
    assert list(small_disk.iterdir()) == [path]
    assert ".part" not in path.name
    saved = pictures_in(path, damaged_end=True)
    assert len(saved) >= status.frames - 12
    assert status.failure.message == f"Disk full: 0:0{int(saved[-1][0])} were saved."


def test_a_fault_of_the_disk_in_one_companion_keeps_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    target = recorder(tmp_path, clock=clock, keep_original=True)
    real = live_file.LiveFile.append

    def failing(self: live_file.LiveFile, *given: object, **more: object) -> None:
        if "matte" in self.pending.final.name and self.frames == 20:
            raise OSError(errno.EIO, "no")
        real(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(live_file.LiveFile, "append", failing)
    target.start()
    start_s = clock.now_s
    for index in range(21):
        target.put(finished(99, start_s + index / 10))
        wait_for(lambda index=index: target.status.frames > index or target.status.state.is_over)
    status = target.stop()
    assert status.state is RecordState.FAILED
    assert status.failure is not None
    assert "Input/output error" in status.failure.message
    assert [len(pictures_in(path)) for path in status.files] == [21, 21, 20]
    assert all(".part" not in path.name for path in status.files)


def test_a_picture_that_cannot_be_encoded_ends_with_files_not_with_a_dead_thread(tmp_path: Path) -> None:
    clock = FakeClock()
    target = recorder(tmp_path, clock=clock)
    target.start()
    feed(target, clock, finished(99, clock.now_s))
    target.put(Finished(np.zeros((0, 0, 3), np.uint8), clock.now_s + 0.1))
    wait_for(lambda: target.status.state.is_over, "the end")
    status = target.stop()
    assert status.state is RecordState.FAILED
    assert len(pictures_in(status.files[0])) == 1


def test_a_recording_is_an_ordinary_mp4_with_keyframes_every_two_seconds(tmp_path: Path) -> None:
    clock = FakeClock()
    target = recorder(tmp_path, clock=clock)
    target.start()
    start_s = clock.now_s
    for index in range(150):
        feed(target, clock, finished(80, start_s + index / 30))
    (path,) = stopped(target).files
    data = path.read_bytes()
    assert b"moof" not in data[:64]
    assert keyframe_times(path) == pytest.approx([0, 2, 4], abs=1e-3)
    assert is_playable(path)
