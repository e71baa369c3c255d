"""Folders of numbered pictures as clips: their times, their gaps, and what people put into such folders."""

from __future__ import annotations

import os
import time
from contextlib import closing
from fractions import Fraction

import cv2
import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.images import load_image
from app.pipeline.offline.picture_sequence import PictureSequence, find_pictures
from app.pipeline.offline.sources import open_source

RATE = Fraction(24000, 1001)


def write(path, level=100, *, size=(32, 24), dtype=np.uint8, channels=3, alpha=None):
    top = np.iinfo(dtype).max
    pixels = np.full((size[1], size[0], channels), level, dtype)
    pixels[: size[1] // 2, :, 0] = top
    if alpha is not None:
        pixels[..., 3] = alpha
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def folder(tmp_path):
    """Six pictures from shot_0097 to shot_0104: 99 and 102 are missing."""
    for number in (97, 98, 100, 101, 103, 104):
        write(tmp_path / f"shot_{number:04}.png", number)
    return tmp_path


def opened(folder, **options):
    return closing(open_source(folder, sequence_rate=RATE, **options))


def everything(source):
    return list(source.frames(source.index.start_pts, source.index.end_pts))


def levels(items):
    return [int(item.frame.pixels[-1, 0, 0]) for item in items]


def test_a_pictures_time_is_its_number_and_gaps_keep_theirs(folder):
    with opened(folder) as source:
        items = everything(source)
        assert levels(items) == [97, 98, 100, 101, 103, 104]
        assert [item.frame.pts for item in items] == [0, 1, 3, 4, 6, 7] == source.index.pts.tolist()
        assert [item.frame.index for item in items] == list(range(6))
        assert items[2].frame.time_base == 1 / RATE == source.index.time_base
        assert source.gaps == 2
        assert source.notices == ("2 numbers are missing between the pictures: the one before is shown for longer.",)
        assert (source.damaged_frames, source.lost_frames, source.resized_frames) == (0, 0, 0)


def test_what_it_is_is_told_like_a_videos(folder):
    with opened(folder) as source:
        info = source.info
    assert (info.size, info.codec, info.bit_depth, info.audio_streams) == ((32, 24), "png", 8, 0)
    assert (info.average_rate, info.time_base, info.frame_step, info.start_pts) == (RATE, 1 / RATE, 1, 0)
    assert info.duration_s == pytest.approx(float(8 / RATE))
    assert not info.color.is_hdr


def test_any_stretch_can_be_read(folder):
    with opened(folder) as source:
        assert levels(source.frames(3, 7)) == [100, 101, 103]
        assert levels(source.frames(2, 3)) == []
        assert levels(source.frames(0, 2)) == [97, 98]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".tif", ".tiff", ".webp"])
