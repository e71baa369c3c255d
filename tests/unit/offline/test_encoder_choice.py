from __future__ import annotations

import json
import os
import pickle
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline import encoder_choice
from app.pipeline.offline.encoder_choice import EncoderChoice, choose_encoder, works
from app.pipeline.offline.encoder_options import SOFTWARE, encoder_rate
from app.pipeline.offline.formats import FORMATS, AlphaMode, Depth, Encoding, FormatName
from app.pipeline.offline.sinks import Picture

SIZE = (258, 130)
RATE = Fraction(30000, 1001)

Case = tuple[FormatName, Depth, AlphaMode]

CASES: list[tuple[Case, str, str]] = [
    (("h264", 8, "none"), "libx264", "yuv420p"),
    (("h264", 10, "none"), "libx264", "yuv420p10le"),
    (("hevc", 8, "none"), "libx265", "yuv420p"),
    (("hevc", 10, "none"), "libx265", "yuv420p10le"),
    (("av1", 8, "none"), "libsvtav1", "yuv420p"),
    (("av1", 10, "none"), "libsvtav1", "yuv420p10le"),
    (("vp9", 8, "none"), "libvpx-vp9", "yuv420p"),
    (("vp9", 8, "straight"), "libvpx-vp9", "yuva420p"),
    (("prores422", 10, "none"), "prores_ks", "yuv422p10le"),
    (("prores4444", 10, "none"), "prores_ks", "yuv444p10le"),
    (("prores4444", 10, "premultiplied"), "prores_ks", "yuva444p10le"),
    (("dnxhr", 8, "none"), "dnxhd", "yuv422p"),
    (("dnxhr", 10, "none"), "dnxhd", "yuv422p10le"),
    (("ffv1", 8, "none"), "ffv1", "bgr0"),
    (("ffv1", 8, "straight"), "ffv1", "bgra"),
    (("ffv1", 10, "none"), "ffv1", "gbrp10le"),
    (("ffv1", 10, "straight"), "ffv1", "gbrap10le"),
    (("ffv1", 16, "none"), "ffv1", "gbrp16le"),
    (("ffv1", 16, "straight"), "ffv1", "gbrap16le"),
]


def chosen(case: Case, size: tuple[int, int] = SIZE, *, gray: bool = False, **wishes: Any) -> EncoderChoice:
    name, depth, alpha = case
    encoding = Encoding(name, depth=depth, alpha=alpha, **wishes)
    suffix = FORMATS[name].suffixes[0]
    return choose_encoder(encoding, depth=depth, size=size, rate=RATE, container_suffix=suffix, content_is_gray=gray)


def noise(choice: EncoderChoice, size: tuple[int, int], seed: int) -> Picture:
    channels = () if choice.gray else (4 if choice.alpha else 3,)
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), np.uint8)


def encoded(choice: EncoderChoice, pictures: Sequence[Picture]) -> tuple[list[av.Packet[Any]], bytes]:
    """All packets and the header, from an encoder of its own, the memory between pictures used by others."""
    context = cast("VideoCodecContext", av.CodecContext.create(choice.encoder, "w"))
    height, width = pictures[0].shape[:2]
    choice.set_up(context, size=(width, height), rate=RATE)
    context.open()
    packer, packets = choice.packer(), []
    for index, picture in enumerate(pictures):
        frame = packer.frame(picture)
        frame.pts, frame.time_base = index, 1 / RATE
        packets += context.encode(frame)
        [os.urandom(50_000 + 7919 * count) for count in range(6)]
    return [*packets, *context.encode(None)], bytes(context.extradata or b"")


@pytest.mark.parametrize(("case", "encoder", "pix_fmt"), CASES, ids=str)
def test_every_format_has_its_encoder(case: Case, encoder: str, pix_fmt: str) -> None:
    choice = chosen(case)
    assert (choice.encoder, choice.pix_fmt, choice.notice) == (encoder, pix_fmt, "")
    assert choice.alpha == (case[2] != "none")
    assert choice.segment_suffix == (".mov" if encoder in ("prores_ks", "dnxhd") else ".mkv")
    assert choice.options["threads"] == "1"


