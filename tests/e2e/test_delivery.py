"""Deliveries through the program itself: going on where it stopped, formats, batches, faults."""

import json
import os
import shutil
import signal
import subprocess
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import psutil
import pytest

from app.cli import main
from app.pipeline.offline.presets import PRESETS
from tests.e2e.test_render import GREEN, SIZE, child
from tests.support.media import write_clip

WAIT_S = 120
SMALL = (160, 90)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory, person_pictures):
    """16 s at 10 Hz: four segments."""
    return write_clip(
        tmp_path_factory.mktemp("delivery") / "long.mp4",
        frames=160,
        size=SMALL,
        rate=10,
        draw=lambda w, h, i: cv2.resize(person_pictures[i % 12], SMALL, interpolation=cv2.INTER_AREA),
    )


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(frame.pts * stream.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]


def render(clip, output, *more):
    return child("render", clip, "--plate", GREEN, "-o", output, *more)


def run(*arguments):
    return subprocess.run(render(*arguments), capture_output=True, text=True, check=False)


def killed_midway(clip, output, *, stage):
    """Kill a render for good as soon as a segment of a pass is finished: its sidecar has its own name, not a part's."""
    work = output.parent / f".{output.name}.rendering"
    for _ in range(5):
        process = subprocess.Popen(render(clip, output, "--workers", 2), start_new_session=True)
        deadline = time.monotonic() + WAIT_S
        while not list(work.glob(f"{stage}_?????.json")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not output.exists() and list(work.glob(f"{stage}_?????.json")):
            return work
        # This process was not let in for so long that the render was at its end, clearing up: from the start again, or
        # what it had not cleared yet would pass for the next one's segments.
        output.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    raise AssertionError("no render could be caught midway")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("stage", ["analysis", "segment"])
def test_a_killed_render_goes_on_and_gives_the_same_file(long_clip, tmp_path, run_json, stage):
    work = killed_midway(long_clip, tmp_path / "out.mp4", stage=stage)
    assert not (tmp_path / "out.mp4").exists()
    finished = len(list(work.glob(f"{stage}_?????.json")))
    code, result = run_json("render", long_clip, "--plate", GREEN, "-o", tmp_path / "out.mp4", "--workers", 2)
    assert code == 0
    assert result["reused"] >= finished
    assert not work.exists()
    run_json("render", long_clip, "--plate", GREEN, "-o", tmp_path / "whole.mp4", "--workers", 1)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
def test_what_changed_decides_what_is_done_again(long_clip, tmp_path, run_json):
    output = tmp_path / "out.mp4"
    command = ("render", long_clip, "--plate", GREEN, "-o", output, "--workers", 1)
    killed_midway(long_clip, output, stage="segment")
    _, result = run_json(*command, "--crf", 30)
    assert result["reused"] == result["segments"]  # All analyses, no picture.
    output.unlink()
    killed_midway(long_clip, output, stage="segment")
    _, result = run_json(*command, "--fresh")
    assert result["reused"] == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
def test_damaged_leftovers_are_done_again(long_clip, tmp_path, run_json):
    output = tmp_path / "out.mp4"
    work = killed_midway(long_clip, output, stage="segment")
    segment = next(path for path in work.glob("segment_?????.mkv") if path.with_suffix(".json").exists())
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)
    code, _ = run_json("render", long_clip, "--plate", GREEN, "-o", output, "--workers", 1, "--verify")
    assert code == 0
    run_json("render", long_clip, "--plate", GREEN, "-o", tmp_path / "whole.mp4", "--workers", 1)
    assert output.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
