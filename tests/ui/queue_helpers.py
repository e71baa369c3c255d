"""A queue whose deliveries do as the test says, and items to put into it."""

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtTest import QTest

from app.pipeline.offline.queue_items import QueueItem
from app.ui.queue.queue_control import QueueControl
from app.ui.queue.services import Forecast
from tests.ui.helpers import wait_until


class Left(Exception):  # noqa: N818
    """As `Stopped`: the control said so."""


@dataclass(frozen=True)
class Step:
    """As `Progress`, whose module is the pipeline's."""

    phase: str = "rendering"
    done: int = 1
    total: int = 100
    eta_s: float | None = 65.0
    fps: float | None = 31.4
    waits_for_bytes: int = 0


@dataclass(frozen=True)
class Result:
    frames: int = 12
    seconds: float = 2.0
    notices: tuple = ()


class FakeServices:
    """Deliveries end at once, unless they are kept by name, and fail where an error stands for them."""

    def __init__(self):
        self.begun, self.discarded, self.forecasts_asked = [], [], []
        self.errors, self._gates = {}, {}
        self.step = Step()
        self.rests = 0
        self.writes = False

    def keep(self, name):
        """Hold the delivery of a clip until the event is set."""
        return self._gates.setdefault(name, threading.Event())

    def job_of(self, item):
        return item

    def run(self, item, control, report):
        self.begun.append(item)
        if item.clip.name in self.errors:
            raise self.errors[item.clip.name]
        gate, done = self._gates.get(item.clip.name), 0
        while gate is not None and not gate.is_set():
            if control.should_stop():
                raise Left
            if not control.is_paused():
                done = min(done + 1, 60)
                report(Step(self.step.phase, done, 100, waits_for_bytes=self.step.waits_for_bytes))
            time.sleep(0.003)
        if self.writes:
            item.output.write_bytes(b"done")
        return Result()

    def rest(self):
        self.rests += 1

    def discard(self, item):
        self.discarded.append(item.clip.name)

    def forecast(self, item):
        self.forecasts_asked.append(item.clip.name)
        return Forecast(320_000_000, 240.0, 10**12)


@contextmanager
def made_control(services, *items):
    """A queue with these items; its threads are gone after the block."""
    control = QueueControl(services)
    control.queue.add(items)
    try:
        yield control
    finally:
        control.close()
        control.deleteLater()


def item(name, **facts):
    return QueueItem(Path(f"/clips/{name}.mp4"), Path(f"/out/{name}.mp4"), id=name, **facts)


def states(control):
    return {one.clip.stem: one.state for one in control.items}


def until_states(control, **wanted):
    wait_until(lambda: states(control) == wanted, timeout_s=10)
    QTest.qWait(20)
