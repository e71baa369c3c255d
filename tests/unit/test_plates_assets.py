import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.images import load_image
from app.pipeline.plates import DEFAULT_PLATES
from assets.draw_plates import FULL_SIZE, SCENES, draw_plate, encode_jpeg, main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "assets" / "plates"


@pytest.fixture(scope="module")
def thumbnails():
    """Each shipped plate at 96 x 54."""
    return {
        name: cv2.resize(load_image(FOLDER / file).pixels, (96, 54), interpolation=cv2.INTER_AREA)
        for name, file in DEFAULT_PLATES.items()
    }


def test_files_names_scenes_and_qt_resources_agree():
    on_disk = {path.name for path in FOLDER.glob("*.jpg")}
    listed = re.findall(r'<file alias="([^"]+)">assets/plates/\1</file>', (ROOT / "resources.qrc").read_text())
    assert on_disk == set(DEFAULT_PLATES.values()) == set(listed)
    assert len(listed) == len(on_disk)
    assert set(SCENES) == set(DEFAULT_PLATES)


@pytest.mark.parametrize("name", DEFAULT_PLATES)
def test_a_plate_is_full_hd_small_on_disk_and_does_not_band(name):
    path = FOLDER / DEFAULT_PLATES[name]
    assert path.stat().st_size < 350_000
    pixels = load_image(path).pixels
    assert pixels.shape == (FULL_SIZE[1], FULL_SIZE[0], 3)
    # Bands are wide runs of one level: the grain must leave hardly any 8 x 8 block flat.
    blocks = pixels[..., 1].reshape(135, 8, 240, 8).swapaxes(1, 2).reshape(-1, 64)
    # Lamps and the sun are white on purpose.
    unclipped = blocks[blocks.max(axis=1) < 250]
    assert (np.ptp(unclipped, axis=1) == 0).mean() < 0.02


def test_plates_have_the_light_that_their_names_promise(thumbnails):
    red, green, blue = np.array([thumbnails[name].mean(axis=(0, 1)) for name in thumbnails]).T
    mean = {name: rgb for name, rgb in zip(thumbnails, np.stack([red, green, blue], axis=1), strict=True)}
    warmth = {name: rgb[0] - rgb[2] for name, rgb in mean.items()}
    brightness = {name: rgb @ [0.2126, 0.7152, 0.0722] for name, rgb in mean.items()}
    assert min(warmth["sunset"], warmth["library"]) > 30 > -15 > warmth["mountains"]
    assert max(brightness["night-street"], brightness["neon"], brightness["library"]) < 100
    assert min(brightness["mountains"], brightness["loft"]) > 140
    assert mean["forest"].argmax() == 1
    assert mean["neon"].argmin() == 1
    assert abs(warmth["studio"]) < 25


@pytest.mark.parametrize("name", ["studio", "mountains", "night-street"])
def test_drawing_again_at_another_size_gives_the_plate_that_is_shipped(name, thumbnails):
    soft = [cv2.GaussianBlur(p.astype(np.float32), (0, 0), 4) for p in (draw_plate(name, (96, 54)), thumbnails[name])]
    assert np.abs(soft[0] - soft[1]).mean() < 5


@pytest.mark.parametrize("name", ["studio", "mountains", "neon"])
def test_nothing_in_a_drawing_is_random_between_runs(name):
    np.testing.assert_array_equal(draw_plate(name, (64, 36)), draw_plate(name, (64, 36)))


def test_the_script_writes_the_files_asked_for(tmp_path):
    folder = tmp_path / "new"
    assert main(["--out", str(folder), "--only", "studio", "--size", "64", "36"]) == 0
    assert load_image(folder / "studio.jpg").size == (64, 36)
    assert [path.name for path in folder.iterdir()] == ["studio.jpg"]


def test_a_noisy_picture_is_compressed_until_it_is_small_enough():
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    assert len(encode_jpeg(noise)) <= 340_000
