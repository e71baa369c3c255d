from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.mask.correction import Correction
from app.domain.mask.document import Clip, FrameEdit, MaskDocument, MatchSpan, MediaRef, Meta, Span
from app.domain.mask.planes import Planes
from app.domain.settings import Settings
from app.pipeline.demo_source import demo_frames
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.mask.masks_in import ProjectMedia
from app.pipeline.mask.mattes_out import MatteWish, export_matte
from app.pipeline.mask.project_render import RenderWish, render_project
from app.pipeline.video_reader import VideoReader
from tests.support.media import audio_packets, frame_times_s, write_clip

SIZE = (160, 96)
RATE_HZ = 12
LOSSLESS = RenderWish(encoding=EncodeSettings(codec="ffv1", pix_fmt="bgr0"))
GREEN = np.array([0x20, 0xC0, 0x40])


@pytest.fixture(scope="module")
def person():
    return [frame.pixels for frame in demo_frames(size=SIZE, rate=Fraction(RATE_HZ), seconds=1.5)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory, person):
    """18 frames of a person, with sound."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return write_clip(path, frames=len(person), size=SIZE, rate=RATE_HZ, draw=lambda w, h, i: person[i], audio="aac")


@pytest.fixture
def document(clip):
    with VideoReader(clip) as reader:
        info = reader.info
    meta = Meta(
        Clip(MediaRef("clip.mp4", str(clip), "sampled-sha256:0", 1), info.size, info.time_base),
        settings=replace(Settings(), plate="#20c040"),
    )
    return MaskDocument(meta)


@pytest.fixture(scope="module")
def pts(clip):
    with VideoReader(clip) as reader:
        return [frame.pts for frame in reader]


def edited(document, at, box, value):
    planes = Planes.empty(SIZE)
    x0, y0, x1, y1 = box
    planes.value[y0:y1, x0:x1], planes.weight[y0:y1, x0:x1] = value, 255
    return document.with_frames({at: FrameEdit(Correction.of(planes))})


def within(document, first_pts, last_pts):
    return replace(document, meta=replace(document.meta, span=Span(first_pts, last_pts)))


def render(document, clip, output, wish=LOSSLESS, **more):
    notices = []
    result = render_project(document, ProjectMedia(clip), output, wish, on_notice=notices.append, **more)
    return result, notices


def decoded(path):
    with VideoReader(path) as reader:
        return [frame.pixels for frame in reader]


def test_an_edit_shows_where_it_was_made_and_nowhere_else(tmp_path, document, clip, pts):
    plain = replace(document, meta=replace(document.meta, match_spans=(MatchSpan(Span(), strength=0.0),)))
    changed = edited(plain, pts[5], (60, 40, 100, 80), 0)
    render(plain, clip, tmp_path / "a.mkv")
    render(changed, clip, tmp_path / "b.mkv")
    for index, (before, after) in enumerate(zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True)):
        if index != 5:
            assert np.array_equal(before, after)
            continue
        assert (after[40:80, 60:100] == GREEN).all()
        assert (before[40:80, 60:100] != GREEN).any()
        different = (before != after).any(axis=2)
        different[32:88, 52:108] = False  # The edge's clean colours reach a few pixels around what was changed.
        assert not different.any()


def test_a_part_comes_out_as_in_the_whole_with_its_sound_in_step(tmp_path, document, clip, pts):
    render(document, clip, tmp_path / "whole.mkv")
    reports = []
    result, notices = render(within(document, pts[6], pts[13]), clip, tmp_path / "part.mkv", report=reports.append)
    whole, part = decoded(tmp_path / "whole.mkv"), decoded(tmp_path / "part.mkv")
    assert result.frames == len(part) == 8
    assert reports == list(range(1, 15))
    assert notices == ["The clip's colours are not tagged; its size decided between BT.601 and BT.709."]
    for one, other in zip(part, whole[6:14], strict=True):
        assert np.array_equal(one, other)
    zero_s, end_s = Fraction(6, RATE_HZ), Fraction(8, RATE_HZ)
    assert frame_times_s(tmp_path / "part.mkv")[0] == 0
    all_sound = {packet.data: packet.pts_s for packet in audio_packets(clip)}
    sound = audio_packets(tmp_path / "part.mkv")
    assert all(abs(packet.pts_s - (all_sound[packet.data] - zero_s)) <= Fraction(1, 1000) for packet in sound)
    assert sound[0].pts_s < Fraction(1, 40)
    assert end_s - Fraction(1, 20) < sound[-1].pts_s <= end_s
    assert result.audio_packets == len(sound)


def test_in_mp4_a_part_begins_at_zero_with_exact_times(tmp_path, document, clip, pts):
    render(within(document, pts[6], None), clip, tmp_path / "part.mp4", RenderWish())
    assert frame_times_s(tmp_path / "part.mp4") == [Fraction(i, RATE_HZ) for i in range(12)]
    zero_s = Fraction(6, RATE_HZ)
    all_sound = {packet.data: packet.pts_s for packet in audio_packets(clip)}
    sound = audio_packets(tmp_path / "part.mp4")
    assert [packet.pts_s for packet in sound] == [
        pytest.approx(float(all_sound[packet.data] - zero_s), abs=1e-4) for packet in sound
    ]
    assert sound[-1].data == audio_packets(clip)[-1].data


def test_a_part_up_to_a_frame_keeps_the_clips_times(tmp_path, document, clip, pts):
    render(within(document, None, pts[3]), clip, tmp_path / "part.mkv")
    assert [round(t * RATE_HZ) for t in frame_times_s(tmp_path / "part.mkv")] == [0, 1, 2, 3]
    assert len(audio_packets(tmp_path / "part.mkv")) < len(audio_packets(clip)) / 2


def test_the_whole_clip_is_rendered_when_asked(tmp_path, document, clip, pts):
    result, _ = render(within(document, pts[6], pts[13]), clip, tmp_path / "o.mkv", replace(LOSSLESS, whole=True))
    assert (result.frames, result.audio_packets) == (18, len(audio_packets(clip)))


def test_mattes_are_those_of_the_render(tmp_path, document, clip, pts):
    changed = edited(document, pts[2], (10, 10, 50, 50), 200)
    export_matte(changed, ProjectMedia(clip), tmp_path / "whole.mkv", on_notice=print)
    part = within(changed, pts[1], pts[4])
    export_matte(part, ProjectMedia(clip), tmp_path / "part.mkv", on_notice=print)
    whole = decoded(tmp_path / "whole.mkv")
    for one, other in zip(decoded(tmp_path / "part.mkv"), whole[1:5], strict=True):
        assert np.array_equal(one, other)
    assert (whole[2][10:50, 10:50] == 200).all()
    assert (
        export_matte(
            part, ProjectMedia(clip), tmp_path / "part.mkv", MatteWish(whole=True, overwrite=True), on_notice=print
        )
        == 18
    )


class Cancelled(Exception):  # noqa: N818  (what a window raises to stop)
    pass


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_cancelled_render_leaves_nothing(tmp_path, document, clip, pts, at):
    def report(done):
        if done == at:
            raise Cancelled

    with pytest.raises(Cancelled):
        render(within(document, pts[6], pts[13]), clip, tmp_path / "o.mkv", report=report)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unasked(tmp_path, document, clip):
    (tmp_path / "o.mkv").write_bytes(b"mine")
    with pytest.raises(UserError) as caught:
        render(document, clip, tmp_path / "o.mkv")
    assert caught.value.code == ExitCode.OUTPUT
    assert (tmp_path / "o.mkv").read_bytes() == b"mine"


def test_the_clip_is_never_written_over(document, clip):
    before = clip.read_bytes()
    with pytest.raises(UserError):
        render(document, clip, clip, RenderWish(overwrite=True))
    assert clip.read_bytes() == before


def test_a_range_without_a_frame_makes_no_file(tmp_path, document, clip, pts):
    with pytest.raises(UserError, match="No frame"):
        render(within(document, pts[3] + 1, pts[4] - 1), clip, tmp_path / "o.mkv")
    assert list(tmp_path.iterdir()) == []