def test_formats(tmp_path, suffix):
    for number in (1, 2):
        write(tmp_path / f"{number}{suffix}", 100)
    with opened(tmp_path) as source:
        items = everything(source)
    assert len(items) == 2
    for item, number in zip(items, (1, 2), strict=True):
        assert np.array_equal(item.frame.pixels, load_image(tmp_path / f"{number}{suffix}").pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_kept_when_asked_for(tmp_path, suffix):
    write(tmp_path / f"a1{suffix}", 30001, dtype=np.uint16)
    write(tmp_path / f"a2{suffix}", 100)  # Somebody exported one anew, at 8 bits.
    with opened(tmp_path, deep=True) as source:
        first, second = everything(source)
        assert source.info.bit_depth == 16
    assert first.deep[-1, 0].tolist() == [30001] * 3
    assert first.frame.pixels[-1, 0].tolist() == [117] * 3
    assert second.deep[-1, 0].tolist() == [100 * 257] * 3
    with opened(tmp_path) as source:
        assert all(item.deep is None for item in everything(source))


def test_8_bit_pictures_have_nothing_deeper(folder):
    with opened(folder, deep=True) as source:
        assert all(item.deep is None for item in everything(source))


def test_another_size_is_scaled_and_counted(folder):
    write(folder / "shot_0100.png", 100, size=(64, 48))
    with opened(folder) as source:
        items = everything(source)
        assert source.resized_frames == 1
    assert {item.frame.size for item in items} == {(32, 24)}


def test_unreadable_pictures_are_left_out_and_counted(folder):
    (folder / "shot_0097.png").write_bytes(b"")
    whole = (folder / "shot_0103.png").read_bytes()
    (folder / "shot_0103.png").write_bytes(whole[: len(whole) // 2])
    with opened(folder) as source:
        assert levels(everything(source)) == [98, 100, 101, 104]
        assert source.lost_frames == 2
        assert source.info.size == (32, 24)
        assert source.index.pts.tolist() == [0, 1, 3, 4, 6, 7]


def test_none_readable_is_an_error_that_says_why(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match="None of the 3 pictures") as caught:
        open_source(tmp_path, sequence_rate=RATE)
    assert caught.value.code == ExitCode.BAD_INPUT


def test_a_folder_without_numbered_pictures_is_an_error(tmp_path):
    write(tmp_path / "portrait.png")
    with pytest.raises(UserError, match="no numbered pictures"):
        open_source(tmp_path, sequence_rate=RATE)


def test_of_mixed_names_the_largest_run_is_taken_and_that_is_said(folder):
    write(folder / "other_01.png")
    write(folder / "shot_0099.jpg")
    (folder / "notes 2.txt").write_text("hello")
    (folder / "._shot_0099.png").write_bytes(b"a copy of somebody's attributes")
    (folder / "shot_0099.png").mkdir()
    with opened(folder) as source:
        assert levels(everything(source)) == [97, 98, 100, 101, 103, 104]
        assert source.notices[0] == "Of the folder's files only shot_….png are the clip; 3 others are left out."


def test_numbers_go_by_value_and_a_long_one_is_no_trouble(tmp_path):
    for number, name in enumerate(("f9", "f10", "f11", "f0012", "f12")):
        write(tmp_path / f"{name}.png", 50 + number)
    with opened(tmp_path) as source:
        assert levels(everything(source)) == [50, 51, 52, 53]
    pictures = find_pictures(tmp_path)
    assert pictures.names == ("f9.png", "f10.png", "f11.png", "f0012.png")
    stamp = "2026112312000000000000"
    for last in "123":
        write(tmp_path / f"x{stamp}{last}.png")
    for extra in range(3):
        (tmp_path / f"f{extra + 9}.png").unlink()
    assert find_pictures(tmp_path).numbers == tuple(120000000000000 + last for last in (1, 2, 3))


def test_transparent_pictures_stand_over_black(tmp_path):
    write(tmp_path / "1.png", 200, channels=4, alpha=128)
    write(tmp_path / "2.png", 30000, channels=4, alpha=32768, dtype=np.uint16)
    with opened(tmp_path) as source:
        assert levels(everything(source)) == [100, 59]
        assert any("transparent" in notice for notice in source.notices)
    (tmp_path / "1.png").unlink()
    with opened(tmp_path, deep=True) as source:
        (item,) = everything(source)
    assert item.deep[-1, 0, 0] == pytest.approx(15000, abs=1)
    assert np.abs(item.deep / 257 - item.frame.pixels).max() <= 1


def test_a_plans_index_is_taken_and_another_folder_noticed(folder):
    with opened(folder) as source:
        index = source.index
    with opened(folder, index=index) as source:
        assert source.index is index
    (folder / "shot_0100.png").unlink()
    with pytest.raises(UserError, match="not those"):
        open_source(folder, index=index, sequence_rate=RATE)


def test_50_000_pictures_open_without_opening_them(tmp_path):
    first = write(tmp_path / "frame_000000.png")
    for number in range(1, 50_000):
        if number % 1000:
            os.link(first, tmp_path / f"frame_{number:06}.png")
    started = time.process_time()
    with closing(PictureSequence(tmp_path, RATE)) as source:
        taken_s = time.process_time() - started
        assert (len(source.index), source.gaps) == (49_951, 49)
        assert [item.frame.pts for item in source.frames(30_999, 31_002)] == [30_999, 31_001]
    assert taken_s < 1.5
