"""Segments joined without encoding: pictures, times, tags and what goes wrong."""

from __future__ import annotations

import itertools
import random
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.assembling import Assembly, Part, assemble
from app.pipeline.offline.segment_packets import decode_times
from app.pipeline.offline.verifying import Codes
from tests.support.media import audio_packets, frame_times_s, write_clip
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
    decoded,
    video_times,
    write_segments,
)
from tests.unit.pipeline.test_video_disk import run_child

TICK = Fraction(1, 90000)
STEP = 3003  # 29.97 Hz


def steady(*lengths: int, start: int = 0) -> list[list[int]]:
    ticks = itertools.count(start, STEP)
    return [list(itertools.islice(ticks, length)) for length in lengths]


def uneven(*lengths: int, start: int = 0) -> list[list[int]]:
    rng, now, parts = random.Random(3), start, []
    for length in lengths:
        parts.append([])
        for _ in range(length):
            parts[-1].append(now)
            now += rng.choice([1501, 3003, 3003, 9123, 45001])
    return parts


def joined(tmp_path: Path, parts: list[Part], name: str, **more: Any) -> Path:
    output = tmp_path / name
    assembly = Assembly(output, more.pop("time_base", TICK), more.pop("rate", Fraction(30000, 1001)), **more)
    made = assemble(parts, assembly)
    assert made.frames == sum(len(part.pts) for part in parts)
    return output


def label(value: Any) -> str:
    """Name a case by its codec or clock."""
    return str(getattr(value, "codec", getattr(value, "__name__", value)))


CASES = [
    (NO_B, "a.mp4", steady),
    (B_FRAMES, "a.mp4", steady),
    (B_FRAMES, "a.mp4", uneven),
    (B_FRAMES, "a.mov", uneven),
    (B_FRAMES, "a.mkv", uneven),
    (X265, "a.mp4", uneven),
    (X265, "a.mkv", steady),
    (VP9, "a.webm", steady),
    (VP9, "a.mp4", uneven),
    (VP9_ALPHA, "a.webm", uneven),
    (AV1, "a.mp4", uneven),
    (FFV1, "a.mkv", uneven),
    (PRORES, "a.mov", uneven),
    (PRORES, "a.mkv", steady),
    (DNXHR, "a.mov", steady),
]


@pytest.mark.parametrize(
    ("recipe", "name", "times"), CASES, ids=lambda v: getattr(v, "codec", getattr(v, "__name__", v))
)
def test_joined_pictures_are_those_of_the_segments_at_their_true_times(
    tmp_path: Path, recipe: Recipe, name: str, times: Any
) -> None:
    pts = times(5, 8, 1, 7)
    parts = write_segments(tmp_path, pts, TICK, recipe)
    output = joined(tmp_path, parts, name)

    assert decoded(output) == [one for part in parts for one in decoded(part.path)]
    wanted = [ticks * TICK for part in pts for ticks in part]
    allowed = 0 if name.endswith(("mp4", "mov")) else Fraction(1, 2000)
    assert all(abs(a - b) <= allowed for a, b in zip(frame_times_s(output), wanted, strict=True))
    packets = video_times(output)
    assert all(a[1] < b[1] for a, b in itertools.pairwise(packets))
    assert all(pts_s >= dts_s for pts_s, dts_s in packets)
    assert Codes.of_file(output) == Codes.of_file(parts[0].path) == Codes(1, 1, 1, 1)


@pytest.mark.parametrize("start", [1, 7007, 90001])
@pytest.mark.parametrize("recipe", [NO_B, B_FRAMES])
def test_a_late_start_is_kept(tmp_path: Path, start: int, recipe: Recipe) -> None:
    pts = uneven(4, 6, start=start)
    output = joined(tmp_path, write_segments(tmp_path, pts, TICK, recipe), "a.mp4")
    assert frame_times_s(output) == [ticks * TICK for part in pts for ticks in part]


@pytest.mark.parametrize("tick", [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 1_000_000), Fraction(1, 12800)])
def test_times_are_exact_in_any_time_base(tmp_path: Path, tick: Fraction) -> None:
    step = max(1, round(Fraction(1, 25) / tick))
    pts = [[0, step, 3 * step], [4 * step, 5 * step, 9 * step]]
    parts = write_segments(tmp_path, pts, tick, B_FRAMES)
    output = joined(tmp_path, parts, "a.mp4", time_base=tick, rate=Fraction(25))
    assert frame_times_s(output) == [ticks * tick for part in pts for ticks in part]


