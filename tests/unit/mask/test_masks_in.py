import contextlib
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.domain.mask.document import Clip, MaskDocument, MediaRef, Meta
from app.pipeline.given_matte import GivenMatte
from app.pipeline.mask.alpha_video import has_alpha
from app.pipeline.mask.masks_in import ProjectMedia, find_mask, mask_ref, opened_clip, segmenter_for
from app.pipeline.mask.media_refs import Changed, Found, Missing, Moved
from tests.support.media import corrupt, write_clip, write_planes

SIZE = (64, 48)
RATE_HZ = 25


def alpha_at(index, *, size=SIZE):
    """A ramp across, solid above a line that sinks by 4 px a frame."""
    alpha = np.tile(np.linspace(0, 255, size[0]).astype(np.uint8), (size[1], 1))
    alpha[: 4 * index + 1] = 255
    return alpha


def write_alpha_video(path, codec, pix_fmt, *, alphas=None, options=None, rate_hz=RATE_HZ):
    """A video of one colour whose alpha is told."""
    alphas = [alpha_at(i) for i in range(4)] if alphas is None else alphas
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=rate_hz, options=options or {})
        stream.height, stream.width = alphas[0].shape
        stream.pix_fmt = pix_fmt
        for index, alpha in enumerate(alphas):
            rgba = np.dstack([np.full((*alpha.shape, 3), (200, 60, 90), np.uint8), alpha])
            frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, rate_hz)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def frame(index, *, size=SIZE):
    return Frame(np.zeros((size[1], size[0], 3), np.uint8), index, Fraction(1, RATE_HZ), index)


def mattes_of(path, count=4, *, size=SIZE, notices=None):
    """The mattes of the first frames, as 8-bit levels."""
    given = GivenMatte(path, on_notice=(notices if notices is not None else []).append)
    try:
        return [np.rint(given.segment(frame(i, size=size)) * 255).astype(int) for i in range(count)]
    finally:
        given.close()


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options", "off_levels"),
    [
        ("prores.mov", "prores_ks", "yuva444p10le", {"profile": "4"}, 0),
        ("ffv1.mkv", "ffv1", "bgra", {}, 0),
        ("animation.mov", "qtrle", "argb", {}, 0),
        ("png.mov", "png", "rgba", {}, 0),
        ("png16.mov", "png", "rgba64be", {}, 0),
        ("vp9.webm", "libvpx-vp9", "yuva420p", {"crf": "10", "b": "0", "auto-alt-ref": "0"}, 4),
        ("vp8.webm", "libvpx", "yuva420p", {"crf": "4", "b": "2M", "auto-alt-ref": "0"}, 6),
    ],
)
def test_a_videos_alpha_is_the_matte(tmp_path, name, codec, pix_fmt, options, off_levels):
    path = write_alpha_video(tmp_path / name, codec, pix_fmt, options=options)
    notices = []
    for index, matte in enumerate(mattes_of(path, notices=notices)):
        assert np.abs(matte - alpha_at(index)).max() <= off_levels
    assert notices == []


