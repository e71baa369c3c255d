import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from app.pipeline.video_reader import VideoReader
from harmonizer.config import NetworkConfig
from harmonizer.network import S2CRNet
from harmonizer.weights import save_network
from tests.e2e.conftest import SIZE
from tests.support.media import audio_packets, frame_times_s, write_clip

GREEN = "#20c040"
GREEN_RGB = np.array([0x20, 0xC0, 0x40])


def decoded(path):
    with VideoReader(path) as reader:
        return [frame.pixels.astype(int) for frame in reader]


def is_plate(pixels):
    """Where a decoded picture shows the green plate, within what the codec does to it."""
    return np.abs(pixels - GREEN_RGB).max(axis=2) < 24


def test_person_stands_on_the_plate_and_the_room_is_gone(run_json, person_clip, tmp_path):
    out = tmp_path / "out.mp4"
    code, result = run_json("render", person_clip, "--plate", GREEN, "-o", out)
    assert code == 0
    frames = decoded(out)
    assert result["frames"] == len(frames) == 12
    for pixels in frames:
        assert is_plate(pixels[:40, :40]).mean() > 0.98
        assert is_plate(pixels[:40, -40:]).mean() > 0.98
        assert is_plate(pixels[130:, 100:160]).mean() < 0.02
    assert list(tmp_path.iterdir()) == [out]


def test_json_names_what_was_done(run_json, person_clip, tmp_path):
    _, result = run_json("render", person_clip, "--plate", "sunset", "-o", tmp_path / "out.mp4")
    assert result["fps"] > 0
    assert result["peak_rss_mb"] > 50
    assert result["match"] == {"model": "platematch-s", "device": "cpu", "runs_on": "CPU (ONNX Runtime)"}
    assert {"decode", "segment", "refine", "match", "composite", "encode"} <= set(result["stages_ms"])
    assert all(ms >= 0 for ms in result["stages_ms"].values())


