import queue
import threading
import time

import pytest

from app.pipeline.bench.feeding import Gate, UnpacedSource
from tests.support.media import write_clip

LONG_S = 60.0


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", frames=7, size=(64, 48), rate=5)


def test_the_gate_lets_in_as_many_as_fit_and_then_one_for_one():
    gate, entered = Gate(2, patience_s=LONG_S), []

    def feed():
        for number in range(5):
            assert gate.enter()
            entered.append(number)

    feeder = threading.Thread(target=feed)
    feeder.start()
    for count in (2, 3, 4):
        wait_for(lambda count=count: len(entered) == count)
        assert len(entered) == count
        gate.leave()
    feeder.join()
    assert entered == [0, 1, 2, 3, 4]


def test_who_never_comes_out_is_given_up():
    gate = Gate(1, patience_s=0.01)
    assert gate.enter()
    assert not gate.enter()
    gate.leave()
    assert gate.enter()


def test_frames_come_all_of_them_round_and_round_as_fast_as_they_are_let_in(clip):
    gate = Gate(1000)
    source = UnpacedSource(clip, gate)
    try:
        before_s = time.monotonic()
        captured = [source.read() for _ in range(20)]
        after_s = time.monotonic()
    finally:
        source.close()
    assert [c.frame.index for c in captured] == list(range(20))
    assert [c.frame.time_s for c in captured] == pytest.approx([i / 5 for i in range(20)])
    moments = [c.captured_s for c in captured]
    assert before_s <= moments[0] <= moments[-1] <= after_s
    assert moments == sorted(moments)
    assert source.granted.text == "64 \u00d7 48, video file, unpaced"


def test_a_step_is_never_handed_a_second_frame_while_one_waits(clip):
    """Two threads at uneven work, as in the live pipeline: a latest-wins slot between them has nothing to replace."""
    gate, first, second = Gate(patience_s=LONG_S), queue.Queue(), queue.Queue()
    handed, done, on_their_way = [], [], []

    def analyse():
        while (item := first.get()) is not None:
            time.sleep(0.002 if item % 3 else 0)
            on_their_way.append(len(handed) - len(done))
            handed.append(item)
            second.put(item)

    def compose():
        while (item := second.get()) is not None:
            time.sleep(0.004 if item % 4 > 1 else 0)
            done.append(item)
            gate.leave()

    threads = [threading.Thread(target=work) for work in (analyse, compose)]
    for thread in threads:
        thread.start()
    source = UnpacedSource(clip, gate)
    try:
        for _ in range(60):
            first.put(source.read().frame.index)
        wait_for(lambda: len(done) == 60)
    finally:
        first.put(None)
        second.put(None)
        source.close()
        for thread in threads:
            thread.join()
    assert done == list(range(60))
    assert max(on_their_way) == 1, "one is at work in the second step while the next one comes; no more"


def wait_for(is_true):
    ends_s = time.monotonic() + LONG_S
    while not is_true() and time.monotonic() < ends_s:
        time.sleep(0.0005)
    assert is_true()
