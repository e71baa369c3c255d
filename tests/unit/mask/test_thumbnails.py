from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from app.domain.mask.document import Clip, MediaRef
from app.pipeline.mask import thumbnails
from app.pipeline.mask.thumbnails import ThumbnailFolder


def clip(fingerprint="sampled-sha256:1"):
    return Clip(MediaRef("a.mp4", "/a.mp4", fingerprint, 1), (64, 36), Fraction(1, 25))


def picture(level=90):
    return np.full((36, 64, 3), (level, 40, 200), np.uint8)


def test_a_thumbnail_comes_back_about_as_it_was(tmp_path):
    ThumbnailFolder(tmp_path, clip()).put(-7, picture())
    found = ThumbnailFolder(tmp_path, clip()).get(-7)
    assert found.shape == (36, 64, 3)
    assert np.abs(found.astype(int) - picture()).max() < 12
    assert ThumbnailFolder(tmp_path, clip()).get(0) is None


def test_another_clip_has_none_of_its_pictures(tmp_path):
    ThumbnailFolder(tmp_path, clip()).put(0, picture())
    assert ThumbnailFolder(tmp_path, clip("sampled-sha256:2")).get(0) is None


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "huge", "png"])
def test_what_is_no_small_jpeg_is_not_there(tmp_path, damage):
    folder = ThumbnailFolder(tmp_path, clip())
    folder.put(0, picture())
    (path,) = tmp_path.rglob("*.jpg")
    whole = path.read_bytes()
    if damage == "huge":
        Image.new("RGB", (thumbnails.MAX_SIDE_PX + 1, 8)).save(path)
    elif damage == "png":
        Image.new("RGB", (8, 8)).save(path, format="PNG")
    else:
        path.write_bytes({"empty": b"", "garbage": b"no picture" * 50, "cut": whole[: len(whole) // 2]}[damage])
    assert folder.get(0) is None


def test_there_are_never_more_than_so_many(tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnails, "MAX_FILES", 3)
    folder = ThumbnailFolder(tmp_path, clip())
    for pts in range(5):
        folder.put(pts, picture())
    assert len(list(tmp_path.rglob("*.jpg"))) == 3
    assert list(tmp_path.rglob("*.part")) == []


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_thumbnails(tmp_path):
    (tmp_path / "thumbnails").write_text("in the way")
    folder = ThumbnailFolder(tmp_path, clip())
    folder.put(0, picture())
    assert folder.get(0) is None


def test_a_project_that_has_moved_is_not_made_anew(tmp_path):
    ThumbnailFolder(tmp_path / "gone.platematch", clip()).put(0, picture())
    assert list(tmp_path.iterdir()) == []
