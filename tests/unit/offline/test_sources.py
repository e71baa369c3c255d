"""Clips read stretch by stretch: frame for frame what `VideoReader` gives, from wherever it begins."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.mask import seeking
from app.pipeline.mask.frame_index import read_index
from app.pipeline.offline.sources import open_source
from app.pipeline.video_reader import VideoReader
from tests.support.long_gop import moving, write_long_gop
from tests.support.media import concatenate, write_clip

RATE = Fraction(24)
VFR = [0, 40, 50, 500, 510, 900, 901, 1500]


def delivered(path):
    with VideoReader(path) as reader:
        return list(reader), reader


def assert_same(got, expected):
    assert [frame.pts for frame in got] == [frame.pts for frame in expected]
    for one, other in zip(got, expected, strict=True):
        assert one.time_base == other.time_base
        assert np.array_equal(one.pixels, other.pixels)


def read(source, first, stop):
    return [item.frame for item in source.frames(first, stop)]


def with_damage(path, *, lost=(), torn=()):
    """Copy an H.264 MP4; of the packets with these numbers nothing, or the first third, can be decoded."""
    target = path.with_stem("damaged")
    with av.open(str(path)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        packets = (packet for packet in source.demux(source.streams.video[0]) if packet.size)
        for number, packet in enumerate(packets):
            data = bytes(packet)
            keep = 4 if number in lost else len(data) // 3 if number in torn else len(data)
            damaged = av.Packet(data[:keep] + b"\xff" * (len(data) - keep))
            damaged.pts, damaged.dts, damaged.duration = packet.pts, packet.dts, packet.duration
            damaged.time_base, damaged.is_keyframe, damaged.stream = packet.time_base, packet.is_keyframe, stream
            copy.mux(damaged)
    return target


MAKERS = {
    "even": lambda folder: write_clip(folder / "even.mp4", frames=30),
    "one frame": lambda folder: write_clip(folder / "one.mp4", frames=1),
    "starts later": lambda folder: write_clip(folder / "later.mp4", start_pts=77, time_base=Fraction(1, 600)),
    "uneven": lambda folder: write_clip(folder / "vfr.mkv", pts=VFR, time_base=Fraction(1, 1000), draw=moving),
    "turned": lambda folder: write_clip(folder / "turned.mp4", rotation=90, draw=moving),
    "wide pixels": lambda folder: write_clip(folder / "wide.mp4", pixel_aspect=Fraction(32, 27), draw=moving),
    "long GOP": lambda folder: write_long_gop(folder / "long.mp4"),
    "open GOPs in TS": lambda folder: write_long_gop(folder / "open.ts", gop=10, is_open=True),
    "intra refresh": lambda folder: write_long_gop(folder / "refresh.mkv", gop=15, options="intra-refresh=1"),
    "B frames in AVI": lambda folder: write_long_gop(folder / "long.avi", gop=20),
    "two recordings": lambda folder: concatenate(
        folder / "two.ts", [write_clip(folder / f"{i}.ts", frames=10) for i in range(2)]
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_stretches_together_are_the_readers_frames_wherever_one_begins(kind, tmp_path):
    path = MAKERS[kind](tmp_path)
    frames, reader = delivered(path)
    index = read_index(path)
    cuts = sorted({0, len(frames) // 3, (2 * len(frames)) // 3, len(frames)})
    bounds = [index.pts_at(cut) if cut < len(index) else index.end_pts for cut in cuts]
    ranges = list(zip(cuts, cuts[1:], bounds, bounds[1:], strict=False))
    for order in (ranges, ranges[::-1]):
        with closing(open_source(path, index=index, sequence_rate=RATE, decode_threads=1)) as source:
            assert source.info == reader.info
            for low, high, first, stop in order:
                got = read(source, first, stop)
                assert_same(got, frames[low:high])
                assert [frame.index for frame in got] == list(range(low, high))
            assert (source.damaged_frames, source.lost_frames, source.resized_frames) == (0, 0, 0)


def test_ranges_need_not_be_the_pts_of_frames_and_may_be_empty(tmp_path):
    path = write_clip(tmp_path / "vfr.mkv", pts=VFR, time_base=Fraction(1, 1000), draw=moving)
    with closing(open_source(path, sequence_rate=RATE)) as source:
        assert [f.pts for f in read(source, -5, 41)] == [0, 40]
        assert [f.pts for f in read(source, 41, 50)] == []
        assert [f.pts for f in read(source, 41, 10**9)] == VFR[2:]
        assert read(source, 2000, 3000) == []


def test_going_on_decodes_every_frame_once_and_never_seeks_again(tmp_path, monkeypatch):
    path = write_long_gop(tmp_path / "long.mp4", gop=20)
    restarts = []
    restart = seeking._Run.restart
    monkeypatch.setattr(seeking._Run, "restart", lambda run, key: (restarts.append(key), restart(run, key)))
    with closing(open_source(path, sequence_rate=RATE)) as source:
        pts = [*source.index.pts.tolist(), source.index.end_pts]
        for low, high in ((20, 33), (33, 34), (34, 60)):
            assert len(read(source, pts[low], pts[high])) == high - low
        assert len(restarts) == 1
        assert source._seeker.decoded_frames == 40


def test_damage_is_counted_and_costs_no_other_frame(tmp_path):
    path = with_damage(write_long_gop(tmp_path / "whole.mp4", gop=20, frames=80), lost={30, 33}, torn={50})
    frames, reader = delivered(path)
    with closing(open_source(path, sequence_rate=RATE, decode_threads=1)) as source:
        got = read(source, source.index.start_pts, source.index.end_pts)
        assert [frame.pts for frame in got] == [frame.pts for frame in frames]
        assert (source.damaged_frames, source.lost_frames) == (1, 2)
        assert reader.damaged_frames == 3


def test_a_damaged_stretch_is_read_through_and_not_decoded_again_for_each_of_its_frames(tmp_path):
    path = with_damage(write_long_gop(tmp_path / "whole.mp4", gop=60, frames=120), lost={80}, torn=range(90, 110))
    with closing(open_source(path, sequence_rate=RATE, decode_threads=1)) as source:
        assert len(read(source, source.index.start_pts, source.index.end_pts)) == 119
        assert source.damaged_frames > 5
        assert source._seeker.decoded_frames == 119


def test_frames_of_another_size_are_scaled_and_counted(tmp_path):
    parts = [write_clip(tmp_path / f"{w}.ts", frames=8, size=(w, 48), start_pts=i * 8) for i, w in enumerate((64, 96))]
    path = concatenate(tmp_path / "sizes.ts", parts)
    frames, reader = delivered(path)
    with closing(open_source(path, sequence_rate=RATE, decode_threads=1)) as source:
        got = read(source, source.index.start_pts, source.index.end_pts)
        assert_same(got, frames)
        assert source.resized_frames == reader.resized_frames == 8
        assert {frame.size for frame in got} == {(64, 48)}


@pytest.mark.parametrize(("pix_fmt", "is_deep"), [("yuv420p10le", True), ("yuv420p", False)])
def test_more_than_8_bits_come_along_where_the_file_has_them(tmp_path, pix_fmt, is_deep):
    path = write_clip(tmp_path / "ten.mkv", frames=4, pix_fmt=pix_fmt, draw=moving)
    with closing(open_source(path, sequence_rate=RATE, deep=True)) as source:
        for item in source.frames(source.index.start_pts, source.index.end_pts):
            assert (item.deep is not None) == is_deep
            if item.deep is not None:
                assert item.deep.dtype == np.uint16
                assert item.deep.shape == item.frame.pixels.shape
                assert np.abs(item.deep / 257 - item.frame.pixels).max() < 2
    with closing(open_source(path, sequence_rate=RATE)) as source:
        assert all(item.deep is None for item in source.frames(0, 10**6))


def test_what_is_no_clip_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"nothing of the kind")
    for path in (tmp_path / "clip.mp4", tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(UserError):
            open_source(Path(path), sequence_rate=RATE)
