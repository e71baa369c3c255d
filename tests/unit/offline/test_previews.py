from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.disk_room import is_disk_full
from app.pipeline.offline.previews import expected_bytes, preview_notice, preview_size, write_preview

FORMATS = ["gif", "webp"]


def scene(index: int, size: tuple[int, int] = (64, 48)):
    """A gradient with a bright square that moves."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    pixels = np.dstack([x * 200 // width, y * 200 // height, np.full_like(x, 60)]).astype(np.uint8)
    left = 3 * index % max(1, width - 8)
    pixels[8:16, left : left + 8] = (250, 40, 20)
    return pixels


def clip(durations_s, **options):
    return [(scene(index, **options), duration_s) for index, duration_s in enumerate(durations_s)]


def shown(path: Path):
    """(pixels RGBA, duration in ms) of every picture, and how often it loops (0: for ever)."""
    found = []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            found.append((np.asarray(image.convert("RGBA")).copy(), image.info["duration"]))
        return found, image.info["loop"]


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_times_and_looping(tmp_path: Path, format) -> None:
    path = tmp_path / f"out.{format}"
    durations_s = [0.1, 0.5, 0.07, 0.25, 2.0]
    assert write_preview(clip(durations_s), path, format=format) == ()
    pictures, loops = shown(path)
    assert loops == 0
    assert [ms for _, ms in pictures] == [round(1000 * d) for d in durations_s]
    for index, (pixels, _) in enumerate(pictures):
        assert np.all(pixels[..., 3] == 255)
        assert np.abs(pixels[..., :3].astype(int) - scene(index)).mean() < 6
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("rate_hz", "count", "expected"),
    [(30, 90, 45), (25, 50, 25), (24, 48, 24), (50, 100, 25), (60, 121, 31), (12, 30, 30)],
)
@pytest.mark.parametrize("format", FORMATS)
def test_rate_is_bounded_evenly_and_time_does_not_drift(tmp_path: Path, format, rate_hz, count, expected) -> None:
    path = tmp_path / "out"
    write_preview(clip([1 / rate_hz] * count), path, format=format)
    pictures, _ = shown(path)
    lengths_ms = [ms for _, ms in pictures]
    tick_ms = 10 if format == "gif" else 1
    assert len(pictures) == expected
    assert abs(sum(lengths_ms) - 1000 * count / rate_hz) <= tick_ms / 2 + 0.5
    assert max(lengths_ms[:-1]) - min(lengths_ms[:-1]) <= tick_ms
    starts_ms = np.cumsum([0, *lengths_ms[:-1]])
    every = round(count / expected)
    assert np.abs(starts_ms - np.arange(expected) * every * 1000 / rate_hz).max() <= tick_ms / 2 + 1e-6


def test_variable_rates_keep_their_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    durations_s = rng.uniform(0.07, 0.4, 40)
    write_preview(clip(durations_s), tmp_path / "out", format="gif")
    pictures, _ = shown(tmp_path / "out")
    ends_ms = np.cumsum([ms for _, ms in pictures])
    assert len(pictures) == 40
    assert np.abs(ends_ms - np.cumsum(durations_s) * 1000).max() <= 5.001


@pytest.mark.parametrize("format", FORMATS)
def test_size_depth_and_channels(tmp_path: Path, format) -> None:
    path = tmp_path / "out"
    big = scene(0, size=(1001, 301)).astype(np.uint16) * 257
    write_preview([(big, 0.1), (big // 2, 0.1)], path, format=format)
    pictures, _ = shown(path)
    assert pictures[0][0].shape == (192, 640, 4)
    assert abs(int(pictures[0][0][..., 0].mean()) - 2 * int(pictures[1][0][..., 0].mean())) < 6
    write_preview([(scene(0)[..., 0], 0.1), (scene(9)[..., 0], 0.1)], path, format=format)
    grey = shown(path)[0][0][0].astype(int)
    assert np.abs(grey[..., 0] - grey[..., 1]).max() <= 2
    for size in ((1, 1), (2, 3), (7, 1)):
        write_preview(
            clip([0.1, 0.2], size=size) if min(size) > 20 else [(np.zeros((*size, 3), np.uint8), 0.1)],
            path,
            format=format,
        )
        with Image.open(path) as image:
            assert image.size == size[::-1]
    assert preview_size((640, 2000)) == (205, 640)
    assert preview_size((100_000, 3)) == (640, 1)
    assert preview_size((64, 48)) == (64, 48)


@pytest.mark.parametrize("format", FORMATS)
def test_transparency(tmp_path: Path, format) -> None:
    """A moving disc: nothing of where it was stays, and the room's colour where alpha is 0 is in no pixel."""
    y, x = np.mgrid[:80, :1200]

    def picture(index: int):
        alpha = np.clip(200 - np.hypot(x - 300 - 60 * index, y - 40), 0, 16) * 255 / 16
        rgba = np.zeros((80, 1200, 4), np.uint8)
        rgba[..., :3] = np.where(alpha[..., None] > 0, (200, 40, 30), (0, 255, 0))
        rgba[..., 3] = alpha
        return rgba

    path = tmp_path / "out"
    write_preview([(picture(index), 0.1) for index in range(4)], path, format=format)
    for index, (pixels, _) in enumerate(shown(path)[0]):
        centre = (300 + 60 * index) * 640 // 1200
        assert pixels.shape == (43, 640, 4)
        assert pixels[20, centre, 3] == 255
        assert not pixels[:, : centre - 115, 3].any()
        assert not pixels[:, centre + 115 :, 3].any()
        visible = pixels[pixels[..., 3] > 100][:, :3].astype(int)
        assert np.abs(visible - (200, 40, 30)).max() < 40
        partly = (pixels[..., 3] > 5) & (pixels[..., 3] < 250)
        assert partly.any() == (format == "webp")


