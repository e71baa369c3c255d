from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.mask.frame_index import FrameIndex, Stopped, read_index
from app.pipeline.video_reader import VideoReader
from tests.support.long_gop import write_long_gop
from tests.support.media import concatenate, corrupt, truncate, write_clip, write_no_frames

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "clips"
VFR = [0, 40, 50, 500, 510, 900, 901, 1500]
MS = Fraction(1, 1000)


def reader_pts(path):
    with VideoReader(path) as reader:
        return [frame.pts for frame in reader]


MAKERS = {
    "even": lambda folder: write_clip(folder / "even.mp4", frames=30),
    "one frame": lambda folder: write_clip(folder / "one.mp4", frames=1),
    "starts later": lambda folder: write_clip(folder / "later.mp4", start_pts=77, time_base=Fraction(1, 600)),
    "uneven": lambda folder: write_clip(folder / "vfr.mkv", pts=VFR, time_base=MS),
    "uneven in MP4": lambda folder: write_clip(folder / "vfr.mp4", pts=VFR, time_base=MS, audio="aac"),
    "turned": lambda folder: write_clip(folder / "turned.mp4", rotation=90),
    "webm": lambda folder: write_clip(folder / "vp9.webm", codec="libvpx-vp9", frames=30),
    "long GOP with B frames": lambda folder: write_long_gop(folder / "long.mp4"),
    "open GOP with B frames": lambda folder: write_long_gop(folder / "open.mkv", gop=10, is_open=True),
    "transport stream": lambda folder: write_long_gop(folder / "long.ts", gop=20),
    "without B frames' times": lambda folder: write_long_gop(folder / "long.avi", gop=20),
    "interlaced": lambda folder: write_long_gop(folder / "lines.mkv", options="interlaced=1"),
    "MPEG-4 in AVI": lambda folder: write_clip(folder / "old.avi", codec="mpeg4"),
    "VP8": lambda folder: write_clip(folder / "vp8.webm", codec="libvpx", frames=40),
    "cut short": lambda folder: truncate(write_long_gop(folder / "cut.mkv", gop=15), 0.6),
    "cut short MP4": lambda folder: truncate(
        write_clip(folder / "cut.mp4", frames=40, container_options={"movflags": "faststart"}), 0.6
    ),
    "two recordings": lambda folder: concatenate(
        folder / "two.ts", [write_clip(folder / f"{i}.ts", frames=10) for i in range(2)]
    ),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_the_index_has_exactly_the_frames_that_the_reader_delivers(kind, tmp_path):
    path = MAKERS[kind](tmp_path)
    index = read_index(path)
    assert index.pts.tolist() == reader_pts(path)
    with VideoReader(path) as reader:
        assert index.time_base == reader.info.time_base


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the shared clips are not on this machine")
@pytest.mark.parametrize("name", ["webcam-walk.mkv", "background-water.mp4"])
def test_the_index_of_real_clips_is_the_readers(name):
    assert read_index(CLIPS / name).pts.tolist() == reader_pts(CLIPS / name)


def test_frames_that_an_edit_list_hides_are_left_out(tmp_path):
    path = write_clip(tmp_path / "edited.mp4", pts=range(-6, 24), container_options={"avoid_negative_ts": "disabled"})
    with av.open(str(path)) as source:
        hidden = [packet.pts for packet in source.demux(video=0) if packet.is_discard]
    index = read_index(path)
    assert index.pts.tolist() == reader_pts(path)
    assert len(hidden) == 6
    assert not set(hidden) & set(index.pts.tolist())
    assert index.key_before(index.start_pts) is not None


def test_a_stream_joined_in_the_middle_begins_with_its_first_whole_frame(tmp_path):
    path = write_long_gop(tmp_path / "joined.ts", gop=20)
    packets = path.read_bytes()
    path.write_bytes(packets[len(packets) // 188 // 6 * 188 :])
    with av.open(str(path)) as source:
        stored = sum(packet.size > 0 for packet in source.demux(video=0))
    index = read_index(path)
    assert index.pts.tolist() == reader_pts(path)
    assert index.is_seekable
    assert len(index) < stored


def test_key_frames_are_where_decoding_begins(tmp_path):
    index = read_index(write_long_gop(tmp_path / "keys.mp4", frames=50, gop=20))
    keys = [index.find(int(pts)) for pts in index.key_pts]
    assert keys == [0, 20, 40]
    assert index.key_before(index.pts_at(19)) == index.pts_at(0)
    assert index.key_before(index.pts_at(20)) == index.pts_at(20)
    assert index.key_before(index.start_pts - 1) is None


def test_times_that_had_to_be_repaired_are_found_by_counting_only(tmp_path):
    parts = [write_clip(tmp_path / f"{i}.ts", frames=10) for i in range(2)]
    index = read_index(concatenate(tmp_path / "two.ts", parts))
    assert not index.is_seekable
    assert index.key_before(index.pts_at(15)) is None


def test_a_damaged_packet_keeps_its_place(tmp_path):
    whole = write_long_gop(tmp_path / "damaged.mkv", frames=60, gop=20)
    pts = reader_pts(whole)
    corrupt(whole, start=0.4, length_bytes=300)
    index = read_index(whole)
    assert set(reader_pts(whole)) <= set(index.pts.tolist()) <= set(pts)


def test_lookups():
    index = FrameIndex(np.array([10, 20, 40, 70], np.int64), np.array([10], np.int64), Fraction(1, 10))
    assert len(index) == 4
    assert [index.index_of(pts) for pts in (10, 20, 40, 70)] == [0, 1, 2, 3]
    assert index.find(41) is None
    with pytest.raises(KeyError):
        index.index_of(41)
    assert [index.pts_at(place) for place in (-1, 0, 3, 9)] == [10, 10, 70, 70]
    assert [index.nearest(pts) for pts in (0, 15, 16, 30, 31, 99)] == [10, 10, 20, 20, 40, 70]
    assert [index.shown_at(pts) for pts in (0, 19, 20, 69, 99)] == [10, 10, 20, 40, 70]
    assert [index.next(pts) for pts in (9, 10, 15, 40, 70)] == [10, 20, 20, 70, None]
    assert [index.previous(pts) for pts in (10, 15, 40, 99)] == [None, 10, 20, 70]
    assert (index.start_pts, index.end_pts, index.length_s) == (10, 90, 8.0)
    assert [index.end_of(pts) for pts in (10, 40, 70)] == [20, 70, 90]
    with pytest.raises(ValueError, match="read-only"):
        index.pts[0] = 1


def test_reading_can_be_stopped(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", frames=30)
    asked = []
    with pytest.raises(Stopped):
        read_index(path, should_stop=lambda: asked.append(1) or len(asked) > 5)
    assert len(asked) == 6
    old = write_clip(tmp_path / "old.avi", codec="mpeg4")
    asked.clear()
    with pytest.raises(Stopped):
        read_index(old, should_stop=lambda: asked.append(1) or len(asked) > 15)


def test_what_is_no_video_is_refused_with_its_name(tmp_path):
    (tmp_path / "notes.mp4").write_text("no video")
    for path in (tmp_path / "notes.mp4", tmp_path / "absent.mp4", write_no_frames(tmp_path / "none.mp4")):
        with pytest.raises(UserError, match=path.name):
            read_index(path)
