import io
import resource

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.domain.errors import ExitCode, UserError
from app.pipeline.images import SAVE_SUFFIXES, check_output, load_image, save_image

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (30, 41, 3), dtype=np.uint8)
NOISE16 = RNG.integers(0, 65536, (30, 41, 3), dtype=np.uint16)
SMOOTH = np.dstack([np.linspace(20, 220, 30 * 41).reshape(30, 41)] * 3).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize("pixels", [NOISE, NOISE16], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("alpha", [None, NOISE[..., 0].copy()], ids=["opaque", "alpha"])
def test_png_and_tiff_give_back_every_bit(tmp_path, suffix, pixels, alpha):
    path = tmp_path / f"out{suffix}"
    assert save_image(path, pixels, alpha=alpha) == ()
    loaded = load_image(path)
    np.testing.assert_array_equal(loaded.pixels if pixels is NOISE else loaded.pixels16, pixels)
    if alpha is not None:
        np.testing.assert_array_equal(loaded.alpha, alpha)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_16_bit_alpha_survives(tmp_path):
    save_image(tmp_path / "out.png", NOISE16, alpha=NOISE16[..., 1].copy())
    np.testing.assert_array_equal(load_image(tmp_path / "out.png").alpha16, NOISE16[..., 1])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_stay_close(tmp_path, suffix):
    assert save_image(tmp_path / f"out{suffix}", SMOOTH) == ()
    assert np.abs(load_image(tmp_path / f"out{suffix}").pixels.astype(int) - SMOOTH).max() <= 5


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_formats_of_8_bits_round_16_and_say_so(tmp_path, suffix):
    (note,) = save_image(tmp_path / f"out{suffix}", SMOOTH.astype(np.uint16) * 257)
    assert "8 bits" in note
    assert np.abs(load_image(tmp_path / f"out{suffix}").pixels.astype(int) - SMOOTH).max() <= 5


def test_jpeg_lays_transparency_on_white_and_says_so(tmp_path):
    alpha = np.zeros(SMOOTH.shape[:2], np.uint8)
    alpha[:, :16] = 255
    (note,) = save_image(tmp_path / "out.jpg", SMOOTH, alpha=alpha)
    assert "white" in note
    assert load_image(tmp_path / "out.jpg").pixels[:, 28:].min() >= 250


def test_webp_keeps_alpha(tmp_path):
    save_image(tmp_path / "out.webp", SMOOTH, alpha=NOISE[..., 0].copy())
    np.testing.assert_array_equal(load_image(tmp_path / "out.webp").alpha, NOISE[..., 0])


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_files_carry_an_srgb_profile(tmp_path, suffix):
    save_image(tmp_path / f"out{suffix}", SMOOTH)
    with Image.open(tmp_path / f"out{suffix}") as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)


@pytest.mark.parametrize("pixels", [NOISE, NOISE16], ids=["8 bits", "16 bits"])
def test_png_is_tagged_as_srgb(tmp_path, pixels):
    save_image(tmp_path / "out.png", pixels)
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        assert image.info["srgb"] == 0


def refusal(path, pixels=SMOOTH):
    with pytest.raises(UserError) as caught:
        save_image(path, pixels)
    assert caught.value.code == ExitCode.OUTPUT
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("name", ["out", "out.bmp", "out.gif", "out.heic", ".png"])
def test_an_unknown_ending_is_refused_and_the_known_ones_named(tmp_path, name):
    refusal(tmp_path / name)
    with pytest.raises(UserError) as caught:
        check_output(tmp_path / name)
    assert all(suffix in caught.value.hint for suffix in SAVE_SUFFIXES)


def test_a_missing_folder_is_named(tmp_path):
    assert "no folder" in refusal(tmp_path / "nowhere" / "out.png")


def test_a_folder_under_the_output_name_is_left_alone(tmp_path):
    (tmp_path / "out.png").mkdir()
    assert "could not be written" in refusal(tmp_path / "out.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"the last good one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        message = refusal(path, RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "could not be written" in message
    assert path.read_bytes() == b"the last good one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.parametrize(("suffix", "width"), [(".jpg", 66_000), (".webp", 17_000)])
def test_a_size_the_format_cannot_hold_is_refused_with_a_way_out(tmp_path, suffix, width):
    assert f"{width} x 1" in refusal(tmp_path / f"out{suffix}", np.zeros((1, width, 3), np.uint8))
    assert not list(tmp_path.iterdir())
