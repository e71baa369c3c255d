import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from app.pipeline.icc import srgb_profile_bytes
from app.pipeline.images import load_image
from tests.unit.pipeline_images import picture_files as files

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
NOISE16 = RNG.integers(0, 65536, (12, 20, 3), dtype=np.uint16)


@pytest.fixture
def load(tmp_path):
    def from_bytes(data, name="picture.png"):
        path = tmp_path / name
        path.write_bytes(data)
        return load_image(path)

    return from_bytes


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_come_back_bit_exact(load, kind, options):
    loaded = load(files.encode(NOISE, kind, **options))
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    assert loaded.size == (20, 12)
    assert (loaded.bit_depth, loaded.alpha, loaded.notes) == (8, None, ())
    assert not loaded.pixels.flags.writeable


def test_the_content_decides_not_the_name(load):
    np.testing.assert_array_equal(load(files.encode(NOISE, "PNG"), "holiday.jpg").pixels, NOISE)


@pytest.mark.parametrize("make", [files.png_16_bits, files.tiff_16_bits])
def test_16_bit_colour_keeps_all_16_bits_and_is_rounded_to_8_beside(load, make):
    loaded = load(make(NOISE16))
    assert loaded.bit_depth == 16
    np.testing.assert_array_equal(loaded.pixels16, NOISE16)
    np.testing.assert_array_equal(loaded.pixels, np.rint(NOISE16 / 257))


def test_16_bit_grey_is_scaled_not_clipped(load):
    grey = np.linspace(0, 65535, 240).astype(np.uint16).reshape(12, 20)
    loaded = load(files.png_16_bits(grey))
    np.testing.assert_array_equal(loaded.pixels[..., 1], np.rint(grey / 257))
    np.testing.assert_array_equal(loaded.pixels16[..., 2], grey)


def test_16_bit_alpha_is_kept_apart(load):
    with_alpha = np.dstack([NOISE16, NOISE16[..., 0]])
    loaded = load(files.png_16_bits(with_alpha))
    np.testing.assert_array_equal(loaded.pixels16, NOISE16)
    np.testing.assert_array_equal(loaded.alpha16, NOISE16[..., 0])
    np.testing.assert_array_equal(loaded.alpha, np.rint(NOISE16[..., 0] / 257))


def exif_bytes(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def test_a_white_is_zero_tiff_of_16_bits_is_not_a_negative(load):
    grey = NOISE16[..., 0].copy()
    buffer = io.BytesIO()
    Image.fromarray(65535 - grey).save(buffer, "TIFF", tiffinfo={262: 0})
    tagged = load(buffer.getvalue())
    if Image.open(io.BytesIO(buffer.getvalue())).tag_v2[262] != 0:
        pytest.skip("this Pillow does not write the white-is-zero tag")
    np.testing.assert_array_equal(tagged.pixels16[..., 0], grey)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(load, orientation):
    reference = Image.fromarray(NOISE)
    reference.getexif()[274] = orientation
    upright = np.asarray(ImageOps.exif_transpose(reference))
    png = files.encode(NOISE, "PNG", exif=exif_bytes(orientation))
    np.testing.assert_array_equal(load(png).pixels, upright)
    deep = NOISE.astype(np.uint16) * 257
    deep_png = files.with_png_chunk(files.png_16_bits(deep), b"eXIf", exif_bytes(orientation).removeprefix(b"Exif\0\0"))
    for data in (deep_png, files.tiff_16_bits(deep, orientation=orientation)):
        loaded = load(data)
        assert loaded.bit_depth == 16
        np.testing.assert_array_equal(loaded.pixels, upright)


def test_broken_exif_data_does_not_spoil_a_whole_picture(load):
    data = files.with_png_chunk(files.encode(NOISE, "PNG"), b"eXIf", b"MM\0*\0\0\0\x08\xff\xff garbage")
    np.testing.assert_array_equal(load(data).pixels, NOISE)


def test_grey_palette_and_bilevel_pictures_become_rgb(load):
    grey = NOISE[..., 0].copy()
    np.testing.assert_array_equal(load(files.encode(grey, "PNG")).pixels, np.dstack([grey] * 3))
    palette = Image.fromarray(NOISE).quantize(16)
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    np.testing.assert_array_equal(load(buffer.getvalue()).pixels, np.asarray(palette.convert("RGB")))
    bilevel = load(files.encode(grey > 128, "PNG"))
    np.testing.assert_array_equal(bilevel.pixels[..., 0], (grey > 128) * 255)


def test_transparency_is_kept_straight_and_flattened_on_request(load):
    alpha = NOISE[..., 0].copy()
    loaded = load(files.encode(np.dstack([NOISE, alpha]), "PNG"))
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    np.testing.assert_array_equal(loaded.alpha, alpha)
    flat = loaded.flattened((10, 20, 30))
    expected = NOISE * (alpha[..., None] / 255) + np.array([10, 20, 30]) * (1 - alpha[..., None] / 255)
    assert np.abs(flat - expected).max() <= 0.5


def test_palette_transparency_becomes_alpha(load):
    picture = Image.fromarray(NOISE).quantize(8)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=3)
    np.testing.assert_array_equal(load(buffer.getvalue()).alpha == 0, np.asarray(picture) == 3)


