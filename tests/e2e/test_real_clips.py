import numpy as np
import pytest

from app.pipeline.video_reader import VideoReader
from tests.support.media import audio_packets, frame_times_s

PLATE = "#20c040"
PLATE_RGB = np.array([0x20, 0xC0, 0x40])


def decoded(path, count):
    with VideoReader(path, max_frames=count) as reader:
        return [frame.pixels.astype(int) for frame in reader]


@pytest.mark.parametrize(
    ("name", "frames", "share"),
    [
        ("portrait-720p.mp4", 10, (0.1, 0.6)),
        ("webcam-walk.mkv", 10, (0.1, 0.6)),
        ("webcam-sister.mkv", 10, (0.1, 0.6)),
        ("juggler-720p.mp4", 10, (0.01, 0.25)),
    ],
)
def test_real_people_are_cut_out_and_the_room_is_gone(run_json, shared_data, tmp_path, name, frames, share):
    clip, out = shared_data / "clips" / name, tmp_path / "out.mkv"
    code, result = run_json("render", clip, "--plate", PLATE, "-o", out, "--frames", frames)
    assert code == 0
    assert result["frames"] == frames
    for pixels in decoded(out, frames):
        covered = np.abs(pixels - PLATE_RGB).max(axis=2) > 24
        assert share[0] < covered.mean() < share[1]
        assert covered[:30, :30].mean() < 0.02
        assert covered[:30, -30:].mean() < 0.02


def test_whole_portrait_keeps_its_times_and_its_sound(run_json, shared_data, tmp_path):
    clip, out = shared_data / "clips" / "portrait-720p.mp4", tmp_path / "out.mp4"
    code, result = run_json("render", clip, "--plate", "sunset", "-o", out)
    assert code == 0
    assert result["frames"] == 282
    assert frame_times_s(out) == frame_times_s(clip)
    assert [p.data for p in audio_packets(out)] == [p.data for p in audio_packets(clip)]


def test_moving_plate_moves_behind_a_real_person(run_json, shared_data, tmp_path):
    clips = shared_data / "clips"
    out = tmp_path / "out.mp4"
    plate = clips / "background-water.mp4"
    code, _ = run_json("render", clips / "webcam-walk.mkv", "--plate", plate, "-o", out, "--frames", 30)
    assert code == 0
    frames = decoded(out, 30)
    assert np.abs(frames[0][:60, :60] - frames[-1][:60, :60]).mean() > 1
