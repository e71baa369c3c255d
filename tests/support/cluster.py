"""A real Ray cluster of several node processes on this machine, and what it does in trouble.

Run as a program (`python -m tests.support.cluster FOLDER`, or with a clip after it for real renders), so that Ray's
threads and warnings stay out of pytest's process; one JSON object on stdout says what happened.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np

from app.domain.errors import ExitCode, UserError
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline.control import Keep, SegmentDone, Stopped
from app.pipeline.offline.job import Job
from app.pipeline.offline.plan import Plan, Segment, Shown
from app.pipeline.offline.work_folder import files_made, files_needed, track_path
from app.pipeline.video_reader import VideoReader
from tests.support.media import write_clip

STORE_BYTES = 100_000_000
NODE = {"num_cpus": 2, "object_store_memory": STORE_BYTES, "memory": 4 << 30}
FRAME_S = 0.05
FRAMES = 8


class FakeWorker:
    """Makes what a segment worker makes, out of nothing but hashes of what it reads.

    What its delivery's folder is called says how it goes: "slow" ones take their time, "refused" ones meet something
    that the user has to mend, "broken" ones a fault that nobody thought of, once, "hopeless" ones always, and "died"
    ones take their process with them, once, as the system does when memory runs out.
    """

    def __init__(self, plan):
        self.plan, self.clip = plan, plan.job.clip.read_bytes()
        self.marks = plan.job.output.parent
        self.kind = plan.job.output.stem.partition("-")[0]

    def run(self, stage, index, frames):
        plan = self.plan
        if index == 1:
            self.trouble()
        digest = hashlib.sha256(self.clip + f"{stage} {index}".encode())
        for path in files_needed(plan, stage, index):
            digest.update(path.read_bytes())
        count = len(plan.segments[index].shown)
        for number in range(count):
            time.sleep(FRAME_S if self.kind == "slow" else 0)
            frames(number + 1)
        *files, sidecar = files_made(plan, stage, index)
        for path in files:
            path.write_bytes(digest.digest() * 40_000)
        sidecar.write_text(json.dumps({"digest": digest.hexdigest()}))
        return SegmentDone(stage, index, count, 0.0, f"{os.getpid()}")

    def trouble(self):
        if self.kind == "refused":
            raise UserError("There is no plate.", "Look for it.", code=ExitCode.BAD_INPUT)
        if self.kind == "hopeless" or (self.kind == "broken" and self.is_first_time()):
            raise ZeroDivisionError("trouble")
        if self.kind == "died" and self.is_first_time():
            os.kill(os.getpid(), signal.SIGKILL)

    def is_first_time(self):
        mark = self.marks / "tried"
        is_first = not mark.exists()
        mark.touch()
        return is_first

    def close(self):
        pass


def fake_plan(folder, clip, segments=6, frames=FRAMES):
    """A plan over a clip as the planner would make it, but of as many segments as wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    with VideoReader(clip) as reader:
        info = reader.info
    parts = [
        Segment(i, i * frames, (i + 1) * frames, tuple(Shown(n, n) for n in range(i * frames, (i + 1) * frames)), i)
        for i in range(segments)
    ]
    values = {field.name: None for field in dataclasses.fields(Plan)} | {
        "job": Job(clip=clip, plate="#20c040", output=folder / f"{folder.name}.mkv"),
        "folder": folder / "work",
        "info": info,
        "index": FrameIndex(np.arange(segments * frames), np.array([0]), Fraction(1, 25)),
        "segments": tuple(parts),
        "encoder": SimpleNamespace(segment_suffix=".mkv"),
        "size": info.size,
        "depth": 8,
        "analysis_key": "a",
        "render_key": str(folder),
        "notices": (),
    }
    plan = Plan(**values)
    plan.folder.mkdir()
    return plan


def smooth(plan):
    """What comes between the passes: a file a segment."""
    for segment in plan.segments:
        track_path(plan, segment.index).write_bytes(b"track %d" % segment.index)


def through(executor, plan, control=None, on_event=lambda event: None):
    """Both passes; the events."""
    events = []
    for stage in ("analyse", "render"):
        for event in executor.run(plan, stage, range(len(plan.segments)), control or Keep()):
            events.append(event)
            on_event(event)
        smooth(plan)
    return events


