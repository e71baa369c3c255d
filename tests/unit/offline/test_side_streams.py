"""Sound, subtitles, chapters and notes carried over, whole and cut."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.assembling import Assembled, Assembly, assemble
from app.pipeline.offline.clip_notes import Span, kept_metadata, moved_chapter
from tests.support.media import AudioPacket, audio_packets, frame_times_s, write_clip
from tests.support.segments import (
    CHAPTERS,
    NO_B,
    VP9,
    subtitle_lines,
    write_full_clip,
    write_segments,
)

TICK = Fraction(1, 90000)
STEP = 3600  # 25 Hz
MS = Fraction(1, 1000)
TEXTS = ["Hello _world", "Grüße", "End"]


def joined(output: Path, source: Path, *, frames: int = 50, **more: Any) -> Assembled:
    folder = output.with_suffix("")
    folder.mkdir()
    recipe = VP9 if output.suffix == ".webm" else NO_B
    parts = write_segments(folder, [[i * STEP for i in range(frames)]], TICK, recipe)
    return assemble(parts, Assembly(output, TICK, Fraction(25), source=source, **more))


def described(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as container:
        return {
            "chapters": [
                (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
                for c in container.chapters()
            ],
            "notes": {key.lower(): value for key, value in container.metadata.items()},
            "languages": [s.language for s in container.streams.audio],
            "titles": [s.metadata.get("title", s.metadata.get("name")) for s in container.streams.audio],
            "defaults": [bool(s.disposition & Disposition.default) for s in container.streams.audio],
            "subtitles": [(s.codec_context.codec.canonical_name, s.language) for s in container.streams.subtitles],
            "rotation": next(container.decode(video=0)).rotation,
            "picture": container.streams.video[0].metadata,
        }


def same_sound(output: Path, source: Path, track: int = 0) -> None:
    """Every packet's bytes, and its time to the ms."""
    found, wanted = audio_packets(output, track), audio_packets(source, track)
    assert [p.data for p in found] == [p.data for p in wanted]
    assert all(abs(a.pts_s - b.pts_s) <= MS for a, b in zip(found, wanted, strict=True) if a.pts_s is not None)


@pytest.mark.parametrize(
    ("source_name", "output_name", "audio", "subtitles", "copied_as"),
    [
        ("source.mkv", "out.mp4", "aac", "subrip", "mov_text"),
        ("source.mkv", "out.mov", "aac", "ass", "mov_text"),
        ("source.mkv", "out.mkv", "aac", "subrip", "subrip"),
        ("source.mkv", "out.mkv", "flac", "ass", "ass"),
        ("source.mp4", "out.mp4", "aac", "mov_text", "mov_text"),
        ("source.mov", "out.mkv", "aac", "mov_text", "subrip"),
        ("source.mkv", "out.webm", "libopus", "webvtt", "webvtt"),
        ("source.mp4", "out.webm", "libopus", "mov_text", "webvtt"),
    ],
)
def test_everything_goes_along(
    tmp_path: Path, source_name: str, output_name: str, audio: str, subtitles: str, copied_as: str
) -> None:
    source = write_full_clip(tmp_path / source_name, audio=(audio, audio), subtitles=subtitles)
    output = tmp_path / output_name
    made = joined(output, source)

    assert made.notices == ()
    assert not made.audio_cut_short
    assert made.audio_packets == sum(len(audio_packets(output, track)) for track in (0, 1))
    for track in (0, 1):
        same_sound(output, source, track)
    found = described(output)
    assert found["languages"] == ["ger", "eng"]
    assert found["titles"] == ["Sound ger", "Sound eng"]
    assert found["defaults"] == [False, True]
    assert found["chapters"] == [(start * MS, end * MS, title) for start, end, title in CHAPTERS]
    assert found["subtitles"] == [(copied_as, "fre" if output_name.endswith("x") else "fra")]
    lines = subtitle_lines(output)
    assert [text for *_, text in lines] == TEXTS
    assert [(start, end) for start, end, _ in lines] == [
        (100 * MS, 500 * MS),
        (900 * MS, 1500 * MS),
        (1600 * MS, 1900 * MS),
    ]
    assert found["notes"]["title"] == "Der Titel"
    assert found["notes"]["artist"] == "Jemand"
    assert found["notes"]["comment"] == "Bemerkung"
    assert found["notes"]["creation_time"].startswith("2021-02-03T04:05:06")
    assert found["notes"]["encoder"].startswith("Lavf")
    assert found["rotation"] == 0
    assert "rotate" not in found["picture"]


@pytest.mark.parametrize(("name", "audio"), [("out.mp4", "aac"), ("out.mkv", "aac"), ("out.webm", "libopus")])
def test_what_an_encoder_needs_to_start_moves_neither_sound_nor_picture(tmp_path: Path, name: str, audio: str) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=50, audio=audio)
    assert (audio_packets(source)[0].pts_s or 0) < 0
    output = tmp_path / name
    joined(output, source)
    same_sound(output, source)
    assert frame_times_s(output) == frame_times_s(source)
    assert abs(end_gap_s(output) - end_gap_s(source)) <= Fraction(1, 25)