@pytest.mark.parametrize("bits", [8, 9, 10, 16])
@pytest.mark.parametrize("layout", ["420", "422", "444"])
def test_planes_of_every_depth_give_the_nearest_level(tmp_path, bits, layout):
    top = (1 << bits) - 1
    alpha = np.linspace(0, top, 64 * 48).astype(np.uint16).reshape(48, 64)
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[layout]
    chroma = np.full((48 // down, 64 // across), 1 << (bits - 1))
    luma = np.full((48, 64), 1 << (bits - 2))
    dtype = np.uint8 if bits == 8 else np.uint16
    pix_fmt = f"yuva{layout}p" + ("" if bits == 8 else f"{bits}le")
    planes = [plane.astype(dtype) for plane in (luma, chroma, chroma, alpha)]
    path = write_planes(tmp_path / "deep.mkv", planes, pix_fmt=pix_fmt)
    (matte,) = mattes_of(path, 1)
    assert np.abs(matte - alpha * (255 / top)).max() <= 0.51


def test_an_opaque_alpha_leaves_the_brightness_and_says_so_once(tmp_path):
    path = write_alpha_video(tmp_path / "m.mkv", "ffv1", "bgra", alphas=[np.full((48, 64), 255, np.uint8)] * 4)
    notices = []
    mattes = mattes_of(path, notices=notices)
    assert 50 < mattes[0].min() == mattes[3].max() < 200
    assert notices == ["The matte's alpha is opaque: its brightness was taken."]


def test_an_alpha_that_begins_late_is_found(tmp_path):
    solid = np.full((48, 64), 255, np.uint8)
    alphas = [*[solid] * 20, *[alpha_at(2)] * 12]
    path = write_alpha_video(tmp_path / "m.mkv", "ffv1", "bgra", alphas=alphas)
    mattes = mattes_of(path, 32)
    assert mattes[0].min() == 255
    assert np.array_equal(mattes[31], alpha_at(2))


@pytest.mark.parametrize("name", ["plain.webm", "plain.mkv"])
def test_a_video_without_alpha_goes_by_its_brightness(tmp_path, name):
    codec = {"plain.webm": "libvpx-vp9", "plain.mkv": "libx264"}[name]
    path = write_clip(
        tmp_path / name, frames=3, codec=codec, draw=lambda w, h, i: np.full((h, w, 3), 60 * (i + 1), np.uint8)
    )
    assert has_alpha(path) is False
    np.testing.assert_allclose([m.mean() for m in mattes_of(path, 3)], [60, 120, 180], atol=2)


def test_going_back_starts_an_alpha_video_over(tmp_path):
    given = GivenMatte(write_alpha_video(tmp_path / "m.mkv", "ffv1", "bgra"))
    for index in (0, 3, 0, 1):
        assert np.array_equal(np.rint(given.segment(frame(index)) * 255), alpha_at(index))
    given.close()


def test_a_damaged_alpha_video_is_survived_or_refused(tmp_path):
    path = write_alpha_video(tmp_path / "m.mkv", "ffv1", "bgra", alphas=[alpha_at(i % 12) for i in range(40)])
    for seed in range(6):
        broken = corrupt(path, start=0.1 + 0.12 * seed, length_bytes=200, seed=seed)
        with contextlib.suppress(UserError):
            assert all(matte.shape == (48, 64) for matte in mattes_of(broken))


def test_a_playlist_named_like_a_video_opens_nothing(tmp_path):
    write_alpha_video(tmp_path / "real.mkv", "ffv1", "bgra")
    path = tmp_path / "m.webm"
    path.write_text("#EXTM3U\n#EXTINF:1,\nreal.mkv\n")
    with pytest.raises(UserError) as caught:
        GivenMatte(path)
    assert caught.value.code == ExitCode.BAD_INPUT


def write_cutout(path, alpha):
    rgba = np.dstack([np.full((*alpha.shape, 3), (200, 60, 90), np.uint8), alpha])
    Image.fromarray(rgba).save(path)


def test_a_folder_of_cutouts_goes_by_alpha_even_where_the_person_fills_the_picture(tmp_path):
    alphas = [alpha_at(0), np.full((48, 64), 255, np.uint8), alpha_at(2)]
    for number, alpha in enumerate(alphas):
        write_cutout(tmp_path / f"c_{number:04d}.png", alpha)
    for matte, alpha in zip(mattes_of(tmp_path, 3), alphas, strict=True):
        assert np.array_equal(matte, alpha)


def test_a_folder_of_opaque_pictures_goes_by_brightness(tmp_path):
    for number in range(3):
        grey = np.full((48, 64, 3), 50 * (number + 1), np.uint8)
        Image.fromarray(np.dstack([grey, np.full((48, 64), 255, np.uint8)])).save(tmp_path / f"m_{number}.png")
    assert [matte.mean() for matte in mattes_of(tmp_path, 3)] == [50, 100, 150]


def document_for(clip, *, size=SIZE, time_base=Fraction(1, RATE_HZ), mask=None):
    media = MediaRef(clip.name, str(clip), "sampled-sha256:0", 1)
    return MaskDocument(Meta(Clip(media, size, time_base), mask=mask))


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", frames=4)


def test_a_projects_mask_comes_before_any_model(tmp_path, clip):
    mask = write_alpha_video(tmp_path / "m.mov", "prores_ks", "yuva444p10le", options={"profile": "4"})
    document = document_for(clip, mask=mask_ref(mask, tmp_path))
    with opened_clip(document, ProjectMedia(clip, mask), on_notice=print) as (reader, segmenter):
        assert segmenter.coarse is False
        for index, one in enumerate(reader):
            assert np.array_equal(np.rint(segmenter.segment(one) * 255), alpha_at(index))


def test_without_a_mask_the_model_finds_the_person(clip):
    segmenter = segmenter_for(document_for(clip), None, on_notice=print)
    assert segmenter.coarse is True
    segmenter.close()


def test_a_mask_that_was_not_found_is_not_replaced_by_a_guess(tmp_path, clip):
    write_cutout(tmp_path / "m.png", alpha_at(0))
    document = document_for(clip, mask=mask_ref(tmp_path / "m.png", tmp_path))
    with pytest.raises(UserError, match="missing") as caught:
        segmenter_for(document, None, on_notice=print)
    assert caught.value.code == ExitCode.BAD_INPUT


@pytest.mark.parametrize("other", [{"size": (32, 24)}, {"time_base": Fraction(1, 1000)}])
def test_another_clip_than_the_corrections_were_made_for_is_refused(clip, other):
    document = document_for(clip, **other)
    with pytest.raises(UserError, match="not the clip"), opened_clip(document, ProjectMedia(clip), on_notice=print):
        pass


def test_inputs_are_all_files_that_are_read(tmp_path, clip):
    plate = tmp_path / "plate.png"
    write_cutout(plate, alpha_at(0))
    document = document_for(clip)
    meta = replace(document.meta, settings=replace(document.meta.settings, plate=str(plate)))
    assert ProjectMedia(clip).inputs(replace(document, meta=meta)) == (clip, plate)
    assert ProjectMedia(clip).inputs(document) == (clip,)


@pytest.fixture
def masks(tmp_path):
    folder = tmp_path / "media" / "masks"
    folder.mkdir(parents=True)
    for number in range(3):
        write_cutout(folder / f"m_{number}.png", alpha_at(number))
    return folder


def test_a_folder_of_masks_is_found_where_it_was(tmp_path, masks):
    project = tmp_path / "a.platematch"
    ref = mask_ref(masks, project)
    assert ref.relative == "../media/masks"
    assert ref.size_bytes == sum(path.stat().st_size for path in masks.iterdir())
    assert find_mask(ref, project) == Found(masks)


def test_a_folder_of_masks_that_moved_is_found_beside_the_project(tmp_path, masks):
    project = tmp_path / "elsewhere" / "a.platematch"
    project.mkdir(parents=True)
    ref = mask_ref(masks, project)
    masks.rename(project.parent / "masks")
    assert find_mask(ref, project) == Moved(project.parent / "masks")


def test_a_folder_of_masks_that_changed_or_went_is_told_apart(tmp_path, masks):
    project = tmp_path / "a.platematch"
    ref = mask_ref(masks, project)
    write_cutout(masks / "m_3.png", alpha_at(3))
    assert find_mask(ref, project) == Changed(masks)
    masks.rename(tmp_path / "gone")
    assert find_mask(ref, project) == Missing(masks)


def test_a_folder_of_another_machine_is_not_asked_for(tmp_path, masks):
    ref = replace(mask_ref(masks, tmp_path), relative="//server/share/masks", absolute="//server/share/masks")
    assert isinstance(find_mask(ref, tmp_path), Missing)


def test_a_mask_file_is_known_by_its_contents(tmp_path):
    write_cutout(tmp_path / "m.png", alpha_at(0))
    ref = mask_ref(tmp_path / "m.png", tmp_path)
    assert find_mask(ref, tmp_path) == Found(tmp_path / "m.png")
    write_cutout(tmp_path / "m.png", alpha_at(1))
    assert find_mask(ref, tmp_path) == Changed(tmp_path / "m.png")
