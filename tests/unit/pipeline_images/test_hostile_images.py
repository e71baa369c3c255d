import contextlib
import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.images import LoadedImage, load_image
from tests.unit.pipeline_images import picture_files as files

NOISE = np.random.default_rng(1).integers(0, 256, (40, 64, 3), dtype=np.uint8)


def refusal(path):
    with pytest.raises(UserError) as caught:
        load_image(path)
    assert caught.value.code == ExitCode.BAD_INPUT
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def write(tmp_path, data, name="picture.png"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_missing_file_a_folder_and_an_empty_file_are_told_apart(tmp_path):
    assert "There is no picture" in refusal(tmp_path / "nowhere.png")
    assert "not a file" in refusal(tmp_path)
    assert "empty" in refusal(write(tmp_path, b""))


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a file" in refusal(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    "data", [b"just some text", b"%PDF-1.7 " + bytes(200), bytes(64), b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_what_is_no_picture_is_called_so_whatever_its_name(tmp_path, data):
    assert "not a picture" in refusal(write(tmp_path, data, "holiday.jpg"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_picture_that_is_cut_off_is_refused_never_half_shown(tmp_path, kind, share):
    data = files.encode(NOISE, kind)
    message = refusal(write(tmp_path, data[: int(len(data) * share)]))
    assert "damaged or cut off" in message or "not a picture" in message


@pytest.mark.parametrize("make", [files.png_16_bits, files.tiff_16_bits])
def test_a_16_bit_picture_that_is_cut_off_is_refused(tmp_path, make):
    data = make(NOISE.astype(np.uint16) * 257)
    assert "damaged" in refusal(write(tmp_path, data[: len(data) * 2 // 3]))


@pytest.mark.parametrize("size", [(16384, 16384), (12000, 9000), (200_000_000, 1)])
def test_a_picture_over_the_limit_is_refused_from_its_header_with_the_limit_named(tmp_path, size):
    message = refusal(write(tmp_path, files.png_header_claiming(*size)))
    assert "100 megapixels" in message
    assert f"{size[0] * size[1] / 1e6:.0f} megapixels" in message


def test_wide_number_pictures_are_refused(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.ones((8, 8), np.float32)).save(buffer, "TIFF")
    assert "neither 8 nor 16 bits" in refusal(write(tmp_path, buffer.getvalue()))


def test_an_unreadable_file_is_named_as_such(tmp_path):
    path = write(tmp_path, files.encode(NOISE, "PNG"))
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root reads everything: step down for the moment
        os.seteuid(65534)
    try:
        assert "cannot be read" in refusal(path)
    finally:
        os.seteuid(user)


SEEDS = [files.encode(NOISE, kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")]
SEEDS += [files.png_16_bits(NOISE.astype(np.uint16) * 257), files.tiff_16_bits(NOISE.astype(np.uint16) * 257)]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0.2, 1),
)
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_ends_in_a_picture_or_a_sentence_never_in_a_traceback(tmp_path, seed, changes, kept):
    data = bytearray(seed)
    for place, value in changes:
        # Squared: headers, where it hurts, are hit more often.
        data[int(place**2 * (len(data) - 1))] = value
    path = write(tmp_path, bytes(data[: int(len(data) * kept)]))
    with contextlib.suppress(UserError):
        assert isinstance(load_image(path), LoadedImage)
