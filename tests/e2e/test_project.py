import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from app.domain.compiled import kernels
from app.domain.errors import ExitCode
from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MatchSpan, Origin, Span
from app.domain.mask.planes import Planes
from app.pipeline.mask.looking import final_alpha
from app.pipeline.mask.project_reading import read_project
from app.pipeline.mask.project_store import ProjectStore
from app.pipeline.video_reader import VideoReader
from tests.e2e.conftest import SIZE
from tests.support.media import audio_packets, frame_times_s, truncate, write_clip
from tests.unit.mask.test_masks_in import write_alpha_video

GREEN = "#20c040"
GREEN_RGB = np.array([0x20, 0xC0, 0x40])
LOSSLESS = ("--codec", "ffv1")


def decoded(path):
    with VideoReader(path) as reader:
        return [frame.pixels for frame in reader]


def times(path):
    with VideoReader(path) as reader:
        return [frame.pts for frame in reader]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def edit_of(size, box, value, **flags):
    planes = Planes.empty(size)
    x0, y0, x1, y1 = box
    planes.value[y0:y1, x0:x1], planes.weight[y0:y1, x0:x1] = value, 255
    return FrameEdit(Correction.of(planes), **flags)


def change(folder, change_of):
    """Open the project as the window does, save it changed, and leave it."""
    opened = ProjectStore.open(folder)
    document = change_of(opened.document)
    opened.store.save(document)
    opened.store.close()
    return document


@pytest.fixture
def project(run, person_clip, tmp_path):
    """A project of the demo clip on green, nothing matched."""
    folder = tmp_path / "talk.platematch"
    assert run("project", "new", person_clip, "-o", folder, "--plate", GREEN)[0] == 0
    change(folder, lambda doc: replace(doc, meta=replace(doc.meta, match_spans=(MatchSpan(Span(), strength=0.0),))))
    return folder


def test_what_was_painted_shows_there_and_nowhere_else(run_json, person_clip, project, tmp_path):
    at = times(person_clip)
    code, result = run_json("project", "render", project, "-o", tmp_path / "before.mkv", *LOSSLESS)
    assert (code, result["frames"]) == (0, 12)
    away, back = (110, 100, 150, 140), (10, 10, 60, 50)
    edits = {at[3]: edit_of(SIZE, away, 0), at[7]: edit_of(SIZE, back, 255)}
    change(project, lambda doc: doc.with_frames(edits))
    assert run_json("project", "render", project, "-o", tmp_path / "after.mkv", *LOSSLESS)[0] == 0
    before, after, clip = (decoded(path) for path in (tmp_path / "before.mkv", tmp_path / "after.mkv", person_clip))
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        box = {3: away, 7: back}.get(index)
        inside = np.zeros(one.shape[:2], bool)
        if box is not None:
            x0, y0, x1, y1 = box
            inside[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10] = True
        difference = np.abs(one.astype(int) - other).max(axis=2)
        assert difference[~inside].max() <= (0 if box is None else 1)
    # Two pixels in: halved chroma reaches over the box.
    assert np.abs(after[3][102:138, 112:148].astype(int) - GREEN_RGB).max() <= 4
    assert np.abs(after[7][14:46, 14:56].astype(int) - clip[7][14:46, 14:56]).mean() < 1.5
    assert np.abs(before[7][14:46, 14:56].astype(int) - GREEN_RGB).max() <= 4


