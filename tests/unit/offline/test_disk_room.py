from __future__ import annotations

import errno
import multiprocessing
import pickle
import shutil
import time
from collections import namedtuple
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.live.source_protocol import SourceLost
from app.pipeline.offline.disk_room import (
    check_room,
    is_disk_full,
    needed_bytes,
    size_words,
    wait_for_room,
)
from app.pipeline.video_output import PendingFile

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Free bytes in turn, the last for ever; an exception is raised. Which folders were asked for is noted."""
    values: list[object] = []
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(Path(path))
        value = values.pop(0) if len(values) > 1 else values[0]
        if isinstance(value, OSError):
            raise value
        return Usage(10**15, 0, value)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return values, asked


def full_disk(folder: Path) -> UserError:
    """As every writer makes it."""
    pending = PendingFile(folder / "out.mp4")
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise pending.error(error) from error
    except UserError as failure:
        return failure


def test_needed_bytes() -> None:
    assert needed_bytes(1000, is_assembled=True) == 2000
    assert needed_bytes(1000, is_assembled=False, extras_bytes=50) == 1050
    assert needed_bytes(1000, is_assembled=True, extras_bytes=100, present_bytes=600) == 1500
    assert needed_bytes(1000, is_assembled=False, present_bytes=5000) == 0


def test_room_is_asked_for_with_a_margin(tmp_path: Path, free) -> None:
    values, asked = free
    values[:] = [1_100_000_000]
    check_room(tmp_path, 1_000_000_000)
    with pytest.raises(UserError) as caught:
        check_room(tmp_path, 3_200_000_000)
    assert caught.value.code == ExitCode.OUTPUT
    assert caught.value.message == f"This needs about 3.2 GB in “{tmp_path}”, 1.1 GB are free."
    with pytest.raises(UserError):
        check_room(tmp_path, 1_050_000_000)
    check_room(tmp_path / "not" / "there" / "yet", 1000)
    assert set(asked) == {tmp_path}
    values[:] = [OSError(errno.EIO, "")]
    check_room(tmp_path, 10**18)


def test_room_on_a_real_disk(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(UserError, match="are free"):
        check_room(tmp_path, 10**17)


def test_a_full_disk_is_known_from_what_the_error_came_from(tmp_path: Path) -> None:
    assert is_disk_full(OSError(errno.ENOSPC, ""))
    assert is_disk_full(OSError(errno.EDQUOT, ""))
    failure = full_disk(tmp_path)
    assert is_disk_full(failure)
    assert failure.system_errno == errno.ENOSPC
    outer = RuntimeError("worker")
    outer.__cause__ = failure
    assert is_disk_full(outer)
    for number in (errno.EACCES, errno.EFBIG, errno.EIO):
        other = UserError("no", code=ExitCode.OUTPUT)
        other.__cause__ = OSError(number, "")
        assert not is_disk_full(other)
    assert not is_disk_full(UserError("The disk is full of words."))
    assert UserError("none").system_errno is None


def test_an_error_that_names_no_cause_has_none() -> None:
    def fail() -> None:
        try:
            raise OSError(errno.ENOSPC, "")
        except OSError:
            raise UserError("something else") from None

    with pytest.raises(UserError) as caught:
        fail()
    assert not is_disk_full(caught.value)


def test_causes_that_go_round_in_a_circle_end() -> None:
    one, other = UserError("one"), UserError("other")
    one.__cause__, other.__cause__ = other, one
    assert not is_disk_full(one)
    assert one.system_errno is None


def test_an_error_keeps_what_it_is_on_its_way_to_another_process(tmp_path: Path) -> None:
    failure = full_disk(tmp_path)
    once = pickle.loads(pickle.dumps(failure))
    twice = pickle.loads(pickle.dumps(once))
    wrapped = UserError("outer", code=ExitCode.OUTPUT)
    wrapped.__cause__ = twice
    for error in (once, twice, pickle.loads(pickle.dumps(wrapped))):
        assert type(error) is UserError
        assert error.code == ExitCode.OUTPUT
        assert is_disk_full(error)
        assert error.system_errno == errno.ENOSPC
    assert (once.message, once.hint, str(once)) == (failure.message, failure.hint, str(failure))
    lost = pickle.loads(pickle.dumps(SourceLost("gone", "plug it in", code=ExitCode.BAD_INPUT)))
    assert (type(lost), lost.message, lost.hint) == (SourceLost, "gone", "plug it in")
    assert not is_disk_full(lost)


def test_an_error_of_a_worker_process(tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        failure = pool.submit(_fail, tmp_path).exception()
    assert isinstance(failure, UserError)
    assert failure.hint.startswith("Free some space")
    assert failure.code == ExitCode.OUTPUT
    assert is_disk_full(failure)


def _fail(folder: Path) -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise PendingFile(folder / "out.mp4").error(error) from error


def test_waiting_ends_when_there_is_room(tmp_path: Path, free) -> None:
    values, _ = free
    values[:] = [10, OSError(errno.ESTALE, ""), 99, 100]
    told: list[int] = []
    assert wait_for_room(tmp_path, 100, lambda: False, told.append, poll_s=0.01)
    assert told == [10, 0, 99]


def test_waiting_ends_at_once_when_told_to(tmp_path: Path, free) -> None:
    values, _ = free
    values[:] = [10]
    told: list[int] = []
    started_s = time.monotonic()
    assert not wait_for_room(tmp_path, 100, lambda: bool(told), told.append, poll_s=30)
    assert time.monotonic() - started_s < 1
    assert told == [10]


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (2048, "2 kB"),
        (980_400_000, "980 MB"),
        (5_240_000_000, "5.2 GB"),
        (41_000_000_000, "41 GB"),
    ],
)
def test_size_words(size_bytes: int, words: str) -> None:
    assert size_words(size_bytes) == words
