import threading
import time

import pytest

from app.pipeline.handover import BoundedQueue, LatestSlot, WriteBehind, read_ahead


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


def waiting(take):
    """Starts `take` on a thread; the list its result will be in, and the thread."""
    got = []
    thread = threading.Thread(target=lambda: got.append(take()), daemon=True)
    thread.start()
    return got, thread


def test_slot_gives_the_latest_and_counts_what_it_replaced():
    slot = LatestSlot()
    for i in range(5):
        slot.put(i)
    assert slot.take(0) == 4
    assert slot.dropped == 4
    assert slot.take(0) is None


def test_slot_wakes_who_waits():
    slot = LatestSlot()
    got, thread = waiting(slot.take)
    slot.put("picture")
    thread.join(5)
    assert got == ["picture"]


@pytest.mark.parametrize("slot", [LatestSlot(), BoundedQueue(2)], ids=["slot", "queue"])
def test_closing_lets_who_waits_go_with_nothing_and_takes_nothing_in(slot):
    got, thread = waiting(slot.take)
    slot.close()
    thread.join(5)
    assert got == [None]
    slot.put(1)
    assert slot.take(0) is None
    assert slot.dropped == 0


def test_closing_a_slot_throws_away_what_lies_there():
    slot = LatestSlot()
    slot.put(1)
    slot.close()
    assert slot.is_closed
    assert slot.take(0) is None


def test_cleared_items_are_not_counted_as_dropped():
    slot = LatestSlot()
    slot.put(1)
    slot.clear()
    slot.put(2)
    assert slot.take(0) == 2
    assert slot.dropped == 0


def test_slot_misses_only_what_it_is_told_to_miss():
    slot = LatestSlot(counts=lambda item: item != "cover")
    for item in ("cover", "cover", "person", "cover", "person"):
        slot.put(item)
    assert slot.dropped == 1
    assert slot.take(0) == "person"


def test_queue_keeps_order_and_refuses_one_too_many():
    queue = BoundedQueue(3)
    assert [queue.put(i) for i in range(5)] == [True, True, True, False, False]
    assert queue.dropped == 2
    assert [queue.take(0) for _ in range(4)] == [0, 1, 2, None]
    assert queue.put(9)


def test_closed_queue_is_worked_off_to_its_end():
    queue = BoundedQueue(3)
    queue.put(1)
    queue.put(2)
    queue.close()
    assert not queue.is_finished
    assert len(queue) == 2
    assert not queue.put(3)
    assert [queue.take(), queue.take(), queue.take()] == [1, 2, None]
    assert queue.is_finished


def test_nothing_is_lost_between_a_fast_and_a_slow_thread():
    slot, got = LatestSlot(), []

    def consume():
        while (item := slot.take()) is not None:
            got.append(item)

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    for i in range(20_000):
        slot.put(i)
    deadline = time.monotonic() + 5
    while (not got or got[-1] != 19_999) and time.monotonic() < deadline:
        time.sleep(0.002)
    slot.close()
    thread.join(5)
    assert got == sorted(set(got))
    assert got[-1] == 19_999
    assert len(got) + slot.dropped == 20_000