def test_the_exported_matte_is_the_final_alpha_of_every_frame(run_json, person_clip, project, tmp_path):
    at = times(person_clip)
    assert run_json("project", "export-matte", project, "-o", tmp_path / "model.mkv")[0] == 0
    edits = {pts: edit_of(SIZE, (10 * i, 5 * i, 10 * i + 80, 5 * i + 40), 20 * i) for i, pts in enumerate(at[::2])}
    document = change(project, lambda doc: doc.with_frames(edits))
    code, result = run_json("project", "export-matte", project, "-o", tmp_path / "hand.mkv")
    assert (code, result["frames"]) == (0, 12)
    models, mattes = decoded(tmp_path / "model.mkv"), decoded(tmp_path / "hand.mkv")
    for pts, model, matte in zip(at, models, mattes, strict=True):
        assert np.array_equal(matte[..., 0], final_alpha(document, pts, model[..., 0]))
    assert frame_times_s(tmp_path / "hand.mkv") == pytest.approx(frame_times_s(person_clip), abs=1e-3)
    assert run_json("project", "export-matte", project, "-o", tmp_path / "cutout", "--rgba")[0] == 0
    for index, matte in enumerate(mattes):
        rgba = np.asarray(Image.open(tmp_path / "cutout" / f"person_{index:06d}.png"))
        assert np.array_equal(rgba[..., 3], matte[..., 0])
        assert not rgba[..., :3][matte[..., 0] == 0].any()


def test_an_in_out_range_is_what_is_written_unless_all_is_asked_for(run_json, person_clip, project, tmp_path):
    at = times(person_clip)
    change(project, lambda doc: replace(doc, meta=replace(doc.meta, span=Span(at[4], at[8]))))
    _, part = run_json("project", "render", project, "-o", tmp_path / "part.mkv", *LOSSLESS)
    _, whole = run_json("project", "render", project, "-o", tmp_path / "whole.mkv", "--whole", *LOSSLESS)
    assert (part["frames"], whole["frames"]) == (5, 12)
    assert all(
        np.array_equal(*pair)
        for pair in zip(decoded(tmp_path / "part.mkv"), decoded(tmp_path / "whole.mkv")[4:9], strict=True)
    )
    assert 0 < part["audio_packets"] < whole["audio_packets"] == len(audio_packets(person_clip))


def test_a_delivery_of_a_project_is_a_render_with_its_final_matte(run, run_json, person_clip, project, tmp_path):
    pts = times(person_clip)
    box = (0, 0, 40, 30)
    change(project, lambda doc: doc.with_frames({pts[2]: edit_of(SIZE, box, 255)}))
    code, facts = run_json("project", "deliver", project, "-o", tmp_path / "out.mkv", "--format", "ffv1", "--verify")
    assert (code, facts["frames"], facts["verified"]) == (0, len(pts), True)
    delivered = decoded(tmp_path / "out.mkv")
    x0, y0, x1, y1 = box
    original = decoded(person_clip)
    assert np.abs(delivered[2][y0:y1, x0:x1].astype(int) - original[2][y0:y1, x0:x1]).max() <= 3  # painted in
    assert np.abs(delivered[3][y0:y1, x0:x1].astype(int) - GREEN_RGB).max() <= 3  # and nowhere else
    assert run("project", "deliver", project, "-o", tmp_path / "out.mkv", "--format", "ffv1")[0] == ExitCode.OUTPUT


@pytest.mark.parametrize("action", ["render", "deliver"])
def test_a_program_just_started_makes_the_same_pictures_as_one_at_work(run, project, tmp_path, plain_loops, action):
    assert kernels() is None  # As a program starts.
    for name in ("first", "second"):
        assert run("project", action, project, "-o", tmp_path / f"{name}.mkv", "--codec", "ffv1")[0] == 0
    first, second = decoded(tmp_path / "first.mkv"), decoded(tmp_path / "second.mkv")
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_delivery_of_a_range_with_alpha(run_json, person_clip, project, tmp_path):
    pts = times(person_clip)
    change(project, lambda doc: replace(doc, meta=replace(doc.meta, span=Span(pts[2], pts[4]))))
    argv = ("project", "deliver", project, "--deliver", "prores-4444-alpha")
    code, facts = run_json(*argv, "-o", tmp_path / "part.mov")
    assert (code, facts["frames"]) == (0, 3)
    with av.open(str(tmp_path / "part.mov")) as made:
        stream = made.streams.video[0]
        assert (stream.codec_context.name, "yuva" in stream.codec_context.pix_fmt) == ("prores", True)
    assert run_json(*argv, "-o", tmp_path / "all.mov", "--whole")[1]["frames"] == len(pts)