@pytest.mark.parametrize("format", FORMATS)
def test_long_clips_end_at_the_limit_and_that_is_said(tmp_path: Path, format) -> None:
    asked = []

    def endless() -> Iterator[tuple[np.ndarray, float]]:
        for index in range(1000):
            asked.append(index)
            yield scene(index), 0.4

    path = tmp_path / "out"
    (note,) = write_preview(endless(), path, format=format, limit_s=3.0)
    assert note == "The preview ends after 3 s; the clip goes on."
    pictures, _ = shown(path)
    assert sum(ms for _, ms in pictures) == 3000
    assert len(pictures) == 8
    assert len(asked) <= 9
    assert write_preview(clip([0.5] * 6), path, format=format, limit_s=3.0) == ()


def test_what_is_said_beforehand() -> None:
    assert preview_notice((1920, 1080), 59.9, "gif") is None
    note = preview_notice((1920, 1080), 600, "gif")
    assert note == "A preview shows 60 s at most, as GIF about 124 MB: of the clip's 600 s the rest is left out."
    assert expected_bytes((1920, 1080), 600, "webp") < expected_bytes((1920, 1080), 600, "gif") / 3
    assert expected_bytes((1920, 1080), 6, "gif") == expected_bytes((1920, 1080), 60, "gif") / 10


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_are_not_collected(tmp_path: Path, format) -> None:
    """200 pictures more, 46 MB of them, and the process stays as it is: FFmpeg's own WebP encoder loses that much."""
    process, taken = psutil.Process(), []

    def pictures() -> Iterator[tuple[np.ndarray, float]]:
        for index in range(240):
            if index in (40, 239):
                taken.append(process.memory_info().rss)
            yield scene(index, size=(320, 240)), 0.1

    write_preview(pictures(), tmp_path / "out", format=format)
    assert taken[1] - taken[0] < 12_000_000


@pytest.mark.parametrize("format", FORMATS)
def test_a_fault_of_the_pictures_is_passed_on_and_leaves_what_was_there(tmp_path: Path, format) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def torn() -> Iterator[tuple[np.ndarray, float]]:
        yield from clip([0.1] * 3)
        raise UserError("The clip ends in the middle.")

    with pytest.raises(UserError, match="ends in the middle"):
        write_preview(torn(), path, format=format)
    with pytest.raises(ValueError, match="no pictures"):
        write_preview([], path, format=format)
    with pytest.raises(UserError, match="does not exist"):
        write_preview(clip([0.1]), tmp_path / "none" / "out", format=format)
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
    assert path.read_bytes() == b"old"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MB, where this user may mount one."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk(small_disk: Path, format) -> None:
    path = small_disk / "out"
    path.write_bytes(b"old")
    rng = np.random.default_rng(0)
    pictures = ((rng.integers(0, 256, (200, 300, 3), np.uint8), 0.1) for _ in range(50))
    with pytest.raises(UserError, match="The disk is full") as caught:
        write_preview(pictures, path, format=format)
    assert caught.value.code == ExitCode.OUTPUT
    assert is_disk_full(caught.value)
    assert [one.name for one in small_disk.iterdir()] == ["out"]
    assert path.read_bytes() == b"old"
