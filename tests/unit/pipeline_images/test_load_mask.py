import numpy as np
import pytest
from PIL import Image

from app.domain.errors import UserError
from app.pipeline.images import load_mask
from tests.unit.pipeline_images import picture_files as files

RAMP = np.linspace(0, 255, 200).astype(np.uint8).reshape(10, 20)


@pytest.fixture
def mask_of(tmp_path):
    def from_bytes(data, size=(20, 10)):
        path = tmp_path / "mask.png"
        path.write_bytes(data)
        return load_mask(path, size)

    return from_bytes


def test_grey_rgb_alpha_and_16_bit_masks_mean_the_same(mask_of):
    colours = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)
    for data in (
        files.encode(RAMP, "PNG"),
        files.encode(np.dstack([RAMP] * 3), "PNG"),
        files.encode(np.dstack([colours, RAMP]), "PNG"),
        files.png_16_bits(RAMP.astype(np.uint16) * 257),
        files.png_16_bits(np.dstack([colours, RAMP]).astype(np.uint16) * 257),
    ):
        mask = mask_of(data)
        np.testing.assert_array_equal(mask.alpha, RAMP)
        assert mask.notes == ()


def test_an_opaque_alpha_channel_leaves_the_grey_value_in_charge(mask_of):
    opaque = np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 255)])
    np.testing.assert_array_equal(mask_of(files.encode(opaque, "PNG")).alpha, RAMP)


def test_bilevel_and_0_or_1_masks_cover_fully(mask_of):
    ones = RAMP > 100
    np.testing.assert_array_equal(mask_of(files.encode(ones, "PNG")).alpha, ones * 255)
    labelled = mask_of(files.encode(ones.astype(np.uint8), "PNG"))
    np.testing.assert_array_equal(labelled.alpha, ones * 255)
    assert "0 and 1" in labelled.notes[0]


def test_an_empty_mask_stays_empty(mask_of):
    assert not mask_of(files.encode(np.zeros((10, 20), np.uint8), "PNG")).alpha.any()


def test_a_colour_profile_does_not_bend_coverage(mask_of):
    np.testing.assert_array_equal(mask_of(files.encode(RAMP, "PNG", icc_profile=files.grey_profile(1.0))).alpha, RAMP)


def test_an_exif_rotated_mask_is_turned_like_the_picture(mask_of):
    exif = Image.Exif()
    exif[274] = 6
    turned = mask_of(files.encode(RAMP, "PNG", exif=exif.tobytes()), size=(10, 20))
    np.testing.assert_array_equal(turned.alpha, np.rot90(RAMP, -1))


@pytest.mark.parametrize("size", [(40, 20), (10, 5), (200, 101)])
def test_another_size_is_resized_with_a_note(mask_of, size):
    mask = mask_of(files.encode(RAMP, "PNG"), size)
    assert mask.alpha.shape == size[::-1]
    assert "resized from 20 x 10" in mask.notes[0]
    assert mask.alpha[-1].mean() > mask.alpha[0].mean() + 150


@pytest.mark.parametrize("size", [(400, 300), (10, 20), (20, 20)])
def test_another_aspect_is_refused_with_both_sizes_named(mask_of, size):
    with pytest.raises(UserError, match=f"20 x 10, the picture {size[0]} x {size[1]}"):
        mask_of(files.encode(RAMP, "PNG"), size)


def test_aspects_that_differ_by_rounding_are_accepted(mask_of):
    assert mask_of(files.encode(RAMP, "PNG"), (641, 320)).alpha.shape == (320, 641)
    assert mask_of(files.encode(RAMP, "PNG"), (3, 1)).alpha.shape == (1, 3)


def test_what_is_no_picture_is_no_mask(mask_of):
    with pytest.raises(UserError, match="not a picture"):
        mask_of(b"alpha")