def test_a_last_packet_whose_length_the_clip_does_not_say_is_kept(tmp_path: Path) -> None:
    """So it is when the sound lies so far behind the picture in an MKV file that nothing is found out about it."""
    source = write_clip(tmp_path / "source.mkv", frames=500, size=(32, 32), audio="aac")
    with av.open(str(source)) as container:
        assert {p.duration for p in container.demux(audio=0) if p.size} == {0}
    output = tmp_path / "out.mp4"
    joined(output, source)
    same_sound(output, source)


def end_gap_s(path: Path) -> Fraction:
    """How much later the sound ends than the picture."""
    return end_s(path, "audio") - end_s(path, "video")


def end_s(path: Path, kind: str) -> Fraction:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(next(s for s in container.streams if s.type == kind)) if p.size]
        last = max(packets, key=lambda p: p.pts)
        return (last.pts + (last.duration or 0)) * last.time_base


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("audio", ["aac", "flac", "libmp3lame"])
def test_a_part_of_a_clip(tmp_path: Path, name: str, audio: str) -> None:
    """0.5 s to 1.3 s: the clip's clock moves back by 0.5 s, and everything ends with the picture."""
    source = write_full_clip(tmp_path / "source.mkv", audio=(audio, audio))
    output = tmp_path / name
    end = Fraction(4, 5)
    joined(output, source, frames=20, sound_delay_s=Fraction(-1, 2), sound_until_s=end, is_trimmed=True)

    for track in (0, 1):
        found = audio_packets(output, track)
        assert 0 <= (found[0].pts_s or 0) < Fraction(1, 10)
        assert is_run_of([p.data for p in found], audio_packets(source, track))
    assert abs(end_s(output, "audio") - end) <= Fraction(1, 25) + (Fraction(1, 20) if audio == "flac" else 0)
    assert described(output)["chapters"] == [(0, 700 * MS, "Zwei — ü"), (700 * MS, 800 * MS, "Drei")]
    assert [line for line in subtitle_lines(output) if line[2]] == [(400 * MS, 800 * MS, "Grüße")]


def is_run_of(found: list[bytes], packets: list[AudioPacket]) -> bool:
    wanted = [p.data for p in packets]
    return any(wanted[i : i + len(found)] == found for i in range(len(wanted)))


def test_tracks_that_lie_apart_in_the_file_all_reach_the_end(tmp_path: Path) -> None:
    """MP4 in chunks of half a second: the second track's last packets come after the first track's later ones."""
    source = tmp_path / "source.mov"
    plain = write_clip(tmp_path / "plain.mkv", frames=100, audio=("aac", "aac"))
    with av.open(str(plain)) as clip, av.open(str(source), "w") as target:
        copies = {s.index: target.add_stream_from_template(s, opaque=True) for s in clip.streams}
        packets = [p for p in clip.demux() if p.size]
        chunks: dict[tuple[int, int], list[Any]] = {}
        for packet in packets:
            chunks.setdefault((int(packet.pts * packet.time_base / Fraction(9, 10)), packet.stream_index), []).append(
                packet
            )
        target.start_encoding()
        for key in sorted(chunks):
            for packet in chunks[key]:
                packet.stream = copies[packet.stream_index]
                target.mux_one(packet)
    output = tmp_path / "out.mp4"
    until = Fraction(17, 10)
    joined(output, source, frames=40, sound_delay_s=Fraction(-1, 10), sound_until_s=until, is_trimmed=True)
    lengths = []
    for track in (0, 1):
        found = audio_packets(output, track)
        lengths.append(len(found))
        assert (found[0].pts_s or 0) >= 0
        assert abs((found[-1].pts_s or 0) + Fraction(1024, 48000) - until) <= Fraction(1024, 48000) / 2
    assert lengths[0] == lengths[1]


def test_a_picture_that_had_to_be_moved_takes_all_with_it(tmp_path: Path) -> None:
    source = write_full_clip(tmp_path / "source.mkv")
    output = tmp_path / "out.mkv"
    joined(output, source, sound_delay_s=Fraction(1, 4))
    assert (audio_packets(output)[0].pts_s or 0) - (audio_packets(source)[0].pts_s or 0) == Fraction(1, 4)
    assert described(output)["chapters"][0] == (250 * MS, 650 * MS, "Eins")
    assert subtitle_lines(output)[0][0] == 350 * MS


