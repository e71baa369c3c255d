import threading
import time

import pytest

from app.pipeline.handover import WriteBehind, read_ahead


def test_items_arrive_in_order_and_whole():
    assert list(read_ahead(range(200), depth=3)) == list(range(200))


def test_producer_runs_no_further_ahead_than_allowed():
    produced = []

    def items():
        for i in range(50):
            produced.append(i)
            yield i

    ahead = read_ahead(items(), depth=3)
    assert next(ahead) == 0
    deadline = time.monotonic() + 5
    while len(produced) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)
    assert len(produced) <= 1 + 3 + 1
    ahead.close()


def test_producers_exception_comes_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(items(), depth=2)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_closing_stops_the_thread():
    ahead = read_ahead(iter(int, 1), depth=2)
    next(ahead)
    ahead.close()
    assert not [t for t in threading.enumerate() if t.name == "read-ahead"]


def test_write_behind_consumes_everything_in_order():
    done = []
    with WriteBehind(done.append, depth=2) as behind:
        for i in range(100):
            behind.put(i)
    assert done == list(range(100))


def test_consumers_exception_is_raised_and_later_items_are_discarded():
    done = []

    def consume(item):
        if item == 3:
            raise OSError("disk full")
        done.append(item)

    def feed():
        with WriteBehind(consume, depth=1) as behind:
            for i in range(50):
                behind.put(i)

    with pytest.raises(OSError, match="disk full"):
        feed()
    assert done == [0, 1, 2]


def test_failure_of_the_block_discards_what_is_queued():
    started, release, done = threading.Event(), threading.Event(), []

    def consume(item):
        started.set()
        release.wait(5)
        done.append(item)

    def feed():
        with WriteBehind(consume, depth=10) as behind:
            for i in range(5):
                behind.put(i)
            started.wait(5)
            threading.Timer(0.05, release.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feed()
    assert done == [0]
