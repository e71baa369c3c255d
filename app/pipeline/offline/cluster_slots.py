"""The workers of a cluster as their owner sees them: one a core, wherever there are cores, shared by all deliveries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.cluster_worker import About, SegmentActor, WorkerFactory, about_here
from app.pipeline.offline.executors import WORKER_BYTES

GPU_SHARE: Final = 0.25
"""Of a graphics card for a worker: four take turns on one."""

CALLS_AT_ONCE: Final = 3
"""A worker answers questions while it works."""

LOOK_EVERY_S: Final = 1.0
START_S: Final = 180.0
"""How long a cluster may take to give the first worker."""


@dataclass(eq=False)
class Slot:
    """One worker. greeting: what it will say of itself; about: what it said; key: the plan it has open."""

    actor: Any
    greeting: Any
    gpu_share: float
    about: About | None = None
    key: str = ""
    is_busy: bool = False

    @property
    def node(self) -> str:
        """The machine it is on."""
        return "a worker" if self.about is None else self.about.node


class Slots:
    """Workers, started as they are wanted and as the cluster has room; lost ones are replaced wherever there is room.

    Ray could restart them itself, but every new process is to be asked first what it runs with. Thread-safe.
    """

    def __init__(self, ray: Any, make: WorkerFactory, *, at_most: int | None, notice: Callable[[str], None]) -> None:
        self._ray, self._make, self._at_most, self._notice = ray, make, at_most, notice
        self._slots: list[Slot] = []
        self._lock = threading.RLock()
        self._actor_class = ray.remote(SegmentActor)
        self._looked_s = -LOOK_EVERY_S
        self._waiting_since_s: float | None = None

    def capacity(self, gpu_share: float) -> int:
        """How many workers the cluster's nodes have room for now."""
        room = sum(_room(node["Resources"], gpu_share) for node in self._ray.nodes() if node["Alive"])
        return room if self._at_most is None else min(room, self._at_most)

    def take(self, key: str, gpu_share: float, wanted: int) -> Slot | None:
        """Hand out an idle worker, at best one that has the plan open; None when there is none yet.

        wanted: how many more the caller could use. UserError when a worker runs with other libraries than this process,
        or when none can be had at all.
        """
        with self._lock:
            self._look(gpu_share, wanted)
            idle = [s for s in self._slots if s.about is not None and not s.is_busy and s.gpu_share == gpu_share]
            if not idle:
                return None
            slot = next((s for s in idle if s.key == key), idle[0])
            slot.is_busy, slot.key = True, key
            return slot

    def give(self, slot: Slot) -> None:
        """A worker is idle again."""
        slot.is_busy = False

    def lose(self, slot: Slot) -> None:
        """A worker is dead, or not to be trusted any more: another takes its place."""
        with self._lock:
            if slot in self._slots:
                self._slots.remove(slot)
            self._looked_s = -LOOK_EVERY_S
        self._kill(slot)

    def close(self, grace_s: float = 5.0) -> None:
        """End all workers; they tidy up first if they answer."""
        with self._lock:
            slots, self._slots = self._slots, []
        farewells = [slot.actor.close.remote() for slot in slots if slot.about is not None]
        if farewells:
            self._ray.wait(farewells, num_returns=len(farewells), timeout=grace_s)
        for slot in slots:
            self._kill(slot)

    def _look(self, gpu_share: float, wanted: int) -> None:
        """Greet new workers and start more, once a second."""
        self._greet()
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        room = self.capacity(gpu_share)
        self._make_way(gpu_share, room)
        busy = sum(slot.is_busy for slot in self._slots)
        for _ in range(min(room, busy + wanted) - len(self._slots)):
            self._slots.append(self._started(gpu_share))
        self._check_progress(now_s)

    def _make_way(self, gpu_share: float, room: int) -> None:
        """Let go of idle workers of the other kind, and of such as wait for a machine that is gone."""
        for slot in [s for s in self._slots if not s.is_busy and s.gpu_share != gpu_share]:
            self.lose(slot)
        starting = [slot for slot in self._slots if slot.about is None]
        for slot in starting[: max(0, len(self._slots) - room)]:
            self.lose(slot)
        self._looked_s = time.monotonic()

    def _started(self, gpu_share: float) -> Slot:
        remote = self._actor_class.options(
            num_cpus=1,
            num_gpus=gpu_share,
            memory=WORKER_BYTES,
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        actor = remote.remote(self._make)
        return Slot(actor, actor.about.remote(), gpu_share)

    def _greet(self) -> None:
        for slot in [slot for slot in self._slots if slot.about is None]:
            if not self._ray.wait([slot.greeting], timeout=0)[0]:
                continue
            try:
                about: About = self._ray.get(slot.greeting)
            except self._ray.exceptions.RayError as error:
                self.lose(slot)
                raise_if_unusable(self._ray, error)
                continue
            check_same(about)
            slot.about, self._waiting_since_s = about, None

    def _check_progress(self, now_s: float) -> None:
        if any(slot.about is not None for slot in self._slots):
            self._waiting_since_s = None
            return
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        elif now_s - self._waiting_since_s > START_S:
            raise UserError(
                f"The cluster gave no worker within {START_S:.0f} s.",
                "Look at `ray status`: one core and 700 MB must be free on a node.",
                code=ExitCode.FAILED,
            )

    def _kill(self, slot: Slot) -> None:
        try:
            self._ray.kill(slot.actor, no_restart=True)
        except (self._ray.exceptions.RayError, ValueError) as error:  # It is gone already.
            self._notice(f"a worker was gone before it was let go: {type(error).__name__}")


def check_same(about: About) -> None:
    """UserError unless a worker runs with the same libraries as this process: results would differ by machine."""
    here = about_here()
    if about.versions == here.versions:
        return
    pairs = zip(about.versions, here.versions, strict=False)
    theirs, ours = next(((a, b) for a, b in pairs if a != b), (str(about.versions), str(here.versions)))
    raise UserError(
        f"The machine “{about.node}” runs with other libraries than this one ({theirs} instead of {ours}).",
        "Install the same version of PlateMatch, with its constraints, on every machine of the cluster.",
        code=ExitCode.FAILED,
    )


def raise_if_unusable(ray: Any, error: BaseException) -> None:
    """UserError when a worker can't even be set up; otherwise it may have been lost on the way, and is tried again."""
    text = str(error)
    is_ours = isinstance(error, ray.exceptions.RayTaskError) or "ModuleNotFoundError" in text or "ImportError" in text
    cause = getattr(error, "cause", None)
    if isinstance(cause, UserError):
        raise cause
    if is_ours or "creation task" in text:
        last = (text.strip().splitlines() or [""])[-1]
        raise UserError(
            f"A worker can't be set up on a machine of the cluster ({last[:200]}).",
            "Install the same version of PlateMatch on every machine of the cluster.",
            code=ExitCode.FAILED,
        ) from error


def _room(resources: dict[str, float], gpu_share: float) -> int:
    """Workers that a node has room for."""
    rooms = [resources.get("CPU", 0.0), resources.get("memory", 0.0) // WORKER_BYTES]
    if gpu_share:
        rooms.append(resources.get("GPU", 0.0) / gpu_share)
    return int(min(rooms))
