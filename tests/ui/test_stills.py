from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.stills import StillReader
from app.pipeline.video_reader import VideoReader
from app.ui.clips import FileClip, SampleClip, sample_frames
from tests.support.media import corrupt, write_clip


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", frames=60, start_pts=7)


def all_frames(path):
    with VideoReader(path) as reader:
        return list(reader), reader.info


def test_every_moment_shows_the_frame_that_a_reader_has_there(clip):
    frames, info = all_frames(clip)
    stills = StillReader(clip)
    order = np.random.default_rng(1).permutation(len(frames))
    for index in order:
        since_start = (frames[index].pts - info.start_pts) * info.time_base
        for inside in (Fraction(0), Fraction(1, 80)):
            still = stills.at(float(since_start + inside))
            assert still.pts == frames[index].pts
            assert np.array_equal(still.pixels, frames[index].pixels)
    stills.close()


def test_moments_outside_the_clip_show_its_ends(clip):
    frames, _ = all_frames(clip)
    stills = StillReader(clip)
    assert stills.at(-1.0).pts == frames[0].pts
    assert stills.at(1e6).pts == frames[-1].pts
    assert stills.at(0.0).pts == frames[0].pts
    stills.close()


def test_uneven_times_show_what_was_last_on_the_screen(tmp_path):
    pts = [0, 40, 50, 500, 510, 900]
    path = write_clip(tmp_path / "vfr.mkv", pts=pts, time_base=Fraction(1, 1000))
    stills = StillReader(path)
    for time_s, shown in ((0.039, 0), (0.045, 40), (0.3, 50), (0.505, 500), (0.899, 510), (0.9, 900)):
        assert stills.at(time_s).time_s == pytest.approx(shown / 1000)
    stills.close()


def test_a_rotated_clip_is_upright(tmp_path):
    path = write_clip(tmp_path / "turned.mp4", frames=10, size=(64, 48), rotation=90)
    frames, _ = all_frames(path)
    stills = StillReader(path)
    assert np.array_equal(stills.at(0.2).pixels, frames[5].pixels)
    assert stills.at(0.2).size == (48, 64)
    stills.close()


def test_damage_in_the_middle_still_shows_a_picture(tmp_path):
    path = write_clip(tmp_path / "damaged.mkv", frames=60)
    corrupt(path, start=0.4, length_bytes=600)
    stills = StillReader(path)
    assert all(stills.at(time_s).size == (64, 48) for time_s in (0.5, 1.0, 1.5, 2.0))
    stills.close()


def test_a_file_that_is_no_video_is_refused_by_its_name(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("not a video at all")
    with pytest.raises(UserError, match=r"notes\.mp4"):
        FileClip(path)


def test_the_samples_stills_are_its_frames():
    sample = SampleClip()
    frames = sample_frames()
    first, second = next(frames), next(frames)
    assert np.array_equal(sample.still(0.0).pixels, first.pixels)
    still = sample.still(float(second.time_s))
    assert (still.pts, still.time_base) == (second.pts, second.time_base)
    assert np.array_equal(still.pixels, second.pixels)
    assert sample.still(1e6).time_s < sample.info.duration_s
