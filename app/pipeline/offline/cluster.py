"""Segments on the machines of a Ray cluster: who is lost is replaced, what was lost is done again elsewhere."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline import cluster_files
from app.pipeline.offline.cluster_connection import Connection
from app.pipeline.offline.cluster_errands import PATIENCE_S, Errand, Errands
from app.pipeline.offline.cluster_slots import GPU_SHARE, Slot, Slots
from app.pipeline.offline.cluster_worker import WORKER_PREFIX, Outcome, Shipment, WorkerFactory
from app.pipeline.offline.control import Control, SegmentDone, Stopped
from app.pipeline.offline.plan import Plan, Stage
from app.pipeline.offline.work_folder import files_needed
from app.pipeline.offline.workers import FramesDone, SegmentWorker
from app.pipeline.video_output import PendingFile

log = logging.getLogger(__name__)

Event: TypeAlias = FramesDone | SegmentDone
Transfer: TypeAlias = Literal["shared", "object-store"]

_POLL_S: Final = 0.1
_TALK_EVERY_S: Final = 0.2
_TALKS_PER_S: Final = 200.0
_SETTLE_S: Final = 10.0
_PLANS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class ClusterSegmentDone(SegmentDone):
    """Also: wall_s that the worker took, overhead_s that the cluster took on top (both ways, files included)."""

    wall_s: float = 0.0
    overhead_s: float = 0.0
    tries: int = 1
    node: str = ""


@dataclass(eq=False)
class _Running:
    """An errand that a worker is at. talk: the answer to the last question, None when none is open."""

    errand: Errand
    slot: Slot
    name: str
    reference: Any
    started_s: float
    talk: Any = None
    frames: int = 0


@dataclass
class _Pass:
    """One stage of one plan under way."""

    plan: Plan
    stage: Stage
    control: Control
    shipment: Shipment
    errands: Errands
    running: dict[Any, _Running] = field(default_factory=dict)
    talked_s: float = 0.0


class RayExecutor:
    """Does segments on a Ray cluster; several deliveries at once may share it, each on a thread of its own.

    address: see `Connection`. transfer: "shared": every machine sees the same files under the same paths;
    "object-store": clip, plate, mask and weights are copied to the machines, and results back. workers: at most so many
    at a time; None is one for every core of the cluster. make: what does the segments. patience_s: how long a network
    disk may be away. notice: told what the user should know.
    """

    def __init__(
        self,
        address: str | None = "auto",
        *,
        transfer: Transfer = "shared",
        workers: int | None = None,
        make: WorkerFactory = SegmentWorker,
        object_store_bytes: int | None = None,
        temp_folder: Path | None = None,
        patience_s: float = PATIENCE_S,
        notice: Callable[[str], None] = log.warning,
    ) -> None:
        self._connection = Connection(
            address, cores=workers, object_store_bytes=object_store_bytes, temp_folder=temp_folder
        )
        self._ray = self._connection.ray
        self._transfer, self._patience_s, self._notice = transfer, patience_s, notice
        self._slots = Slots(self._ray, make, at_most=workers, notice=log.info)
        self._shipments: OrderedDict[tuple[str, str, str], Shipment] = OrderedDict()

    @property
    def workers(self) -> int:
        """How many at a time, as the cluster is now."""
        return max(1, self._slots.capacity(0.0))

    def run(self, plan: Plan, stage: Stage, indices: Sequence[int], control: Control) -> Iterator[Event]:
        """See `Executor.run`. The longest segments go first. UserError also when the cluster is lost."""
        errands = Errands(plan, indices, patience_s=self._patience_s, notice=self._notice)
        try:
            current = _Pass(plan, stage, control, self._shipment(plan), errands)
            try:
                while errands.waiting or current.running:
                    if control.should_stop():
                        raise Stopped
                    self._begin(current)
                    yield from self._heard(current)
                    yield from self._talk(current)
            finally:
                self._quiet(current)
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise UserError(
                f"The cluster was lost ({type(error).__name__}).",
                "Run the same command again when it is back: what is finished is kept.",
                code=ExitCode.FAILED,
            ) from error

    def close(self) -> None:
        """Let the workers go, and the cluster if it was started for this."""
        try:
            if self._ray.is_initialized():
                self._slots.close()
        finally:
            self._shipments.clear()
            self._connection.close()

    def _shipment(self, plan: Plan) -> Shipment:
        """Put what every worker needs of a plan into the store, once for both passes."""
        key = (str(plan.folder), plan.analysis_key, plan.render_key)
        shipment = self._shipments.get(key)
        if shipment is None:
            shipment = self._shipments[key] = self._sent(plan)
            while len(self._shipments) > _PLANS_KEPT:
                self._shipments.popitem(last=False)
        return shipment

    def _sent(self, plan: Plan) -> Shipment:
        paths, put = cluster_files.paths_read(plan.job), self._ray.put
        sent = cluster_files.with_paths(plan, paths, plan.folder.absolute(), plan.job.output.absolute())
        is_shared = self._transfer == "shared"
        bundles = None if is_shared else [put(bundle) for bundle in cluster_files.bundles(paths)]
        return Shipment(
            key=uuid.uuid4().hex,
            plan=[put(sent)],
            paths=paths if is_shared else cluster_files.shipped(paths),
            bundles=bundles,
            weights=cluster_files.weights_digest(plan.job),
        )

    def _begin(self, current: _Pass) -> None:
        """Give errands to idle workers: one each, so that none waits at a machine that may vanish."""
        gpu_share = GPU_SHARE if current.plan.job.device.startswith("cuda") else 0.0
        while not current.control.is_paused() and (ready := current.errands.ready()):
            slot = self._slots.take(current.shipment.key, gpu_share, len(ready))
            if slot is None:
                return
            current.errands.waiting.remove(ready[0])
            self._start(current, ready[0], slot)

    def _start(self, current: _Pass, errand: Errand, slot: Slot) -> None:
        name, started_s = uuid.uuid4().hex, time.monotonic()
        needed = {}
        try:
            if current.shipment.bundles is not None:
                paths = files_needed(current.plan, current.stage, errand.index)
                needed = {path.name: path.read_bytes() for path in paths}
            reference = slot.actor.run.remote(name, current.shipment, current.stage, errand.index, needed)
        except BaseException:
            self._slots.give(slot)
            raise
        current.running[reference] = _Running(errand, slot, name, reference, started_s)

    def _heard(self, current: _Pass) -> Iterator[Event]:
        if not current.running:
            time.sleep(_POLL_S)
            return
        references = list(current.running)
        self._ray.wait(references, timeout=_POLL_S)
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        for reference in ready:
            done = self._ended(current, current.running.pop(reference))
            if done is not None:
                yield done

    def _ended(self, current: _Pass, running: _Running) -> Event | None:
        """What became of an errand: its event, or it waits to be done again. UserError when it can't be done."""
        slot, errand, errands = running.slot, running.errand, current.errands
        try:
            outcome: Outcome = self._ray.get(running.reference)
            self._fetch(current.plan, slot, outcome)
        except self._ray.exceptions.RayTaskError as error:
            outcome = Outcome("broken", text=str(error).strip().splitlines()[-1])
        except self._ray.exceptions.RayError as error:
            self._slots.lose(slot)
            errands.lost(errand, type(error).__name__)
            return None
        except BaseException:
            self._slots.give(slot)
            raise
        self._slots.give(slot)
        if outcome.kind == "refused" and outcome.error is not None:
            raise outcome.error
        if outcome.kind == "away":
            errands.away(errand, outcome.text, slot.node)
        elif outcome.kind == "broken":
            errands.broken(errand, outcome.text)
        elif outcome.done is None:
            errands.again(errand)
        return None if outcome.done is None else _event(running, outcome, outcome.done)

    def _fetch(self, plan: Plan, slot: Slot, outcome: Outcome) -> None:
        """Bring what a worker made into the plan's folder, pictures to the output; each file whole."""
        for name, size in outcome.files:
            is_picture = name.startswith(f"{cluster_files.PICTURES}/")
            target = (plan.job.output if is_picture else plan.folder) / Path(name).name
            pending = PendingFile(target)
            try:
                with pending.part.open("wb") as file:
                    while file.tell() < size:
                        file.write(self._ray.get(slot.actor.read.remote(name, file.tell())))
            except OSError as error:
                failure = pending.error(error)
                pending.discard()
                raise failure from error
            except BaseException:
                pending.discard()
                raise
            pending.commit()

    def _talk(self, current: _Pass) -> Iterator[Event]:
        """Ask how far they are and tell them to hold or go on; seldom enough for a thousand of them."""
        now_s, is_paused = time.monotonic(), current.control.is_paused()
        is_due = now_s - current.talked_s >= max(_TALK_EVERY_S, len(current.running) / _TALKS_PER_S)
        current.talked_s = now_s if is_due else current.talked_s
        for running in current.running.values():
            frames = self._answer(running)
            if frames > running.frames:
                running.frames = frames
                yield FramesDone(current.stage, running.errand.index, frames)
            if is_due and running.talk is None:
                running.talk = running.slot.actor.talk.remote(running.name, False, is_paused)

    def _answer(self, running: _Running) -> int:
        """Frames done by the last answer; -1 for none."""
        if running.talk is None or not self._ray.wait([running.talk], timeout=0)[0]:
            return -1
        answer, running.talk = running.talk, None
        try:
            return int(self._ray.get(answer))
        except self._ray.exceptions.RayError:
            return -1  # Its errand tells that it is lost.

    def _quiet(self, current: _Pass) -> None:
        """Have nothing run any more: who still works is told to stop, who doesn't listen is let go."""
        until_s = time.monotonic() + _SETTLE_S
        left = dict(current.running)
        current.running.clear()
        while left and time.monotonic() < until_s:
            for running in left.values():
                running.slot.actor.talk.remote(running.name, True, False)
            ready, _ = self._ray.wait(list(left), num_returns=len(left), timeout=_POLL_S)
            for reference in ready:
                self._release(reference, left.pop(reference).slot)
        for running in left.values():
            self._slots.lose(running.slot)
        for folder in current.plan.folder.glob(f"{WORKER_PREFIX}*"):  # Of workers that were lost.
            shutil.rmtree(folder, ignore_errors=True)

    def _release(self, reference: Any, slot: Slot) -> None:
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError:
            self._slots.lose(slot)
        else:
            self._slots.give(slot)


def _event(running: _Running, outcome: Outcome, done: SegmentDone) -> ClusterSegmentDone:
    errand, node = running.errand, running.slot.node
    return ClusterSegmentDone(
        stage=done.stage,
        index=done.index,
        frames=done.frames,
        seconds=done.seconds,
        worker=f"{node}:{done.worker}",
        wall_s=outcome.wall_s,
        overhead_s=time.monotonic() - running.started_s - outcome.wall_s,
        tries=1 + errand.tries + errand.losses,
        node=node,
    )