def test_sound_that_the_container_does_not_take(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mkv", frames=10, audio="aac")
    with pytest.raises(UserError, match=r"sound \(AAC\) can't be put into WEBM") as caught:
        joined(tmp_path / "out.webm", source)
    assert caught.value.code is ExitCode.OUTPUT
    assert not list(tmp_path.glob("out*.webm"))


def test_what_no_result_can_hold_is_named(tmp_path: Path) -> None:
    source = bitmap_clip(tmp_path)
    made = joined(tmp_path / "out.mp4", source)
    assert made.notices == (
        "Left out: 1 further picture track of the clip.",
        "Left out: 2 attachments of the clip.",
        "Subtitle track 1 “fra” (dvd_subtitle) is left out: MP4 can't hold it.",
    )
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [s.type for s in container.streams] == ["video"]


def bitmap_clip(tmp_path: Path) -> Path:
    """A clip with two pictures, subtitles as pictures, and attachments."""
    plain = write_clip(tmp_path / "plain.mkv", frames=5)
    path = tmp_path / "source.mkv"
    with av.open(str(plain)) as clip, av.open(str(path), "w") as target:
        copies = [target.add_stream_from_template(clip.streams.video[0], opaque=True) for _ in range(2)]
        lines: Any = target.add_mux_stream("dvdsub")
        lines.metadata["language"] = "fra"
        target.add_attachment("one.ttf", "font/ttf", b"font")
        target.add_attachment("two.ttf", "font/ttf", b"font")
        for packet in clip.demux(video=0):
            if packet.size:
                for copy in copies:
                    packet.stream = copy
                    target.mux_one(packet)
    return path


def test_subtitles_that_cannot_be_read_cost_themselves_only(tmp_path: Path) -> None:
    source = write_full_clip(tmp_path / "source.mkv")
    data = source.read_bytes()
    assert data.count("Grüße".encode()) == 1
    source.write_bytes(data.replace("Grüße".encode(), b"Gr\xff\xfe\xff\xfee"))
    made = joined(tmp_path / "out.mp4", source)
    assert made.notices == ("Subtitles: 1 that could not be read were left out.",)
    assert [text for *_, text in subtitle_lines(tmp_path / "out.mp4") if text] == [TEXTS[0], TEXTS[2]]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_hostile_notes_do_no_harm(tmp_path: Path, name: str) -> None:
    plain = write_clip(tmp_path / "plain.mkv", frames=5)
    source = tmp_path / "source.mkv"
    hostile = {f"key{i}": "x" for i in range(1000)} | {
        "title": "ok" * 50_000,
        "creation_time": "yesterday",
        "timecode": "99:99:99:99",
        "rotate": "90",
        "k" * 5000: "long key",
        "comment": "‮ tricky \x07 \n text",
        "language": "notalanguage",
    }
    chapters = [
        {"id": i, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": "t" * 70_000}}
        for i, (start, end) in enumerate([(0, 50), (20, 2**40), (2**41, 2**42), (60, 60), (100, 150)], 1)
    ]
    with av.open(str(plain)) as clip, av.open(str(source), "w") as target:
        copy = target.add_stream_from_template(clip.streams.video[0], opaque=True)
        target.metadata.update(hostile)
        copy.metadata.update(hostile)
        target.set_chapters(chapters)
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = copy
                target.mux_one(packet)
    data = source.read_bytes()
    source.write_bytes(data.replace(b"tricky", b"\xff\xfe\x80!\xc3\xc3"))
    output = tmp_path / name
    joined(output, source, frames=5)
    with av.open(str(output)) as container:
        assert len(container.metadata["title"]) == 10_000
        assert "rotate" not in container.metadata
        assert "timecode" not in {key.lower() for key in container.metadata}
        assert next(container.decode(video=0)).rotation == 0
        assert 1 <= len(container.chapters()) <= 3


def test_notes_of_the_stored_file_are_not_the_results() -> None:
    stored = {
        "BPS-eng": "1",
        "_STATISTICS_TAGS": "x",
        "NUMBER_OF_FRAMES": "9",
        "ENCODER": "x",
        "DURATION": "1",
        "": "x",
    }
    assert kept_metadata(stored | {"": "x", "Title": "a\0b", "comment": "\ud800"}) == {"Title": "a b", "comment": "?"}


def test_chapters_are_cut_to_the_span() -> None:
    span = Span(Fraction(-1), Fraction(2), is_trimmed=True)

    def cut(start: int, end: int) -> tuple[int, int] | None:
        chapter = {"id": 1, "start": start, "end": end, "time_base": MS, "metadata": {}}
        moved = moved_chapter(chapter, span)
        return moved and (moved["start"], moved["end"])

    assert cut(0, 900) is None
    assert cut(500, 1500) == (0, 500)
    assert cut(1500, 2500) == (500, 1500)
    assert cut(2500, 9000) == (1500, 2000)
    assert cut(3000, 9000) is None
    assert cut(2000, 1000) is None
    assert moved_chapter({"id": 1, "start": 0, "end": 1, "time_base": Fraction(0), "metadata": {}}, span) is None
