from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import VideoWriter
from tests.support.media import audio_packets, frame_times_s, picture, write_audio_only, write_clip

MILLISECOND = Fraction(1, 1000)


def copy(
    source: Path, path: Path, *, max_frames: int | None = None, settings: EncodeSettings | None = None
) -> VideoWriter:
    with VideoReader(source, max_frames=max_frames) as reader:
        info = reader.info
        target = VideoWriter(
            path,
            width=info.width,
            height=info.height,
            time_base=info.time_base,
            average_rate=info.average_rate,
            settings=settings,
            source_audio=source,
        )
        with target:
            for frame in reader:
                target.append(frame)
    return target


def joined(path: Path, stream: int = 0) -> bytes:
    return b"".join(packet.data for packet in audio_packets(path, stream))


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("aac", ".mp4"),
        ("aac", ".mov"),
        ("libmp3lame", ".mp4"),
        ("ac3", ".mp4"),
        ("libopus", ".mp4"),
        ("flac", ".mp4"),
        ("aac", ".mkv"),
        ("flac", ".mkv"),
        ("libopus", ".webm"),
    ],
)
def test_sound_is_copied_bit_for_bit(tmp_path: Path, codec: str, suffix: str) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=30, audio=codec)
    target = copy(source, tmp_path / f"out{suffix}")
    before, after = audio_packets(source), audio_packets(tmp_path / f"out{suffix}")
    assert len(before) == target.audio_packets > 10
    assert [packet.data for packet in after] == [packet.data for packet in before]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_raw_pcm_keeps_its_samples(tmp_path: Path, suffix: str) -> None:
    source = write_clip(tmp_path / "in.mkv", frames=30, audio="pcm_s16le")
    copy(source, tmp_path / f"out{suffix}")
    assert joined(tmp_path / f"out{suffix}") == joined(source)


@pytest.mark.parametrize("start_s", [0.0, 0.25])
@pytest.mark.parametrize("start_pts", [0, 7])
def test_mp4_keeps_every_time_of_sound_and_picture(tmp_path: Path, start_pts: int, start_s: float) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=30, audio="aac", start_pts=start_pts, audio_start_s=start_s)
    copy(source, tmp_path / "out.mp4")
    before, after = audio_packets(source), audio_packets(tmp_path / "out.mp4")
    assert [p.pts_s for p in after] == [p.pts_s for p in before]
    assert frame_times_s(tmp_path / "out.mp4") == frame_times_s(source)


@pytest.mark.parametrize("start_pts", [0, 7])
def test_mkv_keeps_sound_and_picture_together(tmp_path: Path, start_pts: int) -> None:
    """MKV has no times before zero: AAC's lead-in of 21 ms may move both, by the same amount."""
    source = write_clip(tmp_path / "in.mp4", frames=30, audio="aac", start_pts=start_pts)
    copy(source, tmp_path / "out.mkv")

    def lag(path: Path) -> Fraction:
        first = audio_packets(path)[0].pts_s
        assert first is not None
        return frame_times_s(path)[0] - first

    assert abs(lag(tmp_path / "out.mkv") - lag(source)) <= MILLISECOND


def test_sound_follows_a_picture_moved_to_zero(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=30, audio="aac")
    tick = Fraction(1, 25)
    with VideoWriter(
        tmp_path / "out.mp4", width=64, height=48, time_base=tick, average_rate=25, source_audio=source
    ) as target:
        for index in range(30):
            target.append(Frame(picture(64, 48, index), index - 5, tick, index))
    before, after = audio_packets(source), audio_packets(tmp_path / "out.mp4")
    assert [p.pts_s for p in after] == [p.pts_s + 5 * tick for p in before if p.pts_s is not None]


