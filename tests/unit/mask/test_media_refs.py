import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from app.domain.errors import UserError
from app.domain.mask.document import Clip, MaskDocument, MediaRef
from app.pipeline.mask.media_refs import Changed, Found, Missing, Moved, find_media, fingerprint, media_ref, relinked
from tests.unit.mask.projects import SIZE, document_of, meta_of


@pytest.fixture
def shoot(tmp_path):
    """A clip in one folder, the project's folder in another."""
    (tmp_path / "clips é").mkdir()
    (tmp_path / "clips é" / "a b#1%20.mp4").write_bytes(b"the clip")
    folder = tmp_path / "work" / "talk.platematch"
    folder.mkdir(parents=True)
    return tmp_path / "clips é" / "a b#1%20.mp4", folder


def test_a_file_is_found_where_it_was(shoot):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    assert ref.relative == "../../clips é/a b#1%20.mp4"
    assert (ref.absolute, ref.size_bytes) == (str(clip), 8)
    assert find_media(ref, folder) == Found(clip)


def test_a_file_is_found_when_all_moved_together(shoot, tmp_path):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    (tmp_path / "moved").mkdir()
    for name in ("clips é", "work"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    found = find_media(ref, tmp_path / "moved" / "work" / "talk.platematch")
    assert found == Found(tmp_path / "moved" / "clips é" / "a b#1%20.mp4")


def test_a_file_is_found_when_only_the_project_moved(shoot, tmp_path):
    clip, folder = shoot
    assert find_media(media_ref(clip, folder), tmp_path / "far" / "away" / "b.platematch") == Found(clip)


@pytest.mark.parametrize("beside", ["..", "."])
def test_a_file_that_lies_beside_the_project_now_has_moved(shoot, beside):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    target = clip.rename((folder / beside).resolve() / clip.name)
    assert find_media(ref, folder) == Moved(target)


def test_other_contents_are_never_taken_for_the_file(shoot):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    clip.write_bytes(b"THE CLIP")
    assert find_media(ref, folder) == Changed(clip)
    (folder.parent / clip.name).write_bytes(b"the clip")
    assert find_media(ref, folder) == Moved(folder.parent / clip.name)


def test_a_file_that_is_nowhere_is_missing(shoot):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    clip.unlink()
    assert find_media(ref, folder) == Missing(clip)


@pytest.mark.parametrize("size", [0, 1, 3 * 2**20, 3 * 2**20 + 1, 40_000_000])
def test_a_fingerprint_knows_size_and_ends(tmp_path, size):
    path = tmp_path / "clip"
    prints = set()
    for at in {0, size // 2, max(size - 1, 0)}:
        with path.open("wb") as file:
            file.truncate(size)
            file.seek(at)
            file.write(b"x" if size else b"")
        prints.add(fingerprint(path))
    longer = path.open("ab")
    longer.write(b"\0")
    longer.close()
    assert fingerprint(path) not in prints
    assert len({found for _, found in prints}) >= min(size, 2)
    assert {found for found, _ in prints} == {size}


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="can't be read"):
        media_ref(tmp_path, tmp_path)
    with pytest.raises(UserError, match="can't be read"):
        media_ref(tmp_path / "none", tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes in folders")
def test_a_pipe_is_not_waited_for(shoot):
    clip, folder = shoot
    ref = media_ref(clip, folder)
    clip.unlink()
    os.mkfifo(clip)
    assert find_media(ref, folder) == Missing(clip)


@pytest.mark.parametrize(
    "absolute", ["//server/share/clip.mp4", "\\\\server\\share\\clip.mp4", "http://x/clip.mp4", ""]
)
def test_no_other_machine_is_contacted(tmp_path, monkeypatch, absolute):
    asked = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: (asked.append(Path(path)), real(path, *rest))[1])
    found = find_media(MediaRef("", absolute, "x", 5), tmp_path / "a.platematch")
    assert isinstance(found, Missing)
    assert all(path.is_relative_to(tmp_path) for path in asked)


def test_an_absolute_path_in_the_relative_ones_place_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    found = find_media(MediaRef(str(tmp_path / "secret"), "/none", "x", 5), tmp_path / "in" / "a.platematch")
    assert found == Missing(Path("/none"))


@dataclass
class Info:
    """What a video tells of itself."""

    width: int = SIZE[0]
    height: int = SIZE[1]
    time_base: Fraction = Fraction(1, 90_000)
    start_pts: int = 0
    duration_s: float | None = 1.0


def test_another_file_takes_the_clips_place_and_every_edit_stays(shoot):
    clip, folder = shoot
    document = document_of(1, 2)
    new = relinked(document, clip, Info(), folder)
    assert new.frames == document.frames
    assert new.meta.clip.media == media_ref(clip, folder)
    assert replace(new, meta=document.meta) == document


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (Info(width=5), "pictures"),
        (Info(time_base=Fraction(1, 1000)), "time"),
        (Info(duration_s=0.01), "beyond its end"),
        (Info(start_pts=5000), "before its beginning"),
    ],
)
def test_a_file_the_edits_would_not_fit_is_refused(shoot, info, why):
    clip, folder = shoot
    with pytest.raises(UserError, match=why):
        relinked(document_of(1, 2), clip, info, folder)


def test_a_clip_of_unknown_length_is_believed(shoot):
    clip, folder = shoot
    assert relinked(document_of(1), clip, Info(duration_s=None), folder).frames
    empty = MaskDocument(replace(meta_of(), clip=Clip(meta_of().clip.media, SIZE, Fraction(1, 90_000))))
    assert relinked(empty, clip, Info(duration_s=0), folder).frames == {}
