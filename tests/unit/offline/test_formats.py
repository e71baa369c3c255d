from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.formats import (
    FORMATS,
    AlphaMode,
    Depth,
    Encoding,
    FormatName,
    check,
    crf_of,
    depth_of,
    format_for,
)
from app.pipeline.offline.presets import PRESETS, preset_named

FILES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif", ".webp")
VIDEOS = [name for name, form in FORMATS.items() if form.kind == "video"]


def refusal(encoding: Encoding, output: str) -> UserError:
    with pytest.raises(UserError) as caught:
        check(encoding, Path(output))
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.mp4", "h264"),
        ("a.M4V", "h264"),
        ("a.mov", "h264"),
        ("a.mkv", "h264"),
        ("a.webm", "vp9"),
        ("a.gif", "gif"),
        ("a.webp", "webp"),
        ("shots", "png"),
    ],
)
def test_the_ending_says_the_format(name: str, found: str) -> None:
    assert format_for(Path(name), None) == found


def test_a_wish_goes_before_the_ending(tmp_path: Path) -> None:
    assert format_for(Path("a.mov"), "prores422") == "prores422"
    folder = tmp_path / "shot.v2"
    folder.mkdir()
    assert format_for(folder, None) == "png"


@pytest.mark.parametrize("name", ["a.avi", "a.xyz", "a.png", "a.exr"])
def test_an_ending_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="folder") as caught:
        format_for(Path(name), None)
    assert caught.value.code == ExitCode.OUTPUT


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("suffix", FILES)
def test_a_file_holds_the_formats_of_the_table_only(name: FormatName, suffix: str) -> None:
    form = FORMATS[name]
    if suffix in form.suffixes:
        check(Encoding(name), Path(f"a{suffix}"))
        return
    error = refusal(Encoding(name), f"a{suffix}")
    assert error.code == ExitCode.OUTPUT
    assert form.title in error.message
    assert all(other in error.hint for other in form.suffixes)


def test_pictures_go_into_a_folder(tmp_path: Path) -> None:
    for name in ("png", "tiff", "exr"):
        check(Encoding(name), tmp_path / "new")
        check(Encoding(name), tmp_path / "shot.v2")
    assert "folder" in refusal(Encoding("png"), "a.png").hint
    assert refusal(Encoding("exr"), "a.mov").code == ExitCode.OUTPUT
    (tmp_path / "really.png").mkdir()
    check(Encoding("png"), tmp_path / "really.png")


@pytest.mark.parametrize("name", ["h264", "hevc", "av1", "prores422", "dnxhr", "gif"])
def test_alpha_is_refused_by_what_has_none(name: FormatName) -> None:
    suffix = FORMATS[name].suffixes[0]
    error = refusal(Encoding(name, alpha="straight"), f"a{suffix}")
    assert error.code == ExitCode.USAGE
    for able in ("VP9", "ProRes 4444", "FFV1", "PNG", "TIFF", "EXR", "WebP"):
        assert able in error.hint


@pytest.mark.parametrize("alpha", ["straight", "premultiplied"])
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("vp9", "a.webm"),
        ("vp9", "a.mkv"),
        ("prores4444", "a.mov"),
        ("ffv1", "a.mkv"),
        ("png", "a"),
        ("tiff", "a"),
        ("exr", "a"),
        ("webp", "a.webp"),
    ],
)
def test_alpha_is_had_where_it_is_kept(name: FormatName, output: str, alpha: AlphaMode) -> None:
    check(Encoding(name, alpha=alpha), Path(output))


def test_mp4_would_drop_the_alpha_of_vp9() -> None:
    error = refusal(Encoding("vp9", alpha="straight"), "a.mp4")
    assert error.code == ExitCode.OUTPUT
    assert ".webm or .mkv" in error.hint