def test_a_clip_with_uneven_times_keeps_them(run, person_pictures, tmp_path):
    pts = (0, 30, 110, 120, 400, 410)
    clip = write_clip(
        tmp_path / "uneven.mkv",
        pts=pts,
        time_base=Fraction(1, 1000),
        size=SIZE,
        draw=lambda w, h, i: person_pictures[i],
    )
    folder = tmp_path / "uneven.platematch"
    assert run("project", "new", clip, "-o", folder)[0] == 0
    document = change(folder, lambda doc: doc.with_frames({120: edit_of(SIZE, (0, 0, 320, 180), 255)}))
    assert document.meta.clip.time_base == Fraction(1, 1000)
    assert run("project", "render", folder, "-o", tmp_path / "o.mkv")[0] == 0
    assert run("project", "export-matte", folder, "-o", tmp_path / "m.mkv")[0] == 0
    assert frame_times_s(tmp_path / "o.mkv") == frame_times_s(tmp_path / "m.mkv") == [Fraction(t, 1000) for t in pts]
    assert [matte.min() == 255 for matte in decoded(tmp_path / "m.mkv")] == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options", "off_levels"),
    [
        ("m.mov", "prores_ks", "yuva444p10le", {"profile": "4"}, 0),
        ("m.webm", "libvpx-vp9", "yuva420p", {"crf": "10", "b": "0", "auto-alt-ref": "0"}, 6),
    ],
)
def test_an_alpha_video_replaces_the_model(run, person_clip, tmp_path, name, codec, pix_fmt, options, off_levels):
    alphas = [cv2.GaussianBlur(np.roll(disc(), 8 * i, axis=1), (0, 0), 2) for i in range(12)]
    mask = write_alpha_video(tmp_path / name, codec, pix_fmt, alphas=alphas, options=options, rate_hz=12)
    folder = tmp_path / "masked.platematch"
    assert run("project", "new", person_clip, "-o", folder, "--mask", mask)[0] == 0
    assert run("project", "export-matte", folder, "-o", tmp_path / "out.mkv")[0] == 0
    for matte, alpha in zip(decoded(tmp_path / "out.mkv"), alphas, strict=True):
        assert np.abs(matte[..., 0].astype(int) - alpha).max() <= off_levels


def disc():
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return ((np.hypot(columns - 100, rows - 90) < 60) * 255).astype(np.uint8)


def test_a_folder_of_masks_replaces_the_model_and_is_missed_when_it_goes(run, run_json, person_clip, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for index in range(12):
        Image.fromarray(np.roll(disc(), 8 * index, axis=1)).save(masks / f"m_{index:03d}.png")
    folder = tmp_path / "masked.platematch"
    assert run("project", "new", person_clip, "-o", folder, "--mask", masks)[0] == 0
    assert run("project", "export-matte", folder, "-o", tmp_path / "out.mkv")[0] == 0
    for index, matte in enumerate(decoded(tmp_path / "out.mkv")):
        assert np.array_equal(matte[..., 0], np.roll(disc(), 8 * index, axis=1))
    masks.rename(tmp_path / "gone")
    code, out = run_json("project", "export-matte", folder, "-o", tmp_path / "again.mkv")
    assert (code, out["code"]) == (3, 3)
    assert "relink" in out["hint"]
    assert run("project", "relink", folder, "--mask", tmp_path / "gone")[0] == 0
    assert run("project", "export-matte", folder, "-o", tmp_path / "again.mkv")[0] == 0


def test_a_mask_of_another_shape_makes_no_project(run, person_clip, tmp_path):
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "m.png")
    folder = tmp_path / "a.platematch"
    assert run("project", "new", person_clip, "-o", folder, "--mask", tmp_path / "m.png")[0] == 3
    assert not folder.exists()


