import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.bench.clips import ClipWish, clip_for, whole_size
from app.pipeline.video_reader import VideoReader
from tests.support.media import write_clip


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", frames=9, size=(64, 48), rate=12)


def facts_of(path):
    with VideoReader(path) as reader:
        return reader.info.size, reader.info.average_rate, [float(frame.time_s) for frame in reader]


def test_a_clip_that_has_the_size_is_used_itself(clip):
    for size in (None, (64, 48)):
        with clip_for(ClipWish(clip, size, 5)) as path:
            assert path == clip
    assert clip.exists()


def test_another_size_is_a_copy_with_the_same_times_that_is_removed(clip):
    made = []
    with clip_for(ClipWish(clip, (128, 96), 100), tick=lambda: made.append(1)) as path:
        assert path != clip
        size, rate, times_s = facts_of(path)
        folder = path.parent
    assert (size, rate) == ((128, 96), 12)
    assert times_s == pytest.approx([i / 12 for i in range(9)])
    assert len(made) == 9
    assert not folder.exists()
    assert clip.exists()


def test_no_more_frames_are_copied_than_are_needed(clip):
    with clip_for(ClipWish(clip, (96, 96), 4)) as path:
        assert len(facts_of(path)[2]) == 4


def test_without_a_clip_the_sample_is_filmed_at_the_size_wished_for():
    with clip_for(ClipWish(None, (160, 90), 3)) as path:
        size, rate, times_s = facts_of(path)
    assert (size, rate, len(times_s)) == ((160, 90), 30, 3)


def test_the_copy_is_removed_when_measuring_fails(clip):
    with pytest.raises(RuntimeError), clip_for(ClipWish(clip, (128, 96))) as path:
        raise RuntimeError
    assert not path.parent.exists()


def test_a_clip_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gone\.mp4") as caught, clip_for(ClipWish(tmp_path / "gone.mp4", (64, 64))):
        pass
    assert caught.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    ("wished", "given"), [((1920, 1080), (1920, 1080)), ((1, 1), (64, 64)), ((65, 4321), (66, 4322))]
)
def test_sizes_are_even_and_not_too_small(wished, given):
    assert whole_size(wished) == given
