"""The queue of deliveries: order, holding, failures and ends, with a delivery that does as the test says."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.domain.errors import UserError
from app.pipeline.offline.queue import MAX_ITEMS, RenderQueue
from app.pipeline.offline.queue_items import QueueItem

WAIT_S = 5.0


class Left(Exception):  # noqa: N818
    """As `Stopped`: the control said so."""


@dataclass(frozen=True)
class Step:
    """What a delivery reports; stands for `Progress`, whose module reads videos."""

    done: int
    total: int = 10


@dataclass(frozen=True)
class Result:
    frames: int = 10
    seconds: float = 2.0
    notices: tuple = ("Said.",)


class Deliveries:
    """Stands for `run_job`: goes on frame by frame as it is let, and obeys its control."""

    def __init__(self):
        self.begun, self.discarded, self.idle = [], [], 0
        self.errors = {}
        self.gates = {}
        self.changes = 0

    def gate(self, name):
        return self.gates.setdefault(name, threading.Event())

    def run_one(self, job, control, report):
        self.begun.append(job)
        if job in self.errors:
            raise self.errors[job]
        gate, done = self.gates.get(job), 0
        while gate is not None and not gate.is_set():
            if control.should_stop():
                raise Left
            if not control.is_paused():
                done += 1
                report(Step(done))
            time.sleep(0.002)
        return Result()

    def note(self):
        self.changes += 1

    def rest(self):
        self.idle += 1


def item(name, **facts):
    return QueueItem(Path(f"/clips/{name}.mp4"), Path(f"/out/{name}.mp4"), id=name, **facts)


@contextmanager
def queue_of(*names, deliveries=None):
    deliveries = deliveries or Deliveries()
    queue = RenderQueue(
        deliveries.run_one,
        job_of=lambda item: item.id,
        items=[item(name) if isinstance(name, str) else name for name in names],
        discard=lambda item: deliveries.discarded.append(item.id),
        on_change=deliveries.note,
        on_idle=deliveries.rest,
    )
    try:
        yield queue, deliveries
    finally:
        queue.close()


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def states(queue):
    return {item.id: item.state for item in queue.items}


def frames_of(queue, name):
    found = next(item for item in queue.items if item.id == name)
    return found.progress.done if found.progress else 0


def test_nothing_starts_before_it_is_told_to_and_all_are_made_in_order():
    with queue_of("a", "b", "c") as (queue, deliveries):
        assert queue.is_held
        time.sleep(0.02)
        assert deliveries.begun == []
        queue.release()
        until(lambda: set(states(queue).values()) == {"done"})
        assert deliveries.begun == ["a", "b", "c"]
        first = queue.items[0]
        assert (first.frames, first.seconds, first.notices) == (10, 2.0, ("Said.",))


def test_it_is_held_again_once_all_is_done_so_that_the_next_clip_waits():
    with queue_of("a") as (queue, deliveries):
        queue.release()
        until(lambda: queue.is_held and deliveries.idle == 1)
        queue.add([item("b")])
        time.sleep(0.02)
        assert states(queue) == {"a": "done", "b": "waiting"}


def test_releasing_a_queue_with_nothing_in_it_leaves_it_held():
    with queue_of() as (queue, _):
        queue.release()
        assert queue.is_held


def test_one_that_fails_says_why_and_the_others_are_made():
    with queue_of("a", "b", "c", "d") as (queue, deliveries):
        deliveries.errors = {"a": UserError("It is no video.", "Choose another."), "c": RuntimeError("odd")}
        queue.release()
        until(lambda: queue.is_held)
        assert states(queue) == {"a": "failed", "b": "done", "c": "failed", "d": "done"}
        assert (queue.items[0].message, queue.items[0].hint) == ("It is no video.", "Choose another.")
        assert "odd" in queue.items[2].message
        assert queue.items[2].hint


def test_an_item_no_job_can_be_made_of_fails_by_itself():
    def job_of(item):
        if item.id == "a":
            raise UserError("Nobody knows this preset.")
        return item.id

    deliveries = Deliveries()
    queue = RenderQueue(deliveries.run_one, job_of=job_of, items=[item("a"), item("b")])
    queue.release()
    until(lambda: queue.is_held)
    queue.close()
    assert states(queue) == {"a": "failed", "b": "done"}
    assert deliveries.begun == ["b"]


def test_holding_holds_the_one_under_way_at_once_and_starts_no_other():
    with queue_of("a", "b") as (queue, deliveries):
        gate = deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 2)
        queue.hold()
        assert states(queue) == {"a": "paused", "b": "waiting"}
        time.sleep(0.01)
        stood = frames_of(queue, "a")
        time.sleep(0.03)
        assert frames_of(queue, "a") == stood
        queue.release()
        assert states(queue)["a"] == "running"
        until(lambda: frames_of(queue, "a") > stood)
        gate.set()
        until(lambda: set(states(queue).values()) == {"done"})


def test_resuming_one_of_a_held_queue_makes_that_one_only():
    with queue_of("a", "b") as (queue, deliveries):
        gate = deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        queue.hold()
        queue.resume("a")
        gate.set()
        until(lambda: states(queue)["a"] == "done")
        time.sleep(0.02)
        assert states(queue)["b"] == "waiting"


def test_one_that_waits_and_is_paused_is_passed_over():
    with queue_of("a", "b") as (queue, deliveries):
        queue.pause("a")
        queue.release()
        until(lambda: states(queue)["b"] == "done")
        assert deliveries.begun == ["b"]
        queue.resume("a")
        queue.release()
        until(lambda: states(queue)["a"] == "done")


def test_one_is_started_alone_while_the_others_stay_held():
    with queue_of("a", "b", "c") as (queue, deliveries):
        queue.start("b")
        until(lambda: states(queue)["b"] == "done" and queue.is_held)
        time.sleep(0.02)
        assert deliveries.begun == ["b"]


def test_one_added_first_comes_after_the_one_under_way_and_before_all_that_wait():
    with queue_of(item("z", state="done"), "a", "b") as (queue, deliveries):
        gate = deliveries.gate("a")
        queue.release()
        until(lambda: deliveries.begun == ["a"])
        queue.add([item("now")], first=True)
        assert [i.id for i in queue.items] == ["z", "a", "now", "b"]
        gate.set()
        until(lambda: queue.is_held)
        assert deliveries.begun == ["a", "now", "b"]


def test_of_several_that_are_asked_for_the_earlier_comes_first():
    with queue_of("a", "b") as (queue, deliveries):
        gate = deliveries.gate("a")
        queue.start("a")
        until(lambda: deliveries.begun == ["a"])
        for name in ("now", "then"):
            queue.add([item(name)], first=True)
            queue.start(name)
        assert [i.id for i in queue.items] == ["a", "now", "then", "b"]
        gate.set()
        until(lambda: deliveries.begun == ["a", "now", "then"] and queue.is_held)


def test_cancelling_stops_the_one_under_way_throws_its_work_away_and_goes_on():
    with queue_of("a", "b") as (queue, deliveries):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        queue.cancel("a")
        until(lambda: queue.is_held)
        assert states(queue) == {"a": "cancelled", "b": "done"}
        assert deliveries.discarded == ["a"]
        assert not queue.items[0].has_begun


def test_one_cancelled_before_its_first_frame_has_its_work_thrown_away_too():
    begun = threading.Event()

    def run_one(job, control, report):
        begun.set()
        while not control.should_stop():
            time.sleep(0.002)
        raise Left

    discarded = []
    queue = RenderQueue(run_one, job_of=lambda i: i.id, items=[item("a")], discard=lambda one: discarded.append(one.id))
    queue.release()
    assert begun.wait(WAIT_S)
    queue.cancel("a")
    until(lambda: queue.is_held)
    queue.close()
    assert discarded == ["a"]


def test_one_that_is_held_can_be_cancelled():
    with queue_of("a") as (queue, deliveries):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        queue.hold()
        queue.cancel("a")
        until(lambda: states(queue)["a"] == "cancelled")


def test_cancelling_one_that_was_never_begun_leaves_nothing_to_throw_away():
    with queue_of("a") as (queue, deliveries):
        queue.cancel("a")
        assert states(queue) == {"a": "cancelled"}
        time.sleep(0.02)
        assert deliveries.discarded == []


def test_failed_and_cancelled_ones_can_be_tried_again_and_keep_what_was_finished():
    with queue_of(item("a", state="failed", message="No.", has_begun=True), "b") as (queue, deliveries):
        queue.cancel("b")
        queue.retry("a")
        queue.retry("b")
        assert states(queue) == {"a": "waiting", "b": "waiting"}
        assert queue.items[0].message == ""
        assert queue.items[0].has_begun
        queue.release()
        until(lambda: set(states(queue).values()) == {"done"})
        assert deliveries.discarded == []


def test_removing_takes_out_and_throws_unfinished_work_away():
    with queue_of("a", item("b", has_begun=True), item("c", state="done"), "d") as (queue, deliveries):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        for name in "abc":
            queue.remove(name)
        until(lambda: states(queue) == {"d": "done"})
        assert sorted(deliveries.discarded) == ["a", "b"]


def test_work_that_another_entry_goes_on_with_is_not_thrown_away():
    one, other = item("a", has_begun=True), replace(item("a", has_begun=True), id="again")
    with queue_of(one, other) as (queue, deliveries):
        queue.remove("a")
        queue.release()
        until(lambda: states(queue) == {"again": "done"})
        assert deliveries.discarded == []


def test_clearing_takes_out_what_is_done_or_cancelled_and_leaves_failures_to_be_seen():
    names = [item(state, state=state) for state in ("done", "failed", "cancelled", "waiting", "paused")]
    with queue_of(*names) as (queue, _):
        queue.clear_finished()
        assert sorted(states(queue)) == ["failed", "paused", "waiting"]


def test_order_can_be_changed_and_is_the_order_of_work():
    with queue_of("a", "b", "c") as (queue, deliveries):
        queue.move(["c"], 0)
        queue.move(["a"], 99)
        queue.move(["nobody"], 0)
        assert [i.id for i in queue.items] == ["c", "b", "a"]
        queue.release()
        until(lambda: queue.is_held)
        assert deliveries.begun == ["c", "b", "a"]


def test_several_are_moved_together_in_the_order_given():
    with queue_of("a", "b", "c", "d") as (queue, _):
        queue.move(["a", "c"], 2)
        assert [i.id for i in queue.items] == ["b", "d", "a", "c"]
        queue.move(["c", "nobody", "b"], 0)
        assert [i.id for i in queue.items] == ["c", "b", "d", "a"]


def test_another_name_may_replace_a_file_and_lets_a_failed_one_wait_again():
    with queue_of(item("a", state="failed", message="It exists."), item("b", state="done")) as (queue, _):
        queue.change_output("a", Path("/out/new.mp4"), overwrite=True)
        queue.change_output("b", Path("/out/new.mp4"), overwrite=True)
        first, second = queue.items
        assert (first.state, first.output, first.overwrite, first.message) == (
            "waiting", Path("/out/new.mp4"), True, "",
        )  # fmt: skip
        assert second == item("b", state="done")


def test_closing_leaves_the_one_under_way_to_be_gone_on_with_and_no_thread():
    deliveries = Deliveries()
    with queue_of("a", "b", deliveries=deliveries) as (queue, _):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
    assert states(queue) == {"a": "waiting", "b": "waiting"}
    assert queue.items[0].has_begun
    assert queue.items[0].progress is None
    assert deliveries.discarded == []
    assert deliveries.idle == 1


def test_what_was_cancelled_just_before_closing_stays_cancelled_and_is_thrown_away():
    deliveries = Deliveries()
    with queue_of("a", "b", deliveries=deliveries) as (queue, _):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        queue.cancel("a")
    assert states(queue)["a"] == "cancelled"
    assert deliveries.discarded == ["a"]


def test_a_delivery_that_fails_while_it_is_closed_is_no_failure():
    deliveries = Deliveries()
    with queue_of("a", deliveries=deliveries) as (queue, _):
        deliveries.gate("a")
        queue.release()
        until(lambda: frames_of(queue, "a") > 0)
        queue.close()
    assert states(queue) == {"a": "waiting"}


def test_discarding_that_fails_stops_nothing(caplog):
    def discard(_):
        raise OSError("busy")

    deliveries = Deliveries()
    queue = RenderQueue(
        deliveries.run_one, job_of=lambda i: i.id, items=[item("a", has_begun=True), item("b")], discard=discard
    )
    queue.cancel("a")
    queue.release()
    until(lambda: states(queue) == {"a": "cancelled", "b": "done"})
    queue.close()
    assert "can't be taken away" in caplog.text


def test_there_is_room_for_so_many_and_no_more():
    with queue_of(*(str(n) for n in range(MAX_ITEMS - 1))) as (queue, _):
        with pytest.raises(UserError, match="at most"):
            queue.add([item("x"), item("y")])
        queue.add([item("x")])
        assert len(queue.items) == MAX_ITEMS


def test_many_hands_at_once_lose_nothing():
    names = [f"n{n}" for n in range(40)]
    with queue_of() as (queue, deliveries):
        threads = [threading.Thread(target=lambda name=name: queue.add([item(name)])) for name in names]
        for thread in threads:
            thread.start()
        queue.release()
        for thread in threads:
            thread.join()
        queue.release()
        until(lambda: list(states(queue).values()) == ["done"] * 40)
        assert sorted(deliveries.begun) == sorted(names)


def test_no_thread_is_left_while_there_is_nothing_to_do():
    before = set(threading.enumerate())
    with queue_of("a") as (queue, deliveries):
        assert set(threading.enumerate()) == before
        queue.release()
        until(lambda: deliveries.idle == 1)
        until(lambda: set(threading.enumerate()) == before)
        queue.add([item("b")])
        queue.release()
        until(lambda: states(queue)["b"] == "done" and deliveries.idle == 2)


def test_every_change_is_told():
    with queue_of("a") as (queue, deliveries):
        for work in (
            lambda: queue.add([item("b")]),
            lambda: queue.move(["b"], 0),
            lambda: queue.pause("b"),
            lambda: queue.resume("b"),
            lambda: queue.cancel("b"),
            lambda: queue.retry("b"),
            lambda: queue.remove("b"),
        ):
            before = deliveries.changes
            work()
            assert deliveries.changes > before
