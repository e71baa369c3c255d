from hypothesis import given
from hypothesis import strategies as st

from app.pipeline.handover import BoundedQueue, LatestSlot

STEPS = st.lists(st.sampled_from(["put", "take", "clear"]), max_size=60)


@given(STEPS)
def test_what_was_put_into_a_slot_was_taken_cleared_dropped_or_lies_there(steps):
    slot, put, taken, cleared, lies_there = LatestSlot(), 0, [], 0, False
    for step in steps:
        if step == "put":
            slot.put(put)
            put, lies_there = put + 1, True
        elif step == "take":
            item = slot.take(0)
            assert (item is not None) == lies_there
            taken += [] if item is None else [item]
            lies_there = False
        else:
            slot.clear()
            cleared, lies_there = cleared + lies_there, False
    assert slot.dropped == put - len(taken) - cleared - lies_there
    assert taken == sorted(set(taken))


@given(STEPS, st.sets(st.integers(0, 59)))
def test_slot_counts_only_dropped_items_that_are_missed(steps, missed):
    slot, shadow, dropped = LatestSlot(counts=lambda item: item in missed), None, 0
    for i, step in enumerate(steps):
        if step == "put":
            dropped += shadow is not None and shadow in missed
            slot.put(i)
            shadow = i
        else:
            slot.take(0) if step == "take" else slot.clear()
            shadow = None
    assert slot.dropped == dropped


@given(st.lists(st.sampled_from(["put", "take"]), max_size=60), st.integers(1, 5))
def test_queue_loses_only_what_it_refused_and_counts_that(steps, depth):
    queue, accepted, refused, taken = BoundedQueue(depth), [], 0, []
    for i, step in enumerate(steps):
        if step == "put":
            if queue.put(i):
                accepted.append(i)
            else:
                refused += 1
        elif (item := queue.take(0)) is not None:
            taken.append(item)
        assert len(queue) <= depth
    queue.close()
    while (item := queue.take()) is not None:
        taken.append(item)
    assert taken == accepted
    assert queue.dropped == refused
    assert queue.is_finished
