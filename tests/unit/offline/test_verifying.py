"""Finished files read back: whole ones pass, every kind of fault is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, Colorspace

from app.domain.errors import ExitCode, UserError
from app.pipeline.image_saving import save_image
from app.pipeline.offline.assembling import Assembly, Part, assemble
from app.pipeline.offline.clip_notes import Span
from app.pipeline.offline.verifying import (
    Codes,
    Expected,
    ExpectedPictures,
    failures,
    raise_if_failed,
    verify,
    verify_pictures,
)
from tests.support.media import picture, write_clip
from tests.support.segments import (
    AV1,
    B_FRAMES,
    DNXHR,
    FFV1,
    NO_B,
    PRORES,
    VP9,
    VP9_ALPHA,
    X265,
    Recipe,
    write_full_clip,
    write_segments,
)

TICK = Fraction(1, 90000)
STEP = 3600
RATE = Fraction(25)
TIMES = [[i * STEP for i in range(20)], [i * STEP for i in range(20, 50)]]
BT709 = Codes(1, 1, 1, 1)


def delivered(
    tmp_path: Path, name: str, recipe: Recipe = NO_B, *, source: Path | None = None, span: Span | None = None
) -> tuple[Path, Expected]:
    """A finished file of 50 pictures, and what it should be."""
    parts = write_segments(tmp_path, TIMES, TICK, recipe)
    return joined(tmp_path / name, parts, recipe, source, span or Span())


def joined(output: Path, parts: list[Part], recipe: Recipe, source: Path | None, span: Span) -> tuple[Path, Expected]:
    assembly = Assembly(
        output,
        TICK,
        RATE,
        source=source,
        sound_delay_s=span.delay_s,
        sound_until_s=span.until_s,
        is_trimmed=span.is_trimmed,
    )
    made = assemble(parts, assembly)
    pts = [ticks for part in parts for ticks in part.pts]
    expected = Expected(
        pts, TICK, RATE, recipe.size, colors=BT709, source=source, span=span, video_sha256=made.video_sha256
    )
    return output, expected


def failed(output: Path, expected: Expected) -> list[str]:
    return [check.name for check in failures(verify(output, expected, threads=1))]


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (NO_B, "a.mp4"),
        (B_FRAMES, "a.mp4"),
        (B_FRAMES, "a.mkv"),
        (X265, "a.mp4"),
        (VP9, "a.webm"),
        (AV1, "a.mp4"),
        (FFV1, "a.mkv"),
        (PRORES, "a.mov"),
        (DNXHR, "a.mov"),
    ],
    ids=lambda v: getattr(v, "codec", v),
)
def test_a_whole_file_passes(tmp_path: Path, recipe: Recipe, name: str) -> None:
    output, expected = delivered(tmp_path, name, recipe)
    checks = verify(output, expected)
    assert failures(checks) == ()
    assert len(checks) >= 9
    raise_if_failed(checks, output)


@pytest.mark.parametrize(
    ("source_name", "name", "audio"),
    [
        ("source.mkv", "a.mp4", "aac"),
        ("source.mp4", "a.mkv", "aac"),
        ("source.mov", "a.mov", "pcm_s16le"),
        ("source.mkv", "a.webm", "libopus"),
        ("source.mp4", "a.webm", "libopus"),
        ("source.ts", "a.mp4", "aac"),
        ("source.ts", "a.mkv", "aac"),
    ],
)
def test_a_whole_file_with_sound_passes(tmp_path: Path, source_name: str, name: str, audio: str) -> None:
    source = tmp_path / source_name
    if source_name.endswith("ts"):
        write_clip(source, frames=50, audio=(audio, audio))
    else:
        write_full_clip(source, audio=(audio, audio), subtitles="subrip" if source_name.endswith("mkv") else "mov_text")
    output, expected = delivered(tmp_path, name, VP9 if name.endswith("webm") else NO_B, source=source)
    checks = verify(output, expected)
    assert failures(checks) == ()
    assert [c.found for c in checks if c.name == "sound tracks"] == ["2"]


def test_a_part_with_sound_passes(tmp_path: Path) -> None:
    source = write_full_clip(tmp_path / "source.mkv")
    parts = write_segments(tmp_path, [[i * STEP for i in range(20)]], TICK)
    span = Span(Fraction(-1, 2), Fraction(4, 5), is_trimmed=True)
    assert failures(verify(*joined(tmp_path / "a.mp4", parts, NO_B, source, span))) == ()


Fault = Callable[[Any], Any]


def remuxed(output: Path, change: Callable[[str, int, Any], Any]) -> Path:
    """Copy a file; change(kind, number in its stream, packet) -> what to write instead, None to leave it out."""
    spoilt = output.with_stem("spoilt")
    options = {"video_track_timescale": "90000", "movie_timescale": "90000"} if output.suffix == ".mp4" else {}
    with av.open(str(output)) as source, av.open(str(spoilt), "w", container_options=options) as target:
        copies = {
            s.index: target.add_stream_from_template(s, opaque=True)
            for s in source.streams
            if s.type in ("video", "audio")
        }
        counts = dict.fromkeys(copies, 0)
        for packet in source.demux([s for s in source.streams if s.index in copies]):
            if not packet.size:
                continue
            index = packet.stream_index
            changed = change(source.streams[index].type, counts[index], packet)
            counts[index] += 1
            if changed is not None:
                changed.stream = copies[index]
                target.mux_one(changed)
    return spoilt


def with_bytes(packet: Any, data: bytes) -> Any:
    changed = av.Packet(data)
    changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
    changed.time_base, changed.is_keyframe = packet.time_base, packet.is_keyframe
    return changed


def noise(packet: Any) -> Any:
    """Keep what says how long it is and what it is, and spoil the rest."""
    data = bytes(packet)
    spoilt = np.random.default_rng(0).integers(0, 256, len(data), np.uint8).tobytes()
    return with_bytes(packet, data[:6] + spoilt[6:])


@pytest.mark.parametrize(
    ("recipe", "name"),
    [(NO_B, "a.mp4"), (B_FRAMES, "a.mkv"), (X265, "a.mp4"), (FFV1, "a.mkv"), (VP9, "a.webm"), (AV1, "a.mp4")],
    ids=lambda v: getattr(v, "codec", v),
)
def test_a_damaged_packet_is_found(tmp_path: Path, recipe: Recipe, name: str) -> None:
    output, expected = delivered(tmp_path, name, recipe)
    spoilt = remuxed(output, lambda kind, number, p: noise(p) if number == 30 else p)
    names = failed(spoilt, expected)
    assert "picture data" in names
    if recipe is not AV1:  # libdav1d decodes anything.
        assert {"decoding", "pictures"} & set(failed(spoilt, dataclasses.replace(expected, video_sha256=None)))


def test_one_flipped_bit_is_found_though_it_decodes(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mov", PRORES)
    data = bytearray(output.read_bytes())
    data[data.index(b"mdat") + 4000] ^= 1
    output.write_bytes(data)
    assert failed(output, expected) == ["picture data"]


def test_a_dropped_picture_is_found(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mp4", NO_B)
    spoilt = remuxed(output, lambda kind, number, p: None if number == 49 else p)
    assert set(failed(spoilt, expected)) >= {"pictures", "picture data"}
    middle = remuxed(output, lambda kind, number, p: None if number == 10 else p)
    assert set(failed(middle, expected)) >= {"pictures", "times"}


def later(packet: Any, ticks: int) -> Any:
    packet.pts += ticks
    packet.dts += ticks
    return packet


def test_a_picture_one_tick_late_is_found(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mp4")
    spoilt = remuxed(output, lambda kind, number, p: later(p, 1) if number == 7 else p)
    check = failures(verify(spoilt, expected))
    assert [c.name for c in check] == ["times"]
    assert "the first picture 7 at 0.280011 s (not 0.280000 s)" in check[0].found


def test_mkv_may_be_a_ms_off_and_no_more(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mkv")
    assert failed(remuxed(output, lambda kind, number, p: later(p, 1) if number == 7 else p), expected) == []
    assert failed(remuxed(output, lambda kind, number, p: later(p, 2) if number == 7 else p), expected) == ["times"]


def test_changed_sound_is_found(tmp_path: Path) -> None:
    source = write_full_clip(tmp_path / "source.mkv")
    output, expected = delivered(tmp_path, "a.mp4", source=source)

    def flipped(kind: str, number: int, packet: Any) -> Any:
        if kind != "audio" or number != 40:
            return packet
        data = bytearray(bytes(packet))
        data[-1] ^= 1
        return with_bytes(packet, bytes(data))

    assert failed(remuxed(output, flipped), expected) == ["sound 1", "sound 2"]
    short = remuxed(output, lambda kind, number, p: None if kind == "audio" and number > 80 else p)
    assert set(failed(short, expected)) >= {"sound 1", "end of sound 1", "sound 2", "end of sound 2"}
    moved = remuxed(output, lambda kind, number, p: later(p, 4800) if kind == "audio" else p)
    assert set(failed(moved, expected)) == {f"{w} of sound {n}" for w in ("start", "end") for n in (1, 2)}


def test_lost_sound_is_found(tmp_path: Path) -> None:
    source = write_full_clip(tmp_path / "source.mkv")
    output, expected = delivered(tmp_path, "a.mp4")
    assert failed(output, dataclasses.replace(expected, source=source)) == ["sound tracks"]


def test_tags_size_and_pixel_shape(tmp_path: Path) -> None:
    output = write_clip(tmp_path / "a.mp4", frames=50, rate=25, pixel_aspect=Fraction(4, 3))
    names = failed(output, Expected([i * STEP for i in range(50)], TICK, RATE, (66, 48), colors=BT709))
    assert names == ["size", "pixel shape", "colour tags", "colour tags of the pictures"]
    turned = write_clip(tmp_path / "b.mp4", frames=50, rate=25, rotation=90)
    assert failed(turned, Expected([i * STEP for i in range(50)], TICK, RATE, (64, 48))) == ["rotation"]


def test_tags_that_header_and_pictures_disagree_about(tmp_path: Path) -> None:
    """What an editor reads is the container's; what a player decodes by may be the stream's own."""
    output, expected = delivered(tmp_path, "a.mp4")
    data = output.read_bytes()
    colr = data.index(b"colrnclx") + 8
    primaries, matrix = int(ColorPrimaries.BT2020), int(Colorspace.ITU601)
    changed = data[:colr] + primaries.to_bytes(2, "big") + data[colr + 2 : colr + 4] + matrix.to_bytes(2, "big")
    output.write_bytes(changed + data[colr + 6 :])
    assert "colour tags" in failed(output, expected) or "colour tags of the pictures" in failed(output, expected)


@pytest.mark.parametrize(("recipe", "name"), [(VP9_ALPHA, "a.webm"), (PRORES, "a.mov")], ids=["vp9", "prores"])
def test_alpha_is_looked_for(tmp_path: Path, recipe: Recipe, name: str) -> None:
    output, expected = delivered(tmp_path, name, recipe)
    assert failed(output, dataclasses.replace(expected, has_alpha=True)) == []
    assert failed(output, dataclasses.replace(expected, has_alpha=False)) == ["alpha"]


def test_lost_alpha_is_found(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.webm", VP9)
    assert failed(output, dataclasses.replace(expected, has_alpha=True)) == ["alpha"]


def test_a_file_cut_off_or_missing(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mkv", FFV1)
    data = output.read_bytes()
    output.write_bytes(data[: len(data) * 2 // 3])
    assert set(failed(output, expected)) >= {"pictures", "picture data"}
    output.write_bytes(b"")
    assert failed(output, expected) == ["file"]
    output.unlink()
    assert failed(output, expected) == ["file"]


def test_a_failed_check_is_a_failed_export(tmp_path: Path) -> None:
    output, expected = delivered(tmp_path, "a.mp4")
    checks = verify(output, dataclasses.replace(expected, size=(66, 48)))
    with pytest.raises(UserError, match=r"“a.mp4” .* size: 64 x 48 instead of 66 x 48") as caught:
        raise_if_failed(checks, output)
    assert caught.value.code is ExitCode.OUTPUT


def write_pictures(folder: Path, suffix: str, *, alpha: bool = True) -> ExpectedPictures:
    """Twenty pictures from number 5 on."""
    folder.mkdir()
    for number in range(5, 25):
        pixels = picture(32, 24, number)
        matte = np.full((24, 32), 100, np.uint8) if alpha else None
        path = folder / f"shot.{number:06}{suffix}"
        if suffix == ".exr":
            write_exr(path, pixels, alpha=alpha)
        else:
            save_image(path, pixels.astype(np.uint16) * 257, alpha=matte)
    return ExpectedPictures(20, (32, 24), suffix, first=5, has_alpha=alpha)


def write_exr(path: Path, pixels: Any, *, alpha: bool) -> None:
    encoder: Any = av.CodecContext.create("exr", "w")
    encoder.width, encoder.height = pixels.shape[1], pixels.shape[0]
    encoder.pix_fmt = "gbrapf32le" if alpha else "gbrpf32le"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"compression": "zip16"}
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=encoder.pix_fmt)
    path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))


def failed_pictures(folder: Path, expected: ExpectedPictures) -> list[str]:
    return [check.name for check in failures(verify_pictures(folder, expected))]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr"])
def test_folders_of_pictures(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "shot"
    expected = write_pictures(folder, suffix)
    (folder / "notes.txt").write_text("not a picture")
    assert failed_pictures(folder, expected) == []
    assert failed_pictures(folder, dataclasses.replace(expected, has_alpha=False)) == ["alpha"]
    assert failed_pictures(folder, dataclasses.replace(expected, size=(32, 32))) == ["headers"]
    assert failed_pictures(folder, dataclasses.replace(expected, count=21)) == ["pictures", "numbers"]
    assert failed_pictures(folder, dataclasses.replace(expected, first=4)) == ["numbers"]

    path = folder / f"shot.000011{suffix}"
    data = path.read_bytes()
    path.write_bytes(data[:10])
    assert "headers" in failed_pictures(folder, expected)
    path.unlink()
    assert failed_pictures(folder, expected) == ["pictures", "numbers"]
    (folder / f"shot.000025{suffix}").write_bytes(data)
    assert failed_pictures(folder, expected) == ["numbers"]
    assert failed_pictures(tmp_path / "none", expected) == ["pictures", "numbers"]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr"])
def test_a_picture_damaged_inside_is_found_when_decoded(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "shot"
    expected = write_pictures(folder, suffix)
    path = folder / f"shot.000005{suffix}"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    assert failed_pictures(folder, expected) == ["decoding"]


def test_pictures_without_alpha(tmp_path: Path) -> None:
    expected = write_pictures(tmp_path / "shot", ".png", alpha=False)
    assert failed_pictures(tmp_path / "shot", expected) == []