def test_an_alpha_channel_that_is_opaque_everywhere_is_no_alpha(load):
    opaque = np.dstack([NOISE, np.full((12, 20), 255, np.uint8)])
    assert load(files.encode(opaque, "PNG")).alpha is None


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_an_animation_gives_its_first_frame_and_says_so(load, kind):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    red.save(buffer, kind, save_all=True, append_images=[blue], duration=100, **options)
    loaded = load(buffer.getvalue())
    assert (loaded.pixels == (255, 0, 0)).all()
    assert "first one" in loaded.notes[0]


def test_cmyk_without_a_profile_is_converted_with_a_warning_note(load):
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    buffer = io.BytesIO()
    cyan.save(buffer, "TIFF")
    loaded = load(buffer.getvalue())
    assert (loaded.pixels == (0, 255, 255)).all()
    assert "CMYK" in loaded.notes[0]


def test_cmyk_with_a_profile_goes_through_the_profile(load):
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    buffer = io.BytesIO()
    cyan.save(buffer, "TIFF", icc_profile=files.cmyk_profile_in_which_cyan_prints_red())
    red, green, blue = load(buffer.getvalue()).pixels[4, 4].astype(int)
    assert red > 180
    assert max(green, blue) < 90


def test_lab_pictures_are_converted(load):
    buffer = io.BytesIO()
    Image.new("LAB", (8, 8), (128, 128, 128)).save(buffer, "TIFF")
    loaded = load(buffer.getvalue())
    assert np.ptp(loaded.pixels[4, 4].astype(int)) <= 2
    assert loaded.pixels[4, 4, 0] == pytest.approx(119, abs=2)  # L* 50


def test_an_srgb_profile_changes_no_bit(load):
    loaded = load(files.encode(NOISE, "PNG", icc_profile=srgb_profile_bytes()))
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    assert loaded.notes == ()


def test_a_wide_gamut_profile_is_converted_to_srgb_and_named(load):
    profile = files.matrix_profile()
    loaded = load(files.encode(NOISE, "PNG", icc_profile=profile))
    converted = ImageCms.profileToProfile(
        Image.fromarray(NOISE), io.BytesIO(profile), ImageCms.createProfile("sRGB"), renderingIntent=1
    )
    assert np.abs(loaded.pixels.astype(int) - np.asarray(converted)).max() <= 1
    assert np.abs(loaded.pixels.astype(int) - NOISE).max() > 20
    assert "test profile" in loaded.notes[0]


PARAMETRIC_SRGB = (
    b"para\0\0\0\0\0\x03\0\0"
    + np.array([2.4 * 65536, 65536 / 1.055, 65536 * 0.055 / 1.055, 65536 / 12.92, 65536 * 0.04045])
    .astype(">i4")
    .tobytes()
)
TABLE_CURVE = b"curv\0\0\0\0\0\0\0\x05" + np.array([0, 9000, 20000, 40000, 65535]).astype(">u2").tobytes()
IDENTITY_CURVE = b"curv\0\0\0\0\0\0\0\0"


@pytest.mark.parametrize("curve", [None, PARAMETRIC_SRGB, TABLE_CURVE, IDENTITY_CURVE])
def test_16_bit_pictures_are_converted_as_littlecms_does_at_8_bits(load, curve):
    profile = files.matrix_profile(curve=curve)
    deep = load(
        files.with_png_chunk(
            files.png_16_bits(NOISE.astype(np.uint16) * 257), b"iCCP", b"p\0\0" + zlib.compress(profile)
        )
    )
    shallow = load(files.encode(NOISE, "PNG", icc_profile=profile))
    assert deep.bit_depth == 16
    difference = np.abs(deep.pixels.astype(int) - shallow.pixels)
    assert difference.max() <= 2
    assert difference.mean() < 0.3


def test_a_16_bit_conversion_is_smooth_where_8_bits_would_step(load):
    ramp = np.broadcast_to(np.linspace(30000, 31000, 500).astype(np.uint16)[None, :, None], (4, 500, 3))
    data = files.with_png_chunk(
        files.png_16_bits(ramp.copy()), b"iCCP", b"p\0\0" + zlib.compress(files.matrix_profile())
    )
    steps = np.diff(load(data).pixels16[0, :, 0].astype(int))
    assert steps.min() >= 0
    assert steps.max() <= 4


def test_grey_profiles_are_honoured_at_both_depths(load):
    grey = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
    profile = files.grey_profile(1.75)
    shallow = load(files.encode(grey, "PNG", icc_profile=profile))
    deep = load(
        files.with_png_chunk(
            files.png_16_bits(grey.astype(np.uint16) * 257), b"iCCP", b"p\0\0" + zlib.compress(profile)
        )
    )
    linear = (grey / 255) ** 1.75
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(deep.pixels[..., 0] - expected).max() <= 0.51
    assert np.abs(shallow.pixels[..., 0] - expected).max() <= 2


def test_a_damaged_profile_is_ignored_and_says_so(load):
    loaded = load(files.encode(NOISE, "PNG", icc_profile=b"not a profile" * 20))
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    assert "profile" in loaded.notes[0]


def test_a_profile_for_another_kind_of_picture_is_ignored_and_says_so(load):
    loaded = load(files.encode(NOISE, "PNG", icc_profile=files.cmyk_profile_in_which_cyan_prints_red()))
    np.testing.assert_array_equal(loaded.pixels, NOISE)
    assert "another kind" in loaded.notes[0]