@pytest.mark.parametrize("case", [case for case, _, _ in CASES], ids=str)
def test_the_same_pictures_give_the_same_bytes_and_all_the_same_header(case: Case) -> None:
    """A width that is no multiple of 16: there swscale, and x264's AVX-512 code, gave others each time."""
    size = (290, 162)
    choice = chosen(case, size)
    pictures = [noise(choice, size, seed) for seed in range(5)]
    first, header = encoded(choice, pictures)
    for _ in range(5 if case[0] == "h264" else 1):
        again, _ = encoded(choice, pictures)
        assert [bytes(packet) for packet in again] == [bytes(packet) for packet in first]
    still = np.zeros_like(pictures[0])
    _, other_header = encoded(choice, [still, still])
    assert other_header == header


@pytest.mark.parametrize("case", [case for case, _, _ in CASES], ids=str)
def test_nothing_of_a_choice_depends_on_the_machine(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    before = chosen(case)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert chosen(case) == before


@pytest.mark.parametrize("name", ["h264", "hevc", "av1", "vp9"])
def test_groups_of_pictures_are_closed(name: FormatName) -> None:
    """What comes from a later keyframe on decodes without anything before it, with nothing missing."""
    size, count = (64, 64), 70
    choice = chosen((name, 8, "none"), size)
    every = round(RATE * 2)
    packets, header = encoded(choice, [np.full((64, 64, 3), 40 + 2 * k, np.uint8) for k in range(count)])
    keys = [k for k, packet in enumerate(packets) if packet.is_keyframe]
    assert keys[0] == 0
    later = [k for k in keys if k > 0]
    assert later
    assert later[0] <= every
    software = {"av1": "libdav1d"}.get(name, name)
    decoder = cast("VideoCodecContext", av.CodecContext.create(software, "r"))
    decoder.extradata = header
    start = packets[later[0]].pts or 0
    shown = [f for packet in (*packets[later[0] :], None) for f in decoder.decode(packet)]
    assert len(shown) == count - start
    levels = [np.frombuffer(cast("Any", f.planes[0]), np.uint8)[0] for f in shown]
    expected = [16 + (40 + 2 * k) * 219 / 255 for k in range(start, count)]
    np.testing.assert_allclose(levels, expected, atol=3)


def test_hevc_is_called_what_apple_asks_for_where_there_is_a_choice() -> None:
    def tag(name: FormatName, suffix: str) -> str | None:
        return choose_encoder(Encoding(name), depth=8, size=SIZE, rate=RATE, container_suffix=suffix).codec_tag

    assert [tag("hevc", suffix) for suffix in (".mp4", ".mov", ".mkv")] == ["hvc1", "hvc1", None]
    assert tag("h264", ".mp4") is None


@pytest.mark.parametrize(
    ("case", "padded"),
    [
        (("h264", 8, "none"), (1, 1)),
        (("hevc", 10, "none"), (1, 1)),
        (("av1", 8, "none"), (1, 1)),
        (("vp9", 8, "none"), (0, 0)),
        (("prores422", 10, "none"), (1, 0)),
        (("prores4444", 10, "straight"), (0, 0)),
        (("dnxhr", 8, "none"), (1, 0)),
        (("ffv1", 8, "none"), (0, 0)),
    ],
)
def test_odd_sides_are_padded_where_chroma_is_halved(case: Case, padded: tuple[int, int]) -> None:
    assert chosen(case, (257, 131)).padded == padded


@pytest.mark.parametrize(
    ("case", "pix_fmt", "full"),
    [
        (("h264", 8, "none"), "yuv420p", False),
        (("prores422", 10, "none"), "yuv422p10le", False),
        (("ffv1", 8, "none"), "gray", True),
        (("ffv1", 16, "straight"), "gray16le", True),
    ],
)
def test_a_matte_is_grey_where_that_is_played(case: Case, pix_fmt: str, full: bool) -> None:
    choice = chosen(case, gray=True)
    assert (choice.pix_fmt, choice.full_range, choice.gray, choice.alpha) == (pix_fmt, full, True, False)


def test_a_choice_travels() -> None:
    choice = chosen(("hevc", 10, "none"))
    assert pickle.loads(pickle.dumps(choice)) == choice
    flat = json.loads(json.dumps(asdict(choice)))
    assert EncoderChoice(**(flat | {"padded": tuple(flat["padded"])})) == choice


def test_quality_is_x264s_scale_for_all() -> None:
    assert chosen(("h264", 8, "none"), crf=20).options["crf"] == "20"
    assert chosen(("vp9", 8, "none"), crf=20).options["crf"] == "32"
    assert "crf" not in chosen(("ffv1", 8, "none"), crf=20).options
    assert chosen(("h264", 8, "none"), preset="slow").options["preset"] == "slow"


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (RATE, RATE),
        (Fraction(24), Fraction(24)),
        (Fraction(90000), Fraction(30)),
        (Fraction(123456, 5123), Fraction(123456, 5123).limit_denominator(1001)),
        (Fraction(1, 5000), Fraction(1, 1001)),
    ],
)
def test_an_encoder_is_told_a_rate_that_can_be(rate: Fraction, told: Fraction) -> None:
    assert encoder_rate(rate) == told


