import io

import numpy as np
import pytest
import torch
from PIL import Image

from harmonizer.metrics import fmse
from harmonizer.training.evaluate import EvalSet
from harmonizer.training.sheets import (
    TILE_PX,
    draw_sheet,
    evenly,
    outlined,
    png_bytes,
    sheet_row,
    tile_size,
    training_sheet,
)
from tests.support.datasets import darkened, region, scene

SIZE = (120, 90)


def row(seed=1, *, factor=0.6, outputs=("reinhard", "ours"), size=SIZE, aspect=None):
    truth, mask = scene(seed, size), region(0.4, size)
    made = {name: darkened(truth, mask, factor + 0.1 * i) for i, name in enumerate(outputs, 1)}
    composite = darkened(truth, mask, factor)
    return sheet_row(
        f"p{seed}", composite=composite, truth=truth, inside=mask > 0, outputs=made, aspect=aspect
    )  # fmt: skip


def has_colour(sheet, rgb):
    return bool((np.asarray(sheet) == rgb).all(axis=2).any())


def test_a_row_has_tiles_in_order_and_errors_of_all_but_the_truth():
    truth, mask = scene(1, SIZE), region(0.4, SIZE)
    composite = darkened(truth, mask)
    made = sheet_row("a", composite=composite, truth=truth, inside=mask > 0, outputs={"ours": truth})
    assert list(made.tiles) == ["composite", "ours", "truth"]
    assert made.errors == {"composite": pytest.approx(fmse(composite, truth, mask > 0)), "ours": 0.0}
    assert {tile.shape for tile in made.tiles.values()} == {(*reversed(tile_size(SIZE[0] / SIZE[1])), 3)}


def test_tiles_of_any_shape_cover_about_the_same_area():
    for aspect in (0.5, 2 / 3, 1.0, 16 / 9, 2.0):
        width, height = tile_size(aspect)
        assert width / height == pytest.approx(aspect, rel=0.02)
        assert width * height == pytest.approx(TILE_PX**2, rel=0.02)
    assert tile_size(8.0) == tile_size(2.0)
    assert row(aspect=0.5).tiles["truth"].shape[:2] == tuple(reversed(tile_size(0.5)))


def test_the_outline_runs_around_the_mask_and_leaves_the_foreground_bare():
    pixels = np.full((20, 30, 3), 90, np.uint8)
    inside = np.zeros((20, 30), bool)
    inside[5:15, 10:20] = True
    changed = (outlined(pixels, inside) != pixels).any(axis=2)
    expected = np.zeros_like(inside)
    expected[4, 10:20] = expected[15, 10:20] = expected[5:15, 9] = expected[5:15, 20] = True
    assert np.array_equal(changed, expected)
    assert set(np.unique(outlined(pixels, inside)[changed])) == {0, 255}
    assert np.array_equal(outlined(pixels, ~np.zeros_like(inside)), pixels)


def test_24_pictures_are_two_blocks_of_twelve_rows():
    rows = [row(i) for i in range(24)]
    sheet = draw_sheet(rows, title="people")
    width, height = tile_size(SIZE[0] / SIZE[1])
    assert sheet.mode == "RGB"
    assert 8 * width < sheet.width < 8 * width + 120
    assert 12 * height < sheet.height < 12 * (height + 30) + 100
    alone = draw_sheet(rows[:6], title="people")
    assert 4 * width < alone.width < 4 * width + 60


def test_many_methods_take_the_whole_width():
    outputs = tuple(f"m{i}" for i in range(6))
    width = tile_size(SIZE[0] / SIZE[1])[0]
    sheet = draw_sheet([row(i, outputs=outputs) for i in range(8)], title="")
    assert 8 * width < sheet.width < 8 * width + 80


def test_every_tile_is_on_the_sheet_unchanged():
    made = row(3)
    sheet = np.asarray(draw_sheet([made, row(4)], title="two"))
    for tile in made.tiles.values():
        height, width = tile.shape[:2]
        places = np.argwhere((sheet[: -height + 1, : -width + 1] == tile[0, 0]).all(axis=2))
        assert any(np.array_equal(sheet[y : y + height, x : x + width], tile) for y, x in places)


def test_the_best_figure_is_green_and_a_worse_one_red():
    green, red = (125, 215, 140), (240, 125, 115)
    assert has_colour(draw_sheet([row(factor=0.6)], title=""), green)
    assert not has_colour(draw_sheet([row(factor=0.6)], title=""), red)
    assert has_colour(draw_sheet([row(factor=1.0)], title=""), red)


def test_pictures_of_several_shapes_and_long_names_share_a_sheet():
    rows = [row(i, size=size, outputs=("x" * 200, "y")) for i, size in enumerate(((60, 90), (300, 60), (80, 80)))]
    sheet = draw_sheet(rows, title="t" * 500)
    assert sheet.width < 4 * tile_size(2.0)[0] + 60
    with pytest.raises(ValueError, match="at least one"):
        draw_sheet([], title="")


def test_training_sheet_shows_an_evenly_spread_part():
    truths = torch.stack([torch.tensor(scene(i, (64, 64))).permute(2, 0, 1) for i in range(9)])
    masks = torch.zeros(9, 1, 64, 64)
    masks[:, :, 20:, 5:40] = 1
    composites = torch.where(masks > 0, truths // 2, truths)
    data = EvalSet(composites, truths, masks, torch.zeros(9, 5))
    sheet = training_sheet(truths, data, 3)
    assert sheet.size == training_sheet(composites, data, 3).size
    assert 4 * TILE_PX < sheet.width < 4 * TILE_PX + 60
    assert 3 * TILE_PX < sheet.height < 3 * TILE_PX + 180
    assert Image.open(io.BytesIO(png_bytes(sheet))).size == sheet.size


def test_evenly_spreads_without_repeating():
    assert evenly(10, 3) == [0, 3, 6]
    assert evenly(3, 10) == evenly(3, None) == [0, 1, 2]
    assert evenly(5, 0) == evenly(0, None) == []