def test_a_worker_that_dies_is_replaced(long_clip, tmp_path):
    process = subprocess.Popen(
        render(long_clip, tmp_path / "out.mp4", "--workers", 2, "--json"), stdout=subprocess.PIPE
    )
    work = tmp_path / ".out.mp4.rendering"
    deadline = time.monotonic() + WAIT_S
    while not list(work.glob("analysis_?????.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = [one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    workers[0].kill()
    out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert json.loads(out)["frames"] == 160


def test_two_renders_of_one_output_do_not_run_at_once(long_clip, tmp_path):
    first = subprocess.Popen(render(long_clip, tmp_path / "out.mp4", "--workers", 1))
    work = tmp_path / ".out.mp4.rendering"
    deadline = time.monotonic() + WAIT_S
    while not (work / "plan.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    second = run(long_clip, tmp_path / "out.mp4")
    first.kill()
    first.wait()
    assert second.returncode == 4
    assert "already" in second.stderr


DELIVERIES = [
    ("a.mp4", ["--format", "hevc", "--depth", 10], "yuv420p10le"),
    ("b.mov", ["--deliver", "prores-4444-alpha"], "yuva444p12le"),
    ("c.webm", ["--deliver", "web-transparent"], "yuva420p"),
    ("d.mkv", ["--deliver", "archive-ffv1"], "bgr0"),
    ("e.mov", ["--deliver", "dnxhr-hq"], "yuv422p"),
    ("f.mp4", ["--content", "side-by-side"], "yuv420p"),
    ("g.mp4", ["--content", "matte"], "yuv420p"),
]


@pytest.mark.parametrize(("name", "more", "pix_fmt"), DELIVERIES)
def test_deliveries_are_what_was_asked_and_pass_their_own_checks(person_clip, tmp_path, run_json, name, more, pix_fmt):
    code, result = run_json("render", person_clip, "--plate", GREEN, "-o", tmp_path / name, "--verify", *more)
    assert code == 0, result
    assert result["verified"]
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        if name == "c.webm":  # FFmpeg's own VP9 decoder leaves alpha out.
            assert stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
        else:
            assert stream.codec_context.pix_fmt == pix_fmt
        assert len(container.streams.audio) == 1
        wide = 2 if "side-by-side" in more else 1
        assert (stream.width, stream.height) == (wide * SIZE[0], SIZE[1])


@pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
def test_pictures_are_numbered_without_gaps(person_clip, tmp_path, run_json, kind):
    more = ("--format", kind, "--content", "foreground", "--alpha", "straight", "--verify")
    code, result = run_json("render", person_clip, "--plate", GREEN, "-o", tmp_path / "shot", *more)
    assert code == 0
    names = sorted(path.stem for path in (tmp_path / "shot").iterdir())
    assert names == [f"person_{number:06d}" for number in range(result["frames"])]


def test_a_folder_of_pictures_is_a_clip(person_clip, tmp_path, run_json):
    run_json("render", person_clip, "--plate", GREEN, "-o", tmp_path / "shot", "--format", "png")
    code, result = run_json(
        "render", tmp_path / "shot", "--plate", "#2040c0", "-o", tmp_path / "o.mp4", "--sequence-rate", 24
    )
    assert code == 0
    times = [time_s for time_s, _ in frames_of(tmp_path / "o.mp4")]
    assert times == [Fraction(n, 24) for n in range(result["frames"])]


def test_part_of_a_clip_at_another_rate(long_clip, tmp_path, run_json):
    code, _ = run_json(
        "render", long_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--from", 2, "--to", "0:04", "--fps", 25
    )
    assert code == 0
    times = [time_s for time_s, _ in frames_of(tmp_path / "o.mp4")]
    assert times == [Fraction(n, 25) for n in range(50)]


def test_curves_and_luts_of_the_match(person_clip, tmp_path, run_json):
    code, _ = run_json(
        "render", person_clip, "--plate", "sunset", "-o", tmp_path / "o.mp4",
        "--cubes", tmp_path / "luts", "--curves", tmp_path / "c.json",
    )  # fmt: skip
    assert code == 0
    curves = json.loads((tmp_path / "c.json").read_text())
    assert len(curves["scenes"]) == 1
    assert (tmp_path / "luts" / curves["scenes"][0]["lut"]).read_text().count("\n") > 33**3


def test_alpha_of_a_format_without_it_is_refused_before_any_work(person_clip, tmp_path):
    done = run(person_clip, tmp_path / "o.mp4", "--alpha", "straight", "--content", "foreground")
    assert done.returncode in (2, 4)
    assert "alpha" in done.stderr.lower()
    assert list(tmp_path.iterdir()) == []


def test_missing_encoder_is_refused_before_any_work(person_clip, tmp_path):
    done = run(person_clip, tmp_path / "o.mp4", "--codec", "h264_nonesuch")
    assert done.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_bad_clips_do_not_stop_a_batch(person_clip, tmp_path, run_json):
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "good.mp4").write_bytes(person_clip.read_bytes())
    (clips / "bad.mp4").write_bytes(person_clip.read_bytes()[:500])
    (clips / "empty.mp4").write_bytes(b"")
    code, result = run_json("render", clips, "--plate", GREEN, "-o", tmp_path / "out")
    assert code == 3
    assert [os.path.basename(one["output"]) for one in result["done"]] == ["good.mp4"]
    assert len(result["failed"]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.mp4"]


def test_a_manifest_names_clips_with_their_own_options(person_clip, tmp_path, run_json):
    manifest = tmp_path / "jobs.csv"
    manifest.write_text(
        f"clip,plate,output,content\n{person_clip},{GREEN},one.mp4,\n{person_clip},sunset,two.mp4,matte\n"
    )
    code, result = run_json("render", "--manifest", manifest, "--plate", GREEN, "-o", tmp_path / "out")
    assert code == 0, result
    one, two = (frames_of(tmp_path / "out" / name)[0][1] for name in ("one.mp4", "two.mp4"))
    assert np.abs(one.astype(int) - two).mean() > 10


def test_estimate_says_how_large_and_how_long_and_writes_nothing(long_clip, tmp_path, run_json):
    code, told = run_json("render", long_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--estimate")
    assert code == 0
    assert list(tmp_path.iterdir()) == []
    _, result = run_json("render", long_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4")
    assert told["frames"] == result["frames"]
    assert 0.3 < told["bytes"] / (tmp_path / "o.mp4").stat().st_size < 3


def test_a_clip_that_changes_before_the_rest_is_analysed_again(long_clip, person_clip, tmp_path, run_json):
    clip, output = tmp_path / "clip.mp4", tmp_path / "o.mp4"
    clip.write_bytes(long_clip.read_bytes())
    killed_midway(clip, output, stage="segment")
    clip.write_bytes(person_clip.read_bytes())
    code, result = run_json("render", clip, "--plate", GREEN, "-o", output)
    assert code == 0
    assert result["reused"] == 0
    assert result["frames"] == len(frames_of(person_clip))


def test_what_deliveries_there_are_is_said_without_a_clip(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["render", "--deliver", "list"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert [line.split()[0] for line in said.splitlines()] == [preset.slug for preset in PRESETS]
