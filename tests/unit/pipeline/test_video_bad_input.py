from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MAX_SIDE_PX, open_media
from app.pipeline.video_reader import VideoReader
from tests.support.media import (
    corrupt,
    truncate,
    write_audio_only,
    write_clip,
    write_no_frames,
)


def refusal(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        VideoReader(path)
    assert caught.value.code == ExitCode.BAD_INPUT
    assert caught.value.message.endswith(".")
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    assert "There is no file" in str(refusal(tmp_path / "nope.mp4"))


def test_impossible_name(tmp_path: Path) -> None:
    assert "There is no file" in str(refusal(tmp_path / "a\0b.mp4"))


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in str(refusal(tmp_path))


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "e.mp4"
    path.touch()
    assert "empty (0 bytes)" in str(refusal(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not an ordinary file" in str(refusal(tmp_path / "pipe.mp4"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4")
    path.chmod(0)
    assert "may not be read" in str(refusal(path))


@pytest.mark.parametrize(
    "content",
    [
        b"hello, this is not a video at all\n" * 20,
        np.random.default_rng(3).bytes(5000),
        b"\x00" * 4096,
    ],
)
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    assert "is not a video" in str(refusal(path))


def test_a_picture_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("RGB", (32, 32)).save(path)
    assert "is not a video" in str(refusal(path))


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.02])
def test_mp4_cut_before_its_index(tmp_path: Path, keep: float) -> None:
    clip = truncate(write_clip(tmp_path / "cut.mp4", frames=40), keep)
    assert "damaged or cut short" in str(refusal(clip))


def test_mkv_cut_before_its_first_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "cut.mkv", frames=40)
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    assert "cut short" in str(refusal(clip))


def test_all_frames_damaged(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", container_options={"movflags": "+faststart"})
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = np.random.default_rng(0).bytes(len(data) - start)
    clip.write_bytes(data)
    assert "none of its pictures can be decoded" in str(refusal(clip))


@pytest.mark.parametrize("suffix", [".mp4", ".m4a", ".mkv"])
def test_sound_alone(tmp_path: Path, suffix: str) -> None:
    assert "There is no picture" in str(refusal(write_audio_only(tmp_path / f"a{suffix}")))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_no_frames(tmp_path: Path, suffix: str) -> None:
    message = str(refusal(write_no_frames(tmp_path / f"z{suffix}")))
    assert any(words in message for words in ("no picture", "no readable picture", "damaged or cut short"))


@pytest.mark.parametrize("size", [(16384, 16), (16, 8193)])
def test_over_the_size_limit(tmp_path: Path, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "huge.mkv", codec="ffv1", pix_fmt="yuv444p", size=size, frames=1)
    message = str(refusal(clip))
    assert f"{size[0]} x {size[1]} px" in message
    assert f"up to {MAX_SIDE_PX} px" in message


def test_a_header_that_claims_a_huge_picture_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "bomb.mkv", codec="ffv1", size=(256, 256), frames=1)
    data = clip.read_bytes()
    for element in (b"\xb0", b"\xba"):  # PixelWidth and PixelHeight: 256 becomes 16384
        assert element + b"\x82\x01\x00" in data
        data = data.replace(element + b"\x82\x01\x00", element + b"\x82\x40\x00")
    clip.write_bytes(data)
    assert f"over {MAX_SIDE_PX} px a side" in str(refusal(clip))


def test_the_size_limit_itself_is_allowed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "wide.mkv", codec="ffv1", size=(MAX_SIDE_PX, 4), frames=1)
    with VideoReader(clip) as reader:
        assert next(reader).size == (MAX_SIDE_PX, 4)


M3U8 = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.mkv"])
@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'sibling.ts'\n",
        M3U8.format("sibling.ts"),
        M3U8.format("http://127.0.0.1:9/x.ts"),
        SDP,
    ],
    ids=["ffconcat", "m3u8 file", "m3u8 http", "sdp"],
)
def test_playlists_in_disguise_are_not_followed(tmp_path: Path, name: str, text: str) -> None:
    write_clip(tmp_path / "sibling.ts")
    (tmp_path / name).write_text(text)
    assert "is not a video" in str(refusal(tmp_path / name))


def was_read(path: Path) -> bool:
    return path.stat().st_atime > 1


def test_a_playlist_does_not_even_open_its_neighbour(tmp_path: Path) -> None:
    neighbour, control = write_clip(tmp_path / "sibling.ts"), tmp_path / "control"
    control.write_bytes(b"x")
    for file in (neighbour, control):
        os.utime(file, (1, file.stat().st_mtime))
    control.read_bytes()
    if not was_read(control):
        pytest.skip("this platform's file system keeps no access times")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile 'sibling.ts'\n")
    refusal(tmp_path / "list.mp4")
    assert not was_read(neighbour)


@pytest.mark.parametrize(
    "name",
    [
        "a b.mp4",
        "é 日本 #1%20.mp4",
        "100% %03d %s.mp4",
        "http:x.mp4",
        "concat:a|b.mp4",
        "line\nbreak.mp4",
        "-i.mp4",
        "x" * 251 + ".mp4",
    ],
)
def test_file_names_are_never_taken_for_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.move(write_clip(tmp_path / "plain.mp4", frames=3), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name)):
        with VideoReader(path) as reader:
            assert len(list(reader)) == 3


@pytest.mark.skipif(os.name == "nt", reason="Windows names are text")
def test_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.mp4")
    shutil.move(write_clip(tmp_path / "plain.mp4", frames=3), path)
    with VideoReader(path) as reader:
        assert len(list(reader)) == 3


def test_metadata_that_is_not_utf8_does_not_matter(tmp_path: Path) -> None:
    clip = tmp_path / "latin.mkv"
    write_clip(clip, frames=3)
    data = clip.read_bytes()
    at = data.index(b"Lavf")
    clip.write_bytes(data[:at] + b"\xff\xfe\xe9\xe8" + data[at + 4 :])
    with VideoReader(clip) as reader:
        assert len(list(reader)) == 3


def test_nothing_is_printed_about_damage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for suffix in (".mp4", ".mkv", ".ts"):
        clip = corrupt(write_clip(tmp_path / f"x{suffix}", frames=40), start=0.3, length_bytes=3000)
        try:
            with VideoReader(clip) as reader:
                for _ in reader:
                    pass
        except UserError:
            pass
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".webm"])
def test_random_damage_is_read_or_refused_never_a_crash(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    sound = "libmp3lame" if suffix == ".avi" else "libopus"
    clean = write_clip(tmp_path / f"clean{suffix}", codec=codec, frames=12, audio=sound, size=(32, 32))
    rng = np.random.default_rng(11)
    for attempt in range(12):
        path = tmp_path / f"{attempt}{suffix}"
        shutil.copy(clean, path)
        for _ in range(3):
            corrupt(path, start=rng.random(), length_bytes=int(rng.integers(1, 40)), seed=attempt)
        try:
            with VideoReader(path) as reader:
                for frame in reader:
                    assert frame.size == reader.info.size
        except UserError as error:
            assert error.code == ExitCode.BAD_INPUT  # noqa: PT017


def test_open_media_accepts_sound_alone(tmp_path: Path) -> None:
    with open_media(write_audio_only(tmp_path / "a.m4a")) as container:
        assert len(container.streams.audio) == 1
