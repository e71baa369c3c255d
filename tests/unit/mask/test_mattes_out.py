import resource
import signal
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from app.domain.decontamination import decontaminate
from app.domain.errors import ExitCode, UserError
from app.domain.mask.adjusting import Adjustment
from app.domain.mask.correction import Correction
from app.domain.mask.document import AdjustedSpan, Clip, FrameEdit, MaskDocument, MediaRef, Meta, Span
from app.domain.mask.planes import Planes
from app.pipeline.mask.looking import final_alpha
from app.pipeline.mask.masks_in import ProjectMedia
from app.pipeline.mask.mattes_out import MatteWish, export_matte
from app.pipeline.video_reader import VideoReader
from tests.support.media import frame_times_s, write_clip

SIZE = (96, 64)
VARIABLE_PTS = (0, 40, 60, 170, 200, 330, 340, 500)
MILLISECOND = Fraction(1, 1000)


def disc(index, *, size=SIZE):
    """A soft disc that moves right by 4 px a frame."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    distance = np.hypot(columns - 30 - 4 * index, rows - 32)
    return np.clip((20 - distance) * 32, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A clip of eight frames at uneven times, and a mask for each of them."""
    folder = tmp_path_factory.mktemp("media")
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    clip = write_clip(
        folder / "clip.mkv", size=SIZE, pts=VARIABLE_PTS, time_base=MILLISECOND, draw=lambda w, h, i: picture
    )
    masks = folder / "masks"
    masks.mkdir()
    for index in range(len(VARIABLE_PTS)):
        Image.fromarray(disc(index)).save(masks / f"m_{index}.png")
    return ProjectMedia(clip, masks)


def edit(*, box, value, weight=255):
    planes = Planes.empty(SIZE)
    x0, y0, x1, y1 = box
    planes.value[y0:y1, x0:x1], planes.weight[y0:y1, x0:x1] = value, weight
    return FrameEdit(Correction.of(planes))


@pytest.fixture
def document(media):
    ref = MediaRef("clip.mkv", str(media.clip), "sampled-sha256:0", 1)
    mask = MediaRef("masks", str(media.mask), "folder-sha256:0", 1)
    meta = Meta(
        Clip(ref, SIZE, MILLISECOND),
        mask=mask,
        adjusted_spans=(AdjustedSpan(Span(330, 340), Adjustment(grow_px=3)),),
    )
    edits = {
        40: edit(box=(0, 0, 20, 10), value=255),
        170: edit(box=(30, 20, 60, 50), value=0, weight=180),
        500: edit(box=(5, 40, 90, 60), value=77),
    }
    return MaskDocument(meta).with_frames(edits)


@pytest.fixture
def expected(document):
    """The final alpha of every frame, from the domain alone."""
    return [final_alpha(document, pts, disc(index)) for index, pts in enumerate(VARIABLE_PTS)]


def within(document, first_pts, last_pts):
    return replace(document, meta=replace(document.meta, span=Span(first_pts, last_pts)))


def levels_of(path):
    with VideoReader(path) as reader:
        return [frame.pixels[..., 1] for frame in reader]


PLAIN = MatteWish()


def export(document, media, output, wish=PLAIN, **more):
    notices = []
    count = export_matte(document, media, output, wish, on_notice=notices.append, **more)
    return count, notices


def test_matroska_holds_the_very_levels_at_the_clips_own_times(tmp_path, document, media, expected):
    assert export(document, media, tmp_path / "m.mkv") == (8, [])
    for level, alpha in zip(levels_of(tmp_path / "m.mkv"), expected, strict=True):
        assert np.array_equal(level, alpha)
    assert frame_times_s(tmp_path / "m.mkv") == [pts * MILLISECOND for pts in VARIABLE_PTS]


@pytest.mark.parametrize("name", ["m.mp4", "m.mov", "m.webm"])
def test_other_videos_hold_it_nearly(tmp_path, document, media, expected, name):
    export(document, media, tmp_path / name)
    for level, alpha in zip(levels_of(tmp_path / name), expected, strict=True):
        assert np.abs(level.astype(int) - alpha).mean() < 3
        assert abs(int(level.max()) - alpha.max()) < 6


def test_a_folder_gets_one_grey_picture_a_frame(tmp_path, document, media, expected):
    assert export(document, media, tmp_path / "mattes") == (8, [])
    names = [f"clip_{index:06d}.png" for index in range(8)]
    assert sorted(path.name for path in (tmp_path / "mattes").iterdir()) == names
    for name, alpha in zip(names, expected, strict=True):
        picture = Image.open(tmp_path / "mattes" / name)
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), alpha)


def test_cutouts_are_straight_and_show_no_room(tmp_path, document, media, expected):
    export(document, media, tmp_path / "cutouts", MatteWish(rgba=True))
    with VideoReader(media.clip) as reader:
        frames = [frame.pixels for frame in reader]
    for index, (alpha, pixels) in enumerate(zip(expected, frames, strict=True)):
        picture = Image.open(tmp_path / "cutouts" / f"clip_{index:06d}.png")
        assert picture.mode == "RGBA"
        assert "srgb" in picture.info
        rgba = np.asarray(picture)
        assert np.array_equal(rgba[..., 3], alpha)
        seen = alpha > 0
        assert np.array_equal(rgba[..., :3][seen], decontaminate(pixels, alpha)[seen])
        assert not rgba[..., :3][~seen].any()


