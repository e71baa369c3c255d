from __future__ import annotations

import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.recording import encoders
from app.pipeline.recording.encoders import HARDWARE, SOFTWARE, choose_encoder, quality_options, works


@pytest.mark.parametrize("codec", SOFTWARE)
def test_software_encodes_every_codec_at_an_odd_size_without_a_word(
    codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    choice = choose_encoder(codec, (97, 73), False)  # type: ignore[arg-type]
    assert (choice.name, choice.is_hardware, choice.notice) == (SOFTWARE[codec], False, "")  # type: ignore[index]
    assert choice.padding((97, 73)) == ((0, 0) if codec == "vp9" else (1, 1))
    assert capfd.readouterr() == ("", "")


def test_hardware_that_fails_its_trial_gives_way_to_software_with_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "works", lambda name, size: name == "libx264")
    choice = choose_encoder("h264", (64, 48), True)
    assert choice.name == "libx264"
    assert "H264" in choice.notice


def test_the_first_hardware_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "codecs_available", {"h264_nvenc", "h264_qsv", "libx264"})
    monkeypatch.setattr(encoders, "works", lambda name, size: name in ("h264_qsv", "libx264"))
    choice = choose_encoder("h264", (64, 48), True)
    assert (choice.name, choice.is_hardware, choice.notice) == ("h264_qsv", True, "")


def test_a_trial_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = encoders.open_context
    monkeypatch.setattr(encoders, "open_context", lambda *given: opened.append(given) or real(*given))
    for _ in range(3):
        assert works("libx264", (66, 50))
    assert len(opened) == 1


def test_a_size_no_encoder_takes_is_refused() -> None:
    with pytest.raises(UserError, match="can't be recorded at") as refused:
        choose_encoder("h264", (100_000, 50), True)
    assert refused.value.code is ExitCode.OUTPUT


def test_every_encoder_has_options_and_both_kinds_of_quality() -> None:
    for name in [*SOFTWARE.values(), *(n for names in HARDWARE.values() for n in names)]:
        assert encoders.options_for(name, (1280, 720))
        assert quality_options(name, crf=20) != quality_options(name, crf=30)
        assert quality_options(name, bitrate_kbps=1000)["b"] == "1000k"


@pytest.mark.parametrize(
    ("size", "cores", "preset"),
    [
        ((1280, 720), 2, "veryfast"),
        ((1920, 1080), 2, "superfast"),
        ((3840, 2160), 2, "ultrafast"),
        ((1920, 1080), 8, "veryfast"),
        ((640, 480), 1, "veryfast"),
    ],
)
def test_large_pictures_on_few_cores_are_encoded_faster(size, cores, preset):
    assert encoders.x264_preset(size, cores=cores) == preset