@pytest.mark.parametrize(
    ("name", "depth", "alpha"),
    [("vp9", 10, "none"), ("h264", 16, "none"), ("prores422", 8, "none"), ("exr", 8, "none"), ("gif", 10, "none")],
)
def test_a_depth_that_is_not_there_is_refused(name: FormatName, depth: Depth, alpha: AlphaMode) -> None:
    output = "a" if FORMATS[name].kind == "pictures" else f"a{FORMATS[name].suffixes[0]}"
    error = refusal(Encoding(name, depth=depth, alpha=alpha), output)
    assert error.code == ExitCode.USAGE
    assert f"{depth} bits" in error.message
    assert all(str(other) in error.hint for other in FORMATS[name].depths)


@pytest.mark.parametrize("name", ["prores422", "prores4444", "dnxhr"])
def test_full_range_is_refused_where_players_would_not_know(name: FormatName) -> None:
    assert refusal(Encoding(name, full_range=True), "a.mov").code == ExitCode.USAGE
    check(Encoding("h264", full_range=True), Path("a.mp4"))


@pytest.mark.parametrize("encoding", [Encoding(crf=-1), Encoding(crf=52), Encoding(preset="lightning")])
def test_quality_and_speed_have_limits(encoding: Encoding) -> None:
    assert refusal(encoding, "a.mp4").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "depths"),
    [
        ("h264", (8, 8, 8, 8)),
        ("hevc", (8, 10, 10, 10)),
        ("av1", (8, 10, 10, 10)),
        ("vp9", (8, 8, 8, 8)),
        ("prores422", (10, 10, 10, 10)),
        ("prores4444", (10, 10, 10, 10)),
        ("dnxhr", (8, 10, 10, 10)),
        ("ffv1", (8, 10, 16, 16)),
        ("png", (8, 16, 16, 16)),
        ("tiff", (16, 16, 16, 16)),
        ("exr", (16, 16, 16, 16)),
        ("gif", (8, 8, 8, 8)),
        ("webp", (8, 8, 8, 8)),
    ],
)
def test_deep_clips_keep_their_bits_where_that_can_be_played(name: FormatName, depths: tuple[int, ...]) -> None:
    assert tuple(depth_of(Encoding(name), bits) for bits in (8, 10, 12, 16)) == depths


def test_a_depth_that_is_wished_is_had() -> None:
    assert depth_of(Encoding("h264", depth=10), 8) == 10
    assert depth_of(Encoding("hevc", depth=8), 10) == 8


def test_every_format_of_adjustable_quality_has_its_own() -> None:
    assert {name for name in FORMATS if crf_of(Encoding(name)) is not None} == {"h264", "hevc", "av1", "vp9"}
    assert crf_of(Encoding("hevc", crf=30)) == 30
    assert crf_of(Encoding("prores422", crf=30)) is None


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.slug)
def test_a_delivery_can_be_had(preset: object) -> None:
    assert preset in PRESETS
    found = preset_named(getattr(preset, "slug", ""))
    check(found.encoding, Path(f"clip{found.suffix}"))
    assert found.sentence.endswith(".")
    assert (found.encoding.alpha == "none") or found.content == "foreground"
    assert FORMATS[found.encoding.format].kind != "pictures" or found.suffix == ""


def test_deliveries_are_found_by_slug_or_title() -> None:
    assert len({preset.slug for preset in PRESETS}) == len(PRESETS)
    assert all(preset_named(preset.title.upper()) is preset for preset in PRESETS)
    youtube = preset_named("youtube-1080p")
    assert (youtube.max_size, youtube.suffix, youtube.encoding.crf) == ((1920, 1080), ".mp4", 18)


def test_an_unknown_delivery_is_answered_with_what_there_is() -> None:
    with pytest.raises(UserError) as caught:
        preset_named("youtube")
    assert caught.value.code == ExitCode.USAGE
    assert "Did you mean “youtube-1080p”?" in caught.value.hint
    assert all(preset.slug in caught.value.hint for preset in PRESETS)
