"""How long it takes to any frame of a clip that is hard to seek in."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.pipeline.bench.clips import SAMPLE_RATE_HZ, SAMPLE_SIZE
from app.pipeline.bench.figures import percentiles
from app.pipeline.bench.machine import rss_mb
from app.pipeline.demo_source import demo_frames
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.mask.frame_index import FrameIndex, read_index
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.video_writer import VideoWriter

SEEKS: Final = 60

_ENCODING: Final = EncodeSettings(preset="veryfast")
"""x264's own way: a key frame every 250, three B-frames in a row. The sample has no cut where another would be put."""


def make_long_gop(path: Path, frames: int, *, tick: Callable[[], None] = lambda: None) -> None:
    """Film the sample at 1080p30 into an H.264 file as cameras and editors make them. UserError as `VideoWriter`."""
    with VideoWriter(
        path,
        width=SAMPLE_SIZE[0],
        height=SAMPLE_SIZE[1],
        time_base=1 / SAMPLE_RATE_HZ,
        average_rate=SAMPLE_RATE_HZ,
        settings=_ENCODING,
    ) as writer:
        for frame in demo_frames(size=SAMPLE_SIZE, rate=SAMPLE_RATE_HZ, seconds=float(frames / SAMPLE_RATE_HZ)):
            writer.append(frame)
            tick()


def bench_scrub(clip: Path, *, seeks: int = SEEKS) -> dict[str, Any]:
    """Seek to frames all over a clip, each at random, as scrubbing does, and make their RGB.

    scrub_median_ms, scrub_p95_ms: of wall time, for frames that were not in the cache; scrub_cpu_median_ms: of the
    process's CPU time, all cores together. scrub_decoded: frames decoded a seek, mean. index_s: reading the table of
    frames. rss_mb: the most that the process held. UserError as `FrameSeeker` raises it.
    """
    started_s = time.perf_counter()
    index = read_index(clip)
    index_s = time.perf_counter() - started_s
    seeker = FrameSeeker(clip, index)
    try:
        times_ms, cpu_ms, peak_mb = _sought(seeker, index, seeks)
    finally:
        seeker.close()
    median_ms, p95_ms = percentiles(times_ms, (50, 95))
    return {
        "scrub_clip": clip.name,
        "scrub_size": "{}x{}".format(*seeker.info.size),
        "scrub_frames": len(index),
        "scrub_key_frames": len(index.key_pts),
        "scrub_seeks": len(times_ms),
        "scrub_median_ms": median_ms,
        "scrub_p95_ms": p95_ms,
        "scrub_cpu_median_ms": percentiles(cpu_ms, (50,))[0],
        "scrub_decoded": round(seeker.decoded_frames / len(times_ms), 1),
        "index_s": round(index_s, 3),
        "rss_mb": peak_mb,
    }


def _sought(seeker: FrameSeeker, index: FrameIndex, seeks: int) -> tuple[list[float], list[float], float]:
    """ms of each seek, by the clock and of CPU, and MB at the most."""
    times_ms, cpu_ms, peak_mb = list[float](), list[float](), rss_mb()
    for place in np.random.default_rng(11).permutation(len(index)):
        pts = index.pts_at(int(place))
        if pts in seeker.cache:
            continue
        started_s, cpu_s = time.perf_counter(), time.process_time()
        seeker.at(pts)
        times_ms.append(1000 * (time.perf_counter() - started_s))
        cpu_ms.append(1000 * (time.process_time() - cpu_s))
        peak_mb = max(peak_mb, rss_mb())
        if len(times_ms) == seeks:
            break
    return times_ms, cpu_ms, peak_mb
