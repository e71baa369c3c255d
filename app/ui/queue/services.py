"""What the queue has done by the pipeline. Imports the networks: called on threads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.pipeline.offline.queue_items import QueueItem

if TYPE_CHECKING:
    from app.pipeline.offline.control import Control, Progress
    from app.pipeline.offline.executors import PoolExecutor
    from app.pipeline.offline.job import Job
    from app.pipeline.offline.running import JobResult


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a delivery is likely to be. size_bytes: of the file. seconds: it takes. free_bytes: on its disk now."""

    size_bytes: int
    seconds: float
    free_bytes: int | None

    @property
    def is_too_large(self) -> bool:
        """Whether the disk has less room than that."""
        return self.free_bytes is not None and self.size_bytes > self.free_bytes


class Services(Protocol):
    """What there is to be done; UserError as the parts raise it."""

    def run(self, job: Job, control: Control, report: Callable[[Progress], None]) -> JobResult:
        """Make a delivery."""

    def rest(self) -> None:
        """Nothing is to be made for a while: give back what was kept for the next one."""

    def job_of(self, item: QueueItem) -> Job:
        """The job of an item."""

    def discard(self, item: QueueItem) -> None:
        """Take its unfinished work away."""

    def forecast(self, item: QueueItem) -> Forecast:
        """Find out how large it will be and how long it will take, by making some frames of it."""


class PipelineServices:
    """The real ones. Worker processes are kept from one delivery to the next, and let go when the queue rests."""

    def __init__(self) -> None:
        self._executor: PoolExecutor | None = None

    def run(self, job: Job, control: Control, report: Callable[[Progress], None]) -> JobResult:
        """Make a delivery; holds while the disk is full."""
        from app.pipeline.offline.executors import PoolExecutor
        from app.pipeline.offline.running import Options, run_job
        from app.pipeline.threads import share_cores

        share_cores()
        if self._executor is None:
            self._executor = PoolExecutor()
        return run_job(job, self._executor, control, report, Options(wait_for_room=True))

    def rest(self) -> None:
        """Stop the worker processes."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    def job_of(self, item: QueueItem) -> Job:
        """The job of an item."""
        from app.pipeline.offline.queue_jobs import job_of

        return job_of(item)

    def discard(self, item: QueueItem) -> None:
        """Take its unfinished work away."""
        from app.pipeline.offline.queue_jobs import discard_work

        discard_work(item)

    def forecast(self, item: QueueItem) -> Forecast:
        """By frames from two places of the clip."""
        from app.pipeline.offline.estimating import estimate
        from app.pipeline.offline.executors import default_workers
        from app.pipeline.offline.queue_jobs import free_bytes

        found = estimate(self.job_of(item), workers=default_workers())
        return Forecast(found.size_bytes, found.seconds, free_bytes(item.output))