def test_every_sound_track_is_copied(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", frames=30, audio=("aac", "flac", "libopus"))
    copy(source, tmp_path / "out.mkv")
    for stream in range(3):
        assert joined(tmp_path / "out.mkv", stream) == joined(source, stream) != b""


def test_aac_from_mpeg_ts_loses_its_transport_headers_only(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.ts", frames=30, audio="aac")
    copy(source, tmp_path / "out.mp4")
    before, after = audio_packets(source), audio_packets(tmp_path / "out.mp4")
    assert len(before) == len(after)
    assert {len(b.data) - len(a.data) for b, a in zip(before, after, strict=True)} == {7}
    assert all(b.data.endswith(a.data) for b, a in zip(before, after, strict=True))
    assert [a.pts_s for a in after] == pytest.approx([b.pts_s for b in before], abs=1e-4)
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) >= 30 / 25 * 48000


def test_a_clip_without_sound_is_written_without(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    assert copy(source, tmp_path / "out.mp4").audio_packets == 0
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert len(made.streams.audio) == 0


@pytest.mark.parametrize("until_end", [True, False])
def test_sound_longer_than_the_picture(tmp_path: Path, until_end: bool) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=50, audio="aac")
    settings = EncodeSettings(audio_until_end=until_end)
    copy(source, tmp_path / "out.mp4", max_frames=10, settings=settings)
    before, after = audio_packets(source), audio_packets(tmp_path / "out.mp4")
    last_s = after[-1].pts_s
    assert last_s is not None
    if until_end:
        assert len(after) == len(before)
    else:
        assert 0.3 < last_s <= 10 / 25


def test_sound_from_another_file_than_the_picture(tmp_path: Path) -> None:
    sound = write_audio_only(tmp_path / "voice.m4a", length_s=1.0)
    tick = Fraction(1, 25)
    with VideoWriter(
        tmp_path / "out.mp4", width=64, height=48, time_base=tick, average_rate=25, source_audio=sound
    ) as target:
        for index in range(25):
            target.append(Frame(picture(64, 48, index), index, tick, index))
    assert joined(tmp_path / "out.mp4") == joined(sound)


@pytest.mark.parametrize(
    ("codec", "suffix", "name"),
    [
        ("aac", ".webm", "AAC"),
        ("libmp3lame", ".webm", "MP3"),
        ("flac", ".mov", "FLAC"),
        ("libopus", ".mov", "OPUS"),
    ],
)
def test_sound_the_container_can_not_hold_is_refused_before_any_work(
    tmp_path: Path, codec: str, suffix: str, name: str
) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=codec)
    with pytest.raises(UserError, match=rf"The sound \({name}\) can't be put into") as caught:
        VideoWriter(
            tmp_path / f"out{suffix}",
            width=64,
            height=48,
            time_base=Fraction(1, 25),
            average_rate=25,
            source_audio=source,
        )
    assert caught.value.code == ExitCode.OUTPUT
    assert ".mkv" in caught.value.hint
    assert list(tmp_path.iterdir()) == [source]


def test_sound_is_interleaved_with_the_picture(tmp_path: Path) -> None:
    """A player reading the file once meets both at about the same time; MP4 alternates by fragment."""
    source = write_clip(tmp_path / "in.mp4", frames=250, audio="aac")
    for suffix in (".mp4", ".mkv"):
        path = tmp_path / f"out{suffix}"
        copy(source, path)
        newest: dict[str, Fraction] = {}
        apart: list[Fraction] = []
        with av.open(str(path)) as made:
            for packet in made.demux():
                if packet.size and packet.dts is not None:
                    newest[packet.stream.type] = packet.dts * packet.time_base
                    apart.append(max(newest.values()) - min(newest.values()))
        assert len(newest) == 2
        assert max(apart) <= Fraction(3, 2)


def test_a_sound_file_that_is_not_media_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("not sound")
    with pytest.raises(UserError) as caught:
        VideoWriter(
            tmp_path / "out.mp4",
            width=64,
            height=48,
            time_base=Fraction(1, 25),
            average_rate=25,
            source_audio=tmp_path / "notes.wav",
        )
    assert caught.value.code == ExitCode.BAD_INPUT
    assert not (tmp_path / "out.mp4").exists()
    assert not (tmp_path / "out.part.mp4").exists()