def test_info_counts_what_is_there(run, run_json, person_clip, project):
    at = times(person_clip)
    edits = {
        at[0]: edit_of(SIZE, (0, 0, 9, 9), 255, is_keyframe=True),
        at[1]: edit_of(SIZE, (0, 0, 9, 9), 255, origin=Origin.PROPAGATED),
        at[2]: edit_of(SIZE, (0, 0, 9, 9), 0, origin=Origin.PROPAGATED, is_locked=True),
        at[3]: FrameEdit(Correction(SIZE), is_keyframe=True),
    }
    change(
        project,
        lambda doc: replace(
            doc.with_frames(edits), meta=replace(doc.meta, span=Span(at[1], None), stops={at[2]: "cut"})
        ),
    )
    before = contents(project)
    code, facts = run_json("project", "info", project)
    assert code == 0
    counted = {name: facts[name] for name in ("edited", "propagated", "keyframes", "locked", "clip_frames")}
    assert counted == {"edited": 3, "propagated": 2, "keyframes": 2, "locked": 1, "clip_frames": 12}
    assert (facts["size"], facts["in_out"]) == (list(SIZE), [at[1], None])
    assert (facts["stops"], facts["unsaved_steps"]) == ({str(at[2]): "cut"}, 0)
    assert (facts["missing"], facts["clip"], facts["plate"]) == ({}, str(person_clip), GREEN)
    code, out, _ = run("project", "info", project)
    assert code == 0
    assert {"0.083 s to end", "0.167 s: cut", "320 x 180"} <= {cell.strip() for cell in out.split("│")}
    assert contents(project) == before


KILLED_WHILE_EDITING = """
import os, sys
from pathlib import Path
from app.pipeline.mask.project_store import ProjectStore
from tests.e2e.test_project import SIZE, edit_of
opened = ProjectStore.open(Path(sys.argv[1]))
opened.store.note(opened.document.with_frames({0: edit_of(SIZE, (0, 0, 320, 180), 255)}))
opened.store.flush()
os._exit(9)
"""


def test_unsaved_steps_are_told_of_and_neither_used_nor_lost(run, run_json, project, tmp_path):
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", KILLED_WHILE_EDITING, project], cwd=root, env=os.environ, check=False)
    before = contents(project)
    code, facts = run_json("project", "info", project)
    assert (code, facts["unsaved_steps"], facts["edited"]) == (0, 1, 0)
    code, result = run_json("project", "export-matte", project, "-o", tmp_path / "m.mkv")
    assert code == 0
    assert any("unsaved" in notice for notice in result["notices"])
    assert decoded(tmp_path / "m.mkv")[0].min() == 0
    assert run("project", "relink", project, "--clip", tmp_path / "m.mkv")[0] == 3
    assert contents(project) == before
    opened = ProjectStore.open(project)
    assert opened.recovered is not None
    opened.store.close()


def test_a_clip_that_moved_is_asked_for_and_linked_again(run, run_json, person_clip, tmp_path):
    clip = tmp_path / "talk.mp4"
    clip.write_bytes(person_clip.read_bytes())
    folder = tmp_path / "projects" / "talk.platematch"
    folder.parent.mkdir()
    assert run("project", "new", clip, "-o", folder, "--plate", GREEN)[0] == 0
    change(folder, lambda doc: doc.with_frames({times(clip)[2]: edit_of(SIZE, (0, 0, 50, 50), 255)}))
    old, clip = clip, clip.rename(tmp_path / "renamed.mp4")
    for action in ("render", "export-matte"):
        code, out = run_json("project", action, folder, "-o", tmp_path / "o.mkv")
        assert (code, out["code"]) == (3, 3)
        assert "talk.mp4" in out["error"]
        assert "relink" in out["hint"]
    facts = run_json("project", "info", folder)[1]
    assert (facts["missing"], facts["clip_frames"]) == ({"clip": str(old)}, None)
    assert run("project", "relink", folder, "--clip", clip)[0] == 0
    assert read_project(folder).document.frames.keys() == {times(clip)[2]}
    assert run("project", "export-matte", folder, "-o", tmp_path / "o.mkv")[0] == 0


