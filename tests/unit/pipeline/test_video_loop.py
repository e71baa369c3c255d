from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest

from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.video_loop import LoopingReader
from tests.support.media import write_clip


def shade(width: int, height: int, index: int) -> Pixels:
    return np.full((height, width, 3), 20 + 20 * index, np.uint8)


def shown(reader: LoopingReader, time_s: float) -> int:
    """Which frame of the clip is shown, by its grey."""
    return round((int(reader.frame_at(time_s).pixels.mean()) - 20) / 20)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames at 10 Hz that do not begin at zero."""
    return write_clip(tmp_path / "plate.mp4", frames=10, rate=10, draw=shade, start_pts=4)


def test_the_clip_goes_round(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        assert [shown(reader, 0.05 + i / 10) for i in range(35)] == [i % 10 for i in range(35)]
        assert reader.round_s == pytest.approx(1.0)


def test_a_frame_is_shown_until_the_next_one_is_due(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        assert [shown(reader, t) for t in (0.0, 0.09, 0.1, 0.19, 0.95, 0.999, 1.0, 1.09)] == [
            0, 0, 1, 1, 9, 9, 0, 0,
        ]  # fmt: skip


def test_looped_time_is_continuous(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        frames = [reader.frame_at(0.05 + i / 10) for i in range(30)]
    assert np.diff([frame.pts * frame.time_base for frame in frames]) == pytest.approx([0.1] * 29)
    assert np.all(np.diff([frame.index for frame in frames]) == 1)
    assert frames[0].pts == 0


def test_a_long_jump_lands_on_the_right_frame(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        assert shown(reader, 0.0) == 0
        assert shown(reader, 12345.35) == 3
        assert shown(reader, 12345.45) == 4


def test_going_back_gives_the_current_frame(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        assert shown(reader, 0.55) == 5
        assert shown(reader, 0.15) == 5


def test_uneven_frames_keep_their_lengths(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "vfr.mp4", pts=[0, 1, 5], rate=10, draw=shade)
    with LoopingReader(clip) as reader:
        first_round = [shown(reader, 0.05 + i / 10) for i in range(6)]
        assert first_round == [0, 1, 1, 1, 1, 2]


def test_a_single_frame_is_a_still(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "still.mp4", frames=1, draw=shade)
    with LoopingReader(clip) as reader:
        assert [shown(reader, t) for t in (0, 0.5, 7.3, 1000)] == [0, 0, 0, 0]


def test_a_file_gone_at_the_next_round_is_named(clip: Path) -> None:
    with LoopingReader(clip) as reader:
        reader.frame_at(0.95)
        clip.unlink()
        with pytest.raises(UserError, match="There is no file"):
            reader.frame_at(1.5)


def test_memory_does_not_grow_with_the_rounds(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "plate.mp4", frames=10, rate=10, size=(320, 240))
    process = psutil.Process()
    with LoopingReader(clip) as reader:
        for i in range(100):
            reader.frame_at(i / 10)
        early = process.memory_info().rss
        for i in range(100, 600):
            reader.frame_at(i / 10)
    assert process.memory_info().rss - early < 30e6
