import pytest

from tests.support import media


def missing(path):
    return path


def folder(path):
    path.mkdir()
    return path


def empty(path):
    path.write_bytes(b"")
    return path


def text(path):
    path.write_text("this is not a film\n" * 50)
    return path


def truncated(path):
    media.write_clip(path, frames=25)
    return media.truncate(path, 0.3)


def audio_only(path):
    return media.write_audio_only(path)


def zero_frames(path):
    return media.write_no_frames(path)


def playlist(path):
    media.write_clip(path.with_name("secret.mp4"))
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    return path


@pytest.mark.parametrize("make", [missing, folder, empty, text, truncated, audio_only, zero_frames, playlist])
def test_unusable_clip_ends_with_a_sentence_and_no_file(run, tmp_path, make):
    clip = make(tmp_path / "clip.mp4")
    out = tmp_path / "out.mp4"
    code, stdout, err = run("render", clip, "--plate", "#204060", "-o", out)
    assert code == 3
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) <= 3
    assert stdout == ""
    assert not list(tmp_path.glob("out*"))


def test_damaged_frames_are_counted_and_the_rest_is_rendered(run_json, tmp_path):
    clip = media.write_clip(tmp_path / "clip.mkv", frames=50)
    media.corrupt(clip, start=0.5, length_bytes=400)
    code, result = run_json("render", clip, "--plate", "#204060", "-o", tmp_path / "out.mp4")
    assert code == 0
    assert result["frames"] > 20


def test_picture_larger_than_the_limit_is_refused_by_name_of_the_limit(run, tmp_path):
    from PIL import Image

    Image.new("RGB", (16000, 16000)).save(tmp_path / "huge.png")
    code, _, err = run("composite", tmp_path / "huge.png", "--plate", "#204060", "-o", tmp_path / "out.png")
    assert code == 3
    assert "100" in err