def test_what_was_exported_comes_back_as_a_mask(tmp_path, document, media, expected):
    export(document, media, tmp_path / "cutouts", MatteWish(rgba=True))
    bare = replace(document, meta=replace(document.meta, adjusted_spans=()), frames={})
    again = ProjectMedia(media.clip, tmp_path / "cutouts")
    export(bare, again, tmp_path / "again.mkv")
    assert all(np.array_equal(*pair) for pair in zip(levels_of(tmp_path / "again.mkv"), expected, strict=True))


@pytest.mark.parametrize(
    ("first", "last", "indices"), [(170, 340, range(3, 7)), (None, 60, range(3)), (200, None, range(4, 8))]
)
def test_the_in_out_range_is_kept_to(tmp_path, document, media, expected, first, last, indices):
    part = within(document, first, last)
    assert export(part, media, tmp_path / "m.mkv")[0] == len(indices)
    for level, index in zip(levels_of(tmp_path / "m.mkv"), indices, strict=True):
        assert np.array_equal(level, expected[index])
    zero = 0 if first is None else VARIABLE_PTS[indices[0]]
    assert frame_times_s(tmp_path / "m.mkv") == [(VARIABLE_PTS[i] - zero) * MILLISECOND for i in indices]
    export(part, media, tmp_path / "mattes")
    assert {path.name for path in (tmp_path / "mattes").iterdir()} == {f"clip_{i:06d}.png" for i in indices}


def test_the_whole_clip_is_written_when_asked(tmp_path, document, media):
    assert export(within(document, 170, 340), media, tmp_path / "m.mkv", MatteWish(whole=True))[0] == 8
    assert frame_times_s(tmp_path / "m.mkv")[-1] == Fraction(1, 2)


class Cancelled(Exception):  # noqa: N818  (what a window raises to stop)
    pass


def stop_at(count):
    def report(done):
        if done == count:
            raise Cancelled

    return report


def test_a_cancelled_video_leaves_nothing(tmp_path, document, media):
    with pytest.raises(Cancelled):
        export(document, media, tmp_path / "m.mkv", report=stop_at(5))
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_sequence_says_how_many_pictures_are_there(tmp_path, document, media):
    folder, notices = tmp_path / "mattes", []

    def report(done):
        if done == 6:
            wait_for(lambda: any(path.name == "clip_000001.png" for path in folder.iterdir()))
            raise Cancelled

    with pytest.raises(Cancelled):
        export_matte(document, media, folder, on_notice=notices.append, report=report)
    pictures = list(folder.iterdir())
    assert len(pictures) >= 2
    assert all(np.asarray(Image.open(path)).shape == SIZE[::-1] for path in pictures)
    assert notices == [f"{len(pictures)} finished pictures are in “{folder}”."]


def wait_for(condition):
    """The pictures are written on another thread."""
    until_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_sequence_cancelled_at_once_leaves_no_folder(tmp_path, document, media):
    with pytest.raises(Cancelled):
        export(document, media, tmp_path / "mattes", report=stop_at(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m.mkv", "mattes"])
def test_nothing_is_replaced_unasked(tmp_path, document, media, name):
    output = tmp_path / name
    export(document, media, output)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as caught:
        export(replace(document, frames={}), media, output)
    assert caught.value.code == ExitCode.OUTPUT
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept
    export(replace(document, frames={}), media, output, MatteWish(overwrite=True))
    assert any(path.read_bytes() != data for path, data in kept.items())


def test_pictures_of_a_longer_export_are_kept_and_named(tmp_path, document, media):
    export(document, media, tmp_path / "mattes")
    _, notices = export(within(document, 0, 60), media, tmp_path / "mattes", MatteWish(overwrite=True))
    assert notices == [f"5 pictures of an earlier export are still in “{tmp_path / 'mattes'}”."]
    assert len(list((tmp_path / "mattes").iterdir())) == 8


def test_other_files_in_the_folder_are_left_alone(tmp_path, document, media):
    (tmp_path / "mattes").mkdir()
    (tmp_path / "mattes" / "notes.txt").write_text("mine")
    export(document, media, tmp_path / "mattes")
    assert (tmp_path / "mattes" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["m.png", "taken", "nowhere/mattes"])
def test_a_place_that_can_not_be_written_is_refused(tmp_path, document, media, name):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError) as caught:
        export(document, media, tmp_path / name)
    assert caught.value.code == ExitCode.OUTPUT
    assert (tmp_path / "taken").read_text() == "a file"


def test_cutouts_are_no_video(tmp_path, document, media):
    with pytest.raises(UserError, match="pictures") as caught:
        export(document, media, tmp_path / "m.mkv", MatteWish(rgba=True))
    assert caught.value.code == ExitCode.OUTPUT


def test_a_full_disk_is_named_and_leaves_no_torn_picture(tmp_path, document, media):
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(UserError, match="disk is full") as caught:
            export(document, media, tmp_path / "mattes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == ExitCode.OUTPUT
    assert list(tmp_path.rglob("*.png")) == []


def test_odd_sides_are_padded_with_a_notice_where_the_codec_needs_it(tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", frames=2, size=(33, 21), pix_fmt="yuv444p", time_base=MILLISECOND)
    Image.fromarray(disc(0, size=(33, 21))).save(tmp_path / "m.png")
    ref = MediaRef("clip.mkv", str(clip), "x", 1)
    document = MaskDocument(Meta(Clip(ref, (33, 21), MILLISECOND), mask=ref))
    odd = ProjectMedia(clip, tmp_path / "m.png")
    assert export(document, odd, tmp_path / "m.mp4")[1] == ["The codec takes even sizes only: 1 x 1 px were added."]
    assert export(document, odd, tmp_path / "m.mkv")[1] == []
    assert levels_of(tmp_path / "m.mkv")[0].shape == (21, 33)