def test_a_nanosecond_clock_is_kept_to_the_microsecond_in_mp4(tmp_path: Path) -> None:
    tick = Fraction(1, 10**9)
    pts = [[0, 33_366_700, 66_733_400], [100_100_100, 133_466_800]]
    parts = [Part(p.path, tuple(t)) for p, t in zip(write_segments(tmp_path, steady(3, 2), TICK), pts, strict=True)]
    output = joined(tmp_path, parts, "a.mp4", time_base=tick)
    assert all(
        abs(a - b * tick) <= Fraction(1, 2 * 10**6) for a, b in zip(frame_times_s(output), pts[0] + pts[1], strict=True)
    )


def test_the_index_lies_in_front_of_the_pictures(tmp_path: Path) -> None:
    output = joined(tmp_path, write_segments(tmp_path, steady(3, 3), TICK), "a.mp4")
    data = output.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    webm = joined(tmp_path, write_segments(tmp_path, steady(3, 3), TICK, VP9), "a.webm").read_bytes()
    assert webm.index(b"\x1c\x53\xbb\x6b") < webm.index(b"\x1f\x43\xb6\x75")  # Cues, Cluster


def test_tags_of_the_stream(tmp_path: Path) -> None:
    output = joined(tmp_path, write_segments(tmp_path, steady(6, 6), TICK, X265), "a.mp4", codec_tag="hvc1")
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert stream.codec_tag == "hvc1"
        assert stream.average_rate == Fraction(30000, 1001)
        assert stream.time_base == TICK
        assert stream.duration == 12 * STEP
    mkv = joined(tmp_path, write_segments(tmp_path, uneven(6, 6), TICK), "a.mkv")
    with av.open(str(mkv)) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_decode_times_of_a_pyramid() -> None:
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    dts = decode_times([10 * place for place in order], 10)
    assert dts == [-20, -10, 0, 10, 20, 30, 40, 50, 60]
    assert decode_times([0, 7, 9], 5) == [0, 7, 9]


def test_decode_times_hold_for_any_order_and_any_clock() -> None:
    rng = random.Random(0)
    for _ in range(200):
        shown = sorted(rng.sample(range(10_000), rng.randint(1, 30)))
        pts, held = [], list(shown)
        while held:
            pts.append(held.pop(rng.randrange(min(4, len(held)))))
        dts = decode_times(pts, rng.randint(1, 50))
        assert all(a < b for a, b in itertools.pairwise(dts))
        assert all(d <= p for d, p in zip(dts, pts, strict=True))