def made(plan):
    """Names and hashes of all that lies in the plan's folder."""
    return {
        path.relative_to(plan.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(plan.folder.rglob("*"))
        if path.is_file()
    }


def local(plan):
    """What it is to be: done here, one after the other."""
    own = FakeWorker(plan)
    for stage in ("analyse", "render"):
        for segment in plan.segments:
            own.run(stage, segment.index, lambda frames: None)
        smooth(plan)
    return made(plan)


def finished(events):
    return sorted((event.stage, event.index) for event in events if isinstance(event, SegmentDone))


class StopAfter:
    """A control that stops, or holds a while, once told."""

    def __init__(self):
        self.stop = self.pause = False

    def should_stop(self):
        return self.stop

    def is_paused(self):
        return self.pause


def refusal(run):
    """The error that a run ends with."""
    try:
        run()
    except UserError as error:
        return {"message": error.message, "hint": error.hint, "code": int(error.code)}
    return None


def dones(events):
    return [event for event in events if isinstance(event, SegmentDone)]


def node_lost(cluster, node, one, folder, clip):
    """A node is killed while its workers work; another comes later."""
    plan, killed = fake_plan(folder / "slow-lost", clip, frames=18), []

    def kill(event):
        if event.stage == "render" and not isinstance(event, SegmentDone) and not killed:
            killed.append(event.index)
            cluster.remove_node(node, allow_graceful=False)

    events = through(one, plan, on_event=kill)
    tries = max(event.tries for event in dones(events))
    lost = {"made": made(plan), "finished": finished(events), "tries": tries, "killed": len(killed)}
    cluster.add_node(**NODE)
    return lost, grown(one, folder, clip)


def grown(one, folder, clip):
    """A node just added starts in its own time, which short work may not last for: work is given until it helps."""
    ends_s = time.monotonic() + 40
    while True:
        plan = fake_plan(folder / f"slow-grown-{time.monotonic_ns()}", clip)
        at_work = {event.worker for event in dones(through(one, plan)) if event.stage == "render"}
        if len(at_work) == 3 or time.monotonic() > ends_s:
            return {"made": made(plan), "at_work": len(at_work)}


def stopped(one, folder, clip):
    """What is finished stays; the rest goes on another time, with the same workers."""
    control, plan = StopAfter(), fake_plan(folder / "slow-stopped", clip)
    began_s = time.monotonic()

    def stop(event):
        control.stop = isinstance(event, SegmentDone)

    try:
        through(one, plan, control, stop)
    except Stopped:
        said = {"after_s": time.monotonic() - began_s, "made": made(plan)}
    through(one, plan)
    return said | {"resumed": made(plan)}


def held(one, folder, clip):
    """Workers hold while paused: nothing gets finished, and nothing is lost."""
    control, plan = StopAfter(), fake_plan(folder / "slow-held", clip)
    timers, ends_s = [], []

    def hold(event):
        if isinstance(event, SegmentDone):
            ends_s.append(time.monotonic())
        elif not timers:
            control.pause = True
            ends_s.append(time.monotonic())
            timers.append(threading.Timer(2.0, lambda: setattr(control, "pause", False)))
            timers[0].start()

    through(one, plan, control, hold)
    timers[0].join()
    return {"made": made(plan), "gap_s": max(after - before for before, after in itertools.pairwise(ends_s))}


def cost(one, folder, clip):
    """What a segment costs besides its work: with workers started and the plan open."""
    plan = fake_plan(folder / "cost", clip, 121, frames=1)
    list(one.run(plan, "analyse", [0], Keep()))
    began_s, cpu_s = time.monotonic(), time.process_time()
    events = dones(one.run(plan, "analyse", range(1, 121), Keep()))
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    over_ms = [1000 * event.overhead_s for event in events]
    return {
        "overhead_ms": float(np.median(over_ms)),
        "overhead_p95_ms": float(np.percentile(over_ms, 95)),
        "worker_ms": float(np.median([1000 * event.wall_s for event in events])),
        "each_ms": 1000 * took_s / len(events),
        "driver_cpu_ms": 1000 * cpu_s / len(events),
    }


def main(folder: Path) -> None:
    """All that can happen, one after the other on one cluster."""
    from ray.cluster_utils import Cluster

    from app.pipeline.offline import cluster as ours
    from app.pipeline.offline import cluster_slots

    said, laps = {}, {}
    began_s = time.monotonic()

    def lap(name):
        laps[name] = round(time.monotonic() - began_s, 2)

    clip, aside = write_clip(folder / "clip.mp4"), folder / "clip.away"
    said["expected"] = local(fake_plan(folder / "expected", clip))
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(**NODE)
    lap("cluster")

    @contextlib.contextmanager
    def executor(**more):
        one = ours.RayExecutor(cluster.address, make=FakeWorker, **more)
        try:
            yield one
        finally:
            one.close()

    notices = []

    def hear(text):
        notices.append(text)
        if "can't be reached" in text:
            aside.rename(clip)

    with executor(notice=hear) as one:
        said["workers"] = one.workers
        said["lost"], said["grown"] = node_lost(cluster, second, one, folder, clip)
        lap("lost")
        said["stop"] = stopped(one, folder, clip)
        said["hold"] = held(one, folder, clip)
        lap("hold")
        said["cost"] = cost(one, folder, clip)
        for name in ("refused", "hopeless"):
            plan = fake_plan(folder / name, clip, 3)
            said[name] = refusal(lambda plan=plan: through(one, plan))
        for name in ("broken", "died"):
            through(one, plan := fake_plan(folder / name, clip))
            said[name] = made(plan)
        lap("trouble")
        plan = fake_plan(folder / "away", clip)
        one._shipment(plan)  # As if its disk went after the work began.
        clip.rename(aside)
        notices.clear()
        through(one, plan)
        said["away"] = {"made": made(plan), "notices": list(notices)}
        lap("away")
    with executor(transfer="object-store", patience_s=0.5) as one:
        events = through(one, plan := fake_plan(folder / "store", clip))
        said["store"] = {"made": made(plan), "finished": finished(events)}
        two = [fake_plan(folder / name, clip) for name in ("slow-one", "slow-two")]
        threads = [threading.Thread(target=through, args=(one, each)) for each in two]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        said["two"] = [made(each) for each in two]
        said["store_cost"] = cost(one, folder / "store", clip)
        said["copies"] = len(list(Path(tempfile.gettempdir()).glob("platematch-cluster-*/*")))
        lap("store")
    said["copies_left"] = len(list(Path(tempfile.gettempdir()).glob("platematch-cluster-*/*")))
    here = cluster_slots.about_here
    cluster_slots.about_here = lambda: dataclasses.replace(here(), versions=("platematch 0.0",))
    with executor(patience_s=0.0) as one:
        said["other"] = refusal(lambda: through(one, fake_plan(folder / "other", clip, 2)))
        cluster_slots.about_here = here
        one._shipment(plan := fake_plan(folder / "gone", clip, 2))
        clip.rename(aside)
        said["gone"] = refusal(lambda: through(one, plan))
    lap("gone")
    cluster.shutdown()
    said["nobody"] = refusal(lambda: ours.RayExecutor("127.0.0.1:1"))
    lap("end")
    sys.stdout.write(json.dumps(said | {"laps_s": laps}) + "\n")


def packets_of(path):
    """A hash of all packets and their times; Matroska files themselves carry random numbers."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux():
            digest.update(f"{packet.stream_index} {packet.pts} {packet.dts} {packet.time_base}".encode())
            digest.update(bytes(packet))
    return digest.hexdigest()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def render(folder: Path, clip: Path) -> None:
    """The same clip rendered here, on a cluster that loses a node meanwhile, and by a client with files carried."""
    from ray.cluster_utils import Cluster

    from app.cli import main as platematch

    def rendered(name, *more):
        out = folder / f"{name}.mkv"
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = platematch(["render", str(clip), "--plate", "forest", "-o", str(out), "--json", *more])
        assert code == 0, said.getvalue()
        return {"packets": packets_of(out), **json.loads(said.getvalue())}

    said = {"local": rendered("local", "--workers", "1")}
    head = {**NODE, "num_cpus": 1, "include_dashboard": False, "ray_client_server_port": free_port()}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(**NODE)
    os.environ["RAY_ADDRESS"] = cluster.address
    address = f"ray://127.0.0.1:{head['ray_client_server_port']}"
    said["carried"] = rendered("carried", "--cluster", address, "--transfer", "object-store")
    killed = []

    def kill():
        work = folder / ".shared.mkv.rendering"
        while not list(work.glob("segment_?????.json")):
            time.sleep(0.02)
        killed.append(len(list(work.glob("segment_?????.json"))))
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    said["shared"] = rendered("shared", "--cluster", "auto")
    killer.join(10)
    said["killed_after"] = killed
    cluster.shutdown()
    said["left"] = sorted(path.name for path in folder.iterdir())
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        render(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