def error_of(encoding: Encoding, size: tuple[int, int] = SIZE, depth: int = 8) -> UserError:
    with pytest.raises(UserError) as caught:
        choose_encoder(encoding, depth=depth, size=size, rate=RATE, container_suffix=".mov")
    return caught.value


@pytest.mark.parametrize("name", ["nonesuch", "aac", "", "hevc_videotoolbox_x"])
def test_an_encoder_that_is_not_there(name: str) -> None:
    error = error_of(Encoding("h264", encoder=name))
    assert error.code in (ExitCode.OUTPUT, ExitCode.USAGE)
    assert name in error.message
    assert "libx264" in error.hint


def test_an_encoder_of_another_codec() -> None:
    error = error_of(Encoding("h264", encoder="ffv1"))
    assert error.code == ExitCode.USAGE
    assert "does not make H.264" in error.message


def test_another_encoder_of_the_codec() -> None:
    choice = choose_encoder(
        Encoding("prores422", encoder="prores_aw"), depth=10, size=SIZE, rate=RATE, container_suffix=".mov"
    )
    assert choice.encoder == "prores_aw"


def test_an_encoder_without_the_pixel_format() -> None:
    error = error_of(Encoding("h264", encoder="libx264rgb"))
    assert error.code == ExitCode.OUTPUT
    assert "can't encode H.264 of 258 x 130 px at 8 bits" in error.message


def test_dnxhr_has_a_least_size() -> None:
    error = error_of(Encoding("dnxhr"), (240, 136))
    assert error.code == ExitCode.OUTPUT
    assert "256 x 120" in error.hint


def test_pictures_have_no_encoder() -> None:
    with pytest.raises(ValueError, match="png"):
        choose_encoder(Encoding("png"), depth=8, size=SIZE, rate=RATE, container_suffix="")


def without(monkeypatch: pytest.MonkeyPatch, *broken: str) -> list[EncoderChoice]:
    """Encoders of these endings fail their trial; what was tried is returned."""
    tried: list[EncoderChoice] = []

    def trial(choice: EncoderChoice, *, size: tuple[int, int], rate: Fraction) -> bool:
        tried.append(choice)
        return not choice.encoder.endswith(broken)

    monkeypatch.setattr(encoder_choice, "works", trial)
    monkeypatch.setattr(
        encoder_choice, "codecs_available", {"h264_qsv", "h264_nvenc", "hevc_nvenc", *SOFTWARE.values()}
    )
    return tried


def test_hardware_that_fails_is_replaced_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = without(monkeypatch, "nvenc", "qsv")
    choice = chosen(("h264", 8, "none"), hardware=True)
    assert [one.encoder for one in tried] == ["h264_nvenc", "h264_qsv", "libx264"]
    assert choice.encoder == "libx264"
    assert "H.264" in choice.notice


def test_hardware_that_works_is_taken_at_the_real_size_and_format(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = without(monkeypatch, "nothing")
    choice = chosen(("hevc", 10, "none"), hardware=True, crf=21)
    assert [one.encoder for one in tried] == ["hevc_nvenc"]
    assert (choice.pix_fmt, choice.options["cq"], choice.options["bf"]) == ("p010le", "21", "0")
    assert choice.notice == ""


def test_hardware_is_left_alone_unless_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = without(monkeypatch, "nothing")
    chosen(("h264", 8, "none"))
    chosen(("prores422", 10, "none"), hardware=True)
    assert [one.encoder for one in tried] == ["libx264", "prores_ks"]


def test_this_machines_own_hardware_or_none_makes_a_file() -> None:
    choice = chosen(("h264", 8, "none"), (256, 144), hardware=True)
    assert works(choice, size=(256, 144), rate=RATE)
    assert (choice.encoder == "libx264") == bool(choice.notice)


@pytest.mark.parametrize("wish", [{}, {"hardware": True}])
def test_a_trial_that_fails_everywhere_says_so(wish: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "nvenc", "qsv", "libx264")
    error = error_of(Encoding("h264", **wish))
    assert error.code == ExitCode.OUTPUT
    assert "258 x 130" in error.message


def test_encoders_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for case, _, _ in CASES:
        chosen(case)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