def refused(tmp_path: Path, parts: list[Part], name: str = "a.mp4", **more: Any) -> UserError:
    """Joining fails as an output error, and nothing of it is left."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError) as caught:
        joined(tmp_path, parts, name, **more)
    assert caught.value.code is ExitCode.OUTPUT
    assert sorted(tmp_path.iterdir()) == before
    return caught.value


@pytest.mark.parametrize("recipe", [B_FRAMES, FFV1])
@pytest.mark.parametrize(("claimed", "word"), [(5, "6 pictures instead of 5"), (7, "6 pictures instead of 7")])
@pytest.mark.parametrize("place", [0, 1])
def test_a_segment_with_another_number_of_pictures(
    tmp_path: Path, recipe: Recipe, claimed: int, word: str, place: int
) -> None:
    parts = write_segments(tmp_path, steady(6, 6), TICK, recipe)
    pts = steady(*(claimed if k == place else 6 for k in range(2)))
    parts = [Part(part.path, tuple(times)) for part, times in zip(parts, pts, strict=True)]
    assert word in refused(tmp_path, parts, "a.mkv").message


@pytest.mark.parametrize(
    "other",
    [Recipe(options={"preset": "ultrafast", "profile": "baseline"}, size=(80, 48)), B_FRAMES, VP9],
    ids=["size", "options", "codec"],
)
def test_segments_encoded_differently(tmp_path: Path, other: Recipe) -> None:
    one = write_segments(tmp_path, steady(4), TICK)[0]
    (tmp_path / "other").mkdir()
    two = write_segments(tmp_path / "other", steady(4, start=4 * STEP), TICK, other)[0]
    assert "encoded differently" in refused(tmp_path, [one, two], "a.mkv").message


def test_segments_that_are_missing_or_damaged(tmp_path: Path) -> None:
    parts = write_segments(tmp_path, steady(4, 4), TICK)
    data = parts[1].path.read_bytes()
    parts[1].path.write_bytes(data[: len(data) // 2])
    assert "0001.mkv" in refused(tmp_path, parts).message
    parts[1].path.write_bytes(b"nothing like it")
    assert "can't be read" in refused(tmp_path, parts).message
    parts[1].path.unlink()
    assert "can't be read" in refused(tmp_path, parts).message


def test_a_segment_without_a_key_frame_in_front(tmp_path: Path) -> None:
    whole, tail = write_segments(tmp_path, steady(6), TICK)[0], tmp_path / "tail.mkv"
    with av.open(str(whole.path)) as source, av.open(str(tail), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            if number:
                packet.stream = copy
                target.mux_one(packet)
    parts = [whole, Part(tail, tuple(steady(5, start=6 * STEP)[0]))]
    assert "key frame" in refused(tmp_path, parts).message


def test_a_codec_that_the_container_does_not_take(tmp_path: Path) -> None:
    assert "WEBM can't hold" in refused(tmp_path, write_segments(tmp_path, steady(4), TICK), "a.webm").message
    assert "MP4 can't hold" in refused(tmp_path, write_segments(tmp_path, steady(4), TICK, PRORES), "a.mp4").message


def test_what_stands_there_is_kept_unless_it_may_go(tmp_path: Path) -> None:
    parts = write_segments(tmp_path, steady(4), TICK)
    output = tmp_path / "a.mp4"
    output.write_bytes(b"old")
    assert "exists already" in refused(tmp_path, parts).message
    assert "in use" in refused(tmp_path, parts, overwrite=True, inputs=(output,)).message
    assert output.read_bytes() == b"old"
    assert len(decoded(joined(tmp_path, parts, "a.mp4", overwrite=True))) == 4


def test_times_that_do_not_ascend_and_no_pictures(tmp_path: Path) -> None:
    parts = write_segments(tmp_path, steady(3), TICK)
    with pytest.raises(ValueError, match="ascend"):
        joined(tmp_path, [parts[0], parts[0]], "a.mp4")
    with pytest.raises(ValueError, match="before zero"):
        joined(tmp_path, [Part(parts[0].path, (-1, 0, 1))], "a.mp4")
    assert "no picture" in refused(tmp_path, []).message


def test_what_the_report_raises_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    parts = write_segments(tmp_path, steady(4, 4), TICK)
    seen: list[int] = []

    def report(done: int) -> None:
        seen.append(done)
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assemble(parts, Assembly(tmp_path / "a.mp4", TICK, Fraction(30)), report=report)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert not list(tmp_path.glob("a.*"))


FULL = """
    import resource, sys
    from fractions import Fraction
    from pathlib import Path
    from app.domain.errors import UserError
    from app.pipeline.offline.assembling import Assembly, Part, assemble

    output, limit = Path(sys.argv[1]), int(sys.argv[2])
    parts = [Part(Path(sys.argv[3]), tuple(range(40))), Part(Path(sys.argv[4]), tuple(range(40, 80)))]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        assemble(parts, Assembly(output, Fraction(1, 25), Fraction(25), overwrite=True))
    except UserError as error:
        print(int(error.code), error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a limit on file sizes")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("share", [0.4, 0.99, 0.9999], ids=["midway", "near the end", "at the end"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, suffix: str, share: float) -> None:
    parts = write_segments(tmp_path, [list(range(40)), list(range(40, 80))], Fraction(1, 25))
    size_bytes = joined(tmp_path, parts, f"whole{suffix}", time_base=Fraction(1, 25), rate=Fraction(25)).stat().st_size
    folder = tmp_path / "out"
    folder.mkdir()
    output = folder / f"a{suffix}"
    output.write_bytes(b"old")
    result = run_child(FULL, output, int(size_bytes * share), *(part.path for part in parts))
    assert result.stderr == ""
    assert result.stdout.startswith(f"{int(ExitCode.OUTPUT)} The disk is full: “a{suffix}”")
    assert output.read_bytes() == b"old"
    assert list(folder.iterdir()) == [output]


def test_sound_is_interleaved_as_the_picture_advances(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=100, rate=Fraction(30000, 1001), audio="aac")
    parts = write_segments(tmp_path, steady(50, 50), TICK)
    output = joined(tmp_path, parts, "a.mp4", source=source)
    with av.open(str(output)) as container:
        packets = sorted((p.pos, p.stream.type, p.dts * p.time_base) for p in container.demux() if p.size)
    runs = [[float(time_s) for _, _, time_s in group] for _, group in itertools.groupby(packets, lambda p: p[1])]
    assert len(runs) > 10
    assert max(run[-1] - run[0] for run in runs) < 1
    assert [p.data for p in audio_packets(output)] == [p.data for p in audio_packets(source)]


def test_the_same_parts_give_the_same_file(tmp_path: Path) -> None:
    parts = write_segments(tmp_path, uneven(5, 5), TICK, B_FRAMES)
    one, two = (joined(tmp_path, parts, name) for name in ("a.mp4", "b.mp4"))
    assert one.read_bytes() == two.read_bytes()