def test_a_clip_that_does_not_fit_is_not_linked(run, person_clip, project, tmp_path):
    other = write_clip(tmp_path / "other.mp4", size=(64, 48))
    before = contents(project)
    assert run("project", "relink", project, "--clip", other)[0] == 3
    assert run("project", "relink", project)[0] == 2
    assert contents(project) == before


def test_a_clip_with_other_contents_is_not_used(run_json, person_clip, tmp_path):
    clip = tmp_path / "talk.mp4"
    clip.write_bytes(person_clip.read_bytes())
    folder = tmp_path / "talk.platematch"
    run_json("project", "new", clip, "-o", folder)
    write_clip(clip, frames=12, rate=12, size=SIZE)
    code, out = run_json("project", "render", folder, "-o", tmp_path / "o.mkv")
    assert code == 3
    assert "other contents" in out["error"]


@pytest.mark.parametrize("damage", ["torn", "garbage", "empty", "no project"])
def test_a_damaged_project_is_refused_and_left_as_it_is(run, project, tmp_path, damage):
    for file in project.glob("project.json*"):
        if damage == "torn":
            truncate(file, 0.5)
        elif damage == "no project":
            file.unlink()
        else:
            file.write_bytes(b"\0\xff{[" if damage == "garbage" else b"")
    before = contents(project)
    for action in (("info",), ("render", "-o", tmp_path / "o.mkv"), ("relink", "--clip", tmp_path / "x.mp4")):
        assert run("project", action[0], project, *action[1:])[0] == 3
    assert contents(project) == before
    assert not (tmp_path / "o.mkv").exists()


def test_nothing_is_replaced_unasked(run, person_clip, project, tmp_path):
    (tmp_path / "o.mkv").write_bytes(b"mine")
    for action in ("render", "export-matte"):
        assert run("project", action, project, "-o", tmp_path / "o.mkv")[0] == 4
    assert run("project", "new", person_clip, "-o", project)[0] == 4
    assert (tmp_path / "o.mkv").read_bytes() == b"mine"
    assert run("project", "export-matte", project, "-o", tmp_path / "o.mkv", "--overwrite")[0] == 0
    assert len(decoded(tmp_path / "o.mkv")) == 12


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("new", "CLIP", "-o", "name"), 4),
        (("new", "nowhere.mp4", "-o", "a.platematch"), 3),
        (("new", "CLIP", "-o", "a.platematch", "--plate", "no such plate"), 3),
        (("new", "CLIP", "-o", "a.platematch", "--mask", "nowhere.png"), 3),
        (("info", "nowhere.platematch"), 3),
    ],
)
def test_what_can_not_be_used_is_refused(run, person_clip, tmp_path, monkeypatch, argv, code):
    monkeypatch.chdir(tmp_path)
    assert run("project", *(person_clip if word == "CLIP" else word for word in argv))[0] == code
    assert list(tmp_path.iterdir()) == []


def test_a_plate_beside_the_clip_is_found_after_both_moved(run, run_json, person_clip, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "talk.mp4").write_bytes(person_clip.read_bytes())
    Image.fromarray(np.full((180, 320, 3), GREEN_RGB, np.uint8)).save(home / "plate.png")
    monkeypatch.chdir(home)
    assert run("project", "new", "talk.mp4", "-o", "talk.platematch", "--plate", "plate.png")[0] == 0
    monkeypatch.chdir(tmp_path)
    home = home.rename(tmp_path / "other")
    code, _ = run_json("project", "render", home / "talk.platematch", "-o", tmp_path / "o.mkv")
    assert code == 0
    assert np.abs(decoded(tmp_path / "o.mkv")[0][:30, :30].astype(int) - GREEN_RGB).max() < 8
    (home / "plate.png").unlink()
    assert run("project", "render", home / "talk.platematch", "-o", tmp_path / "p.mkv")[0] == 3
    assert run("project", "export-matte", home / "talk.platematch", "-o", tmp_path / "m.mkv")[0] == 0