def test_auto_is_the_cpu_where_there_is_no_card(run_json, person_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("app.pipeline.gpu.opening.has_cuda", lambda: False)
    _, plain = run_json("render", person_clip, "--plate", GREEN, "-o", tmp_path / "plain.mp4")
    _, auto = run_json("render", person_clip, "--plate", GREEN, "-o", tmp_path / "auto.mp4", "--device", "auto")
    assert auto["match"] == plain["match"]
    assert auto["frames"] == plain["frames"]


def test_times_and_sound_are_the_sources(run_json, person_clip, tmp_path):
    out = tmp_path / "out.mp4"
    _, result = run_json("render", person_clip, "--plate", GREEN, "-o", out)
    assert frame_times_s(out) == frame_times_s(person_clip)
    before, after = audio_packets(person_clip), audio_packets(out)
    assert [p.data for p in after] == [p.data for p in before]
    assert result["audio_packets"] == len(before) > 0


def test_match_changes_the_person_only(run_json, person_clip, tmp_path):
    matched, pasted = tmp_path / "matched.mkv", tmp_path / "pasted.mkv"
    for path, more in ((matched, ()), (pasted, ("--no-match",))):
        code, result = run_json(
            "render", person_clip, "--plate", "forest", "-o", path, "--crf", 0, "--frames", 3, *more
        )
        assert code == 0
    assert result["match"] is None
    difference = np.abs(decoded(matched)[2] - decoded(pasted)[2]).mean(axis=2)
    assert difference[:30, :30].max() < 3
    assert difference[130:170, 100:160].mean() > 2


def test_strength_zero_equals_pasting(run, person_clip, tmp_path):
    zero, pasted = tmp_path / "zero.mkv", tmp_path / "pasted.mkv"
    run("render", person_clip, "--plate", GREEN, "-o", zero, "--strength", 0, "--frames", 3)
    run("render", person_clip, "--plate", GREEN, "-o", pasted, "--no-match", "--frames", 3)
    assert all(np.array_equal(a, b) for a, b in zip(decoded(zero), decoded(pasted), strict=True))


def test_matte_out_fed_back_as_mask_gives_the_same_picture(run, person_clip, tmp_path):
    first, matte, second = tmp_path / "a.mkv", tmp_path / "matte.mkv", tmp_path / "b.mkv"
    assert run("render", person_clip, "--plate", GREEN, "-o", first, "--matte-out", matte, "--no-match")[0] == 0
    assert run("render", person_clip, "--plate", GREEN, "-o", second, "--mask", matte, "--no-match")[0] == 0
    mattes = decoded(matte)
    assert max(m.max() for m in mattes) > 250
    assert min(m.min() for m in mattes) < 5
    for a, b in zip(decoded(first), decoded(second), strict=True):
        assert np.abs(a - b).mean() < 1.5


def test_single_picture_as_mask_for_all_frames(run, person_clip, tmp_path):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[:, : SIZE[0] // 2] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    out = tmp_path / "out.mkv"
    assert run("render", person_clip, "--plate", GREEN, "-o", out, "--mask", tmp_path / "mask.png")[0] == 0
    for pixels in decoded(out):
        assert is_plate(pixels[:, SIZE[0] // 2 + 4 :]).mean() > 0.99
        assert is_plate(pixels[:, : SIZE[0] // 2 - 4]).mean() < 0.05


def test_mask_of_another_shape_is_refused(run, person_clip, tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((100, 100), 255, np.uint8))
    code, _, err = run(
        "render", person_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--mask", tmp_path / "mask.png"
    )
    assert code == 3
    assert "100" in err
    assert not (tmp_path / "o.mp4").exists()


def test_preview_sheet_shows_four_rows(run, person_clip, tmp_path):
    sheet = tmp_path / "sheet.png"
    code, _, _ = run("render", person_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--preview-sheet", sheet)
    assert code == 0
    picture = cv2.imread(str(sheet))
    assert picture.shape[0] > 4 * 170
    assert picture.shape[1] > 4 * 320


def test_sheet_that_is_no_picture_is_refused_before_any_work(run, person_clip, tmp_path):
    code, _, err = run(
        "render", person_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--preview-sheet", tmp_path / "sheet.txt"
    )
    assert code == 4
    assert ".png" in err
    assert list(tmp_path.iterdir()) == []


def test_moving_plate_moves(run, person_clip, tmp_path):
    def shade(width, height, index):
        return np.full((height, width, 3), 20 * index, np.uint8)

    plate = write_clip(tmp_path / "plate.mp4", frames=12, size=SIZE, rate=12, draw=shade)
    out = tmp_path / "out.mp4"
    assert run("render", person_clip, "--plate", plate, "-o", out)[0] == 0
    corners = [pixels[:20, :20].mean() for pixels in decoded(out)]
    assert corners[-1] - corners[0] > 150
    assert corners == sorted(corners)


def test_nobody_in_the_picture_gives_the_plate_alone(run_json, empty_room_clip, tmp_path):
    out = tmp_path / "out.mp4"
    code, result = run_json("render", empty_room_clip, "--plate", GREEN, "-o", out)
    assert code == 0
    assert result["frames_without_person"] == result["frames"] == 6
    assert any("Nobody" in n for n in result["notices"])
    assert all(is_plate(pixels).mean() > 0.99 for pixels in decoded(out))


def test_threshold_decides_how_much_of_the_guess_counts(run, person_clip, tmp_path):
    plates = []
    for name, threshold in (("tight", "0.8,0.95"), ("loose", "0.02,0.1")):
        out = tmp_path / f"{name}.mkv"
        options = ("--threshold", threshold, "--no-match", "--frames", 2)
        assert run("render", person_clip, "--plate", GREEN, "-o", out, *options)[0] == 0
        plates.append(is_plate(decoded(out)[1]).sum())
    assert plates[0] > plates[1] + 200


def test_output_size_and_placement(run, person_clip, tmp_path):
    out = tmp_path / "out.mp4"
    arguments = (
        "--size",
        "200x200",
        "--scale",
        "0.5",
        "--offset",
        "0.3,0",
        "--mirror",
        "--light-wrap",
        "0.3",
    )
    assert run("render", person_clip, "--plate", GREEN, "-o", out, *arguments)[0] == 0
    pixels = decoded(out)[0]
    assert pixels.shape == (200, 200, 3)
    assert is_plate(pixels[:, :90]).mean() > 0.99
    assert is_plate(pixels[150:, 120:]).mean() < 0.9


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (33, 17), (17, 64), (64, 1)])
def test_odd_and_tiny_sizes(run, tmp_path, size):
    clip = write_clip(tmp_path / "tiny.mkv", frames=3, size=size, pix_fmt="yuv444p")
    out = tmp_path / "out.mp4"
    assert run("render", clip, "--plate", GREEN, "-o", out)[0] == 0
    assert len(decoded(out)) == 3


def test_variable_frame_rate_is_kept(run, person_pictures, tmp_path):
    clip = write_clip(
        tmp_path / "vfr.mkv",
        frames=6,
        size=SIZE,
        pts=[0, 40, 50, 200, 210, 900],
        time_base=Fraction(1, 1000),
        draw=lambda w, h, i: person_pictures[i],
    )
    out = tmp_path / "out.mkv"
    assert run("render", clip, "--plate", GREEN, "-o", out)[0] == 0
    assert frame_times_s(out) == frame_times_s(clip)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotated_clip_comes_out_upright(run, tmp_path, rotation):
    clip = write_clip(tmp_path / "rotated.mp4", frames=3, size=(64, 48), rotation=rotation)
    out = tmp_path / "out.mp4"
    cv2.imwrite(str(tmp_path / "all.png"), np.full((64, 64), 255, np.uint8))
    with VideoReader(clip) as reader:
        upright = next(reader).pixels.astype(int)
    cv2.imwrite(str(tmp_path / "all.png"), np.full(upright.shape[:2], 255, np.uint8))
    code, *_ = run(
        "render", clip, "--plate", GREEN, "-o", out, "--mask", tmp_path / "all.png", "--no-match", "--crf", 4
    )
    assert code == 0
    assert np.abs(decoded(out)[0] - upright).mean() < 6
    with av.open(str(out)) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize("more", [{"pix_fmt": "yuv420p10le"}, {"pix_fmt": "yuvj420p"}])
def test_ten_bit_and_full_range_keep_their_colours(run, tmp_path, more):
    clip = write_clip(tmp_path / "clip.mkv", frames=2, size=(64, 48), **more)
    cv2.imwrite(str(tmp_path / "all.png"), np.full((48, 64), 255, np.uint8))
    out = tmp_path / "out.mkv"
    options = ("--mask", tmp_path / "all.png", "--no-match", "--no-decontaminate", "--crf", 4)
    assert run("render", clip, "--plate", GREEN, "-o", out, *options)[0] == 0
    assert np.abs(decoded(out)[0] - decoded(clip)[0]).mean() < 4


def test_nan_from_the_network_leaves_colours_and_says_so_once(run_json, person_clip, tmp_path):
    network = S2CRNet(NetworkConfig(thumbnail_px=64))
    with torch.no_grad():
        network.fusion["cr1"].fc_b_1.fc1.bias[:] = float("nan")
    save_network(network, tmp_path / "nan.safetensors")
    out = tmp_path / "out.mp4"
    code, result = run_json(
        "render", person_clip, "--plate", GREEN, "-o", out, "--weights", tmp_path / "nan.safetensors"
    )
    assert code == 0
    assert sum("no usable curve" in n for n in result["notices"]) == 1
    assert len(decoded(out)) == 12


def test_existing_output_is_kept_unless_told(run, person_clip, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_text("precious")
    code, _, err = run("render", person_clip, "--plate", GREEN, "-o", out)
    assert code == 4
    assert "--overwrite" in err
    assert out.read_text() == "precious"
    assert run("render", person_clip, "--plate", GREEN, "-o", out, "--frames", 2, "--overwrite")[0] == 0
    assert len(decoded(out)) == 2


def test_output_over_an_input_is_refused(run, person_clip):
    code, *_ = run("render", person_clip, "--plate", GREEN, "-o", person_clip, "--overwrite")
    assert code == 4
    assert len(decoded(person_clip)) == 12


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--plate", "nonesuch"), 3),
        (("--plate", GREEN, "--weights", "nonesuch"), 5),
        (("--plate", GREEN, "--weights", "nonesuch.safetensors"), 5),
        (("--plate", GREEN, "--device", "cuda:9"), 2),
        (("--plate", GREEN, "--codec", "nonesuch"), 4),
        (("--plate", GREEN, "--feather", "-3"), 2),
    ],
)
def test_wrong_options_end_with_a_sentence_and_no_file(run, person_clip, tmp_path, arguments, code):
    got, _, err = run("render", person_clip, "-o", tmp_path / "out.mp4", *arguments)
    assert got == code, err
    assert err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_for_the_output(run, person_clip, tmp_path):
    code, _, err = run("render", person_clip, "--plate", GREEN, "-o", tmp_path / "no" / "out.mp4")
    assert code == 4
    assert "folder" in err


def test_errors_are_one_json_object_when_asked(run_json, tmp_path):
    code, result = run_json("render", tmp_path / "no.mp4", "--plate", GREEN, "-o", tmp_path / "out.mp4")
    assert code == result["code"] == 3
    assert "no.mp4" in result["error"]


# A job started in the background inherits an ignored SIGINT, and so would the child: a terminal's does not.
AS_IN_A_TERMINAL = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"


def child(*argv, preamble=""):
    code = f"import sys\n{AS_IN_A_TERMINAL}\n{preamble}\nfrom app.cli import main\nsys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *map(str, argv)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals of this kind")
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_render_leaves_only_what_it_can_go_on_with(tmp_path, person_pictures, which, run_json):
    small = [cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA) for picture in person_pictures]
    clip = write_clip(tmp_path / "long.mp4", frames=240, size=(160, 90), draw=lambda w, h, i: small[i % 12])
    folder = tmp_path / "out"
    folder.mkdir()
    process = subprocess.Popen(
        child("render", clip, "--plate", GREEN, "-o", folder / "out.mp4", "--workers", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not any(folder.glob(".out.mp4.rendering/segment_?????.json")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(which)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted" in err
    work = folder / ".out.mp4.rendering"
    assert list(folder.iterdir()) == [work]
    assert not list(work.glob("*.part*"))
    code, result = run_json("render", clip, "--plate", GREEN, "-o", folder / "out.mp4", "--workers", 2)
    assert code == 0
    assert result["reused"] > 0
    assert result["frames"] == 240
    assert list(folder.iterdir()) == [folder / "out.mp4"]
    _, whole = run_json("render", clip, "--plate", GREEN, "-o", folder / "whole.mp4", "--workers", 1)
    assert whole["reused"] == 0
    assert (folder / "whole.mp4").read_bytes() == (folder / "out.mp4").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file size limits of this kind")
def test_full_disk_ends_with_a_sentence_and_no_broken_file(tmp_path, person_clip):
    folder = tmp_path / "out"
    folder.mkdir()
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))"
    done = subprocess.run(
        child("render", person_clip, "--plate", "forest", "-o", folder / "out.mp4", preamble=limit),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.count("\n") <= 3
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_memory_does_not_grow_with_the_length(tmp_path, person_pictures):
    small = [cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA) for picture in person_pictures]
    peaks = []
    for frames in (270, 720):  # At this rate both are cut into segments of as many frames as there may be.
        clip = write_clip(
            tmp_path / f"{frames}.mp4", frames=frames, size=(160, 90), rate=90, draw=lambda w, h, i: small[i % 12]
        )
        command = child("render", clip, "--plate", "sunset", "-o", tmp_path / f"o{frames}.mp4", "--json")
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(__import__("json").loads(done.stdout)["peak_rss_mb"])
    assert peaks[1] < 1.1 * peaks[0]


def test_piped_output_is_quiet(tmp_path, person_clip):
    command = child("render", person_clip, "--plate", GREEN, "-o", tmp_path / "o.mp4", "--frames", 2)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "%" not in done.stderr
