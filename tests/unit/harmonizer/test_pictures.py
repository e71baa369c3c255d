from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from harmonizer.config import SemanticClass
from harmonizer.training.pictures import (
    Collection,
    NothingUsableError,
    group_near_duplicates,
    listed_split,
    load_pictures,
    split_of,
    split_pictures,
    tile_boxes,
)
from tests.support.datasets import region, save, scene, write_plain
from tests.support.training import assert_equal_pictures, packed, with_pairs


def source_in(part, start=0):
    """A source hash that falls into a part."""
    return next(s for i in range(start, start + 1000) if split_of(s := f"{i:016x}") == part)


def test_plain_folder_is_packed_with_class_masks_and_names(tmp_path):
    loaded = load_pictures([Collection(write_plain(tmp_path / "people", 3), SemanticClass.PERSON)], side_px=40)
    assert loaded.images.shape == (3, 3, 40, 40)
    assert loaded.masks.shape == (3, 1, 40, 40)
    assert loaded.names == ("people/000.png", "people/001.png", "people/002.png")
    assert loaded.labels.tolist() == [int(SemanticClass.PERSON)] * 3
    assert loaded.has_mask.all()
    assert float(loaded.masks[0].float().mean()) / 255 == pytest.approx(0.3, abs=0.05)
    assert len(set(loaded.sources)) == 3


def test_broken_files_are_named_and_left_out(tmp_path):
    write_plain(tmp_path, 5)
    images, masks = tmp_path / "images", tmp_path / "masks"
    (images / "000.png").write_bytes(b"not a picture")
    (masks / "001.png").unlink()
    Image.fromarray(np.zeros((60, 72), np.uint8)).save(masks / "002.png")
    whole = (images / "003.png").read_bytes()
    (images / "003.png").write_bytes(whole[: len(whole) // 2])
    loaded = load_pictures([Collection(tmp_path)], side_px=32)
    assert loaded.names == (f"{tmp_path.name}/004.png",)
    told = " ".join(loaded.broken)
    assert len(loaded.broken) == 4
    assert all(f"00{i}.png" in told for i in range(4))
    assert "no mask of that name" in told
    assert "empty or tiny" in told


def test_masks_of_another_size_are_named_with_both_sizes(tmp_path):
    write_plain(tmp_path, 2)
    for path in (tmp_path / "masks").iterdir():
        save(path, region(0.3, size=(36, 30)))
    with pytest.raises(NothingUsableError, match=r"the mask has 36 x 30 px, its picture 72 x 60"):
        load_pictures([Collection(tmp_path)], side_px=32)


def test_every_mask_of_a_picture_is_a_row_of_the_same_source(tmp_path):
    write_plain(tmp_path / "pets", 2)
    save(tmp_path / "pets" / "masks" / "000_1.png", region(0.5))
    save(tmp_path / "pets" / "masks" / "000_2.png", region(0.1))
    loaded = load_pictures([Collection(tmp_path / "pets")], side_px=40)
    assert loaded.names == ("pets/000.png", "pets/000.png@1", "pets/000.png@2", "pets/001.png")
    assert len(set(loaded.sources)) == 2
    shares = loaded.masks.float().mean(dim=(1, 2, 3)) / 255
    assert shares.tolist() == pytest.approx([0.3, 0.5, 0.1, 0.3], abs=0.05)


def test_a_mask_belongs_to_the_picture_of_its_whole_name_first(tmp_path):
    for stem in ("cat", "cat_1"):
        save(tmp_path / "images" / f"{stem}.png", scene(len(stem)))
        save(tmp_path / "masks" / f"{stem}.png", region(0.3))
    loaded = load_pictures([Collection(tmp_path)], side_px=32)
    assert [name.split("/")[1] for name in loaded.names] == ["cat.png", "cat_1.png"]


def test_one_bad_mask_of_several_leaves_the_others(tmp_path):
    write_plain(tmp_path, 1)
    (tmp_path / "masks" / "000_1.png").write_bytes(b"junk")
    loaded = load_pictures([Collection(tmp_path)], side_px=32)
    assert len(loaded) == 1
    assert "000_1.png" in loaded.broken[0]


def test_large_photographs_are_tiled_besides_and_stay_one_source(tmp_path):
    save(tmp_path / "a.png", scene(1, size=(150, 100)))
    save(tmp_path / "b.png", scene(2, size=(60, 50)))
    loaded = load_pictures([Collection(tmp_path)], side_px=32)
    assert [name.split("/")[1] for name in loaded.names] == ["a.png", *(f"a.png#{i}" for i in range(1, 7)), "b.png"]
    assert len(set(loaded.sources)) == 2
    assert not loaded.has_mask.any()


def test_tiles_cover_the_picture_once():
    boxes = tile_boxes((90, 40))
    assert sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) == 90 * 40
    assert (0, 0, 30, 20) in boxes
    assert (60, 20, 90, 40) in boxes


def test_nothing_usable_is_an_error_that_names_a_reason(tmp_path):
    with pytest.raises(NothingUsableError, match="no pictures in it"):
        load_pictures([Collection(tmp_path)], side_px=32)
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(NothingUsableError, match=r"a\.png"):
        load_pictures([Collection(tmp_path)], side_px=32)


def test_split_shares_are_about_80_10_10():
    parts = [split_of(f"{i:016x}") for i in range(4000)]
    assert parts.count("train") == pytest.approx(3200, abs=120)
    assert parts.count("val") == pytest.approx(400, abs=80)


def test_committed_split_lists_each_source_once_in_all_parts():
    listed = listed_split()
    assert {*listed.values()} == {"train", "val", "test"}
    assert all(len(source) == 16 for source in listed)


def test_split_keeps_near_duplicates_and_rows_of_one_source_together():
    pictures = packed(8)
    doubled = pictures.subset([i // 2 for i in range(16)])
    renamed = replace(doubled, sources=tuple(f"{i:016x}" for i in range(16)))
    parts = split_pictures(renamed)
    assert sum(len(part) for part in parts.values()) == 16
    for part in parts.values():
        assert all(part.names.count(name) == 2 for name in part.names)
    one_source = replace(pictures, sources=("ff" * 8,) * 8)
    assert sorted(len(part) for part in split_pictures(one_source).values()) == [0, 0, 8]


def test_listed_pictures_keep_the_part_the_shipped_weights_know():
    listed = listed_split()
    sources = tuple(next(s for s, p in listed.items() if p == part and split_of(s) != part) for part in ("val", "test"))
    parts = split_pictures(replace(packed(2), sources=sources))
    assert parts["val"].sources == sources[:1]
    assert parts["test"].sources == sources[1:]


def test_published_lists_are_kept_to():
    in_test, in_val, in_train = source_in("test"), source_in("val"), source_in("train")
    pictures = replace(
        packed(4), sources=(in_test, in_val, in_train, in_train[::-1]), published=("train", "train", "test", "train")
    )
    parts = split_pictures(pictures)
    assert parts["test"].sources == (in_train,)
    assert parts["val"].sources == (in_val,)
    assert in_test in parts["train"].sources


def test_what_a_list_trains_on_is_left_out_where_it_looks_like_a_test_picture():
    doubled = packed(2).subset([0, 0, 1])
    pictures = replace(
        doubled, sources=("a" * 16, source_in("train"), source_in("train", 500)), published=("test", "train", "train")
    )
    parts = split_pictures(pictures)
    assert parts["test"].sources == ("a" * 16,)
    assert parts["train"].sources == (source_in("train", 500),)
    assert len(parts["val"]) == 0


def test_grouping_joins_what_is_close_and_nothing_else():
    groups = group_near_duplicates([0, 0b111, 2**63 - 1, 2**63 - 2])
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[0] != groups[2]


def test_subset_takes_each_rows_own_composite_along():
    pictures = with_pairs(packed(5), [1, 3, 4])
    part = pictures.subset([4, 0, 1])
    assert part.pair.tolist() == [0, -1, 1]
    assert torch.equal(part.composites, pictures.composites[[2, 0]])
    assert pictures.subset([0, 2]).composites is None
    assert_equal_pictures(pictures.subset([0, 1, 2, 3, 4]), pictures)


def test_moving_to_a_device_keeps_everything():
    pictures = with_pairs(packed(3), [0], published=("train", None, "test"))
    assert_equal_pictures(pictures.to("cpu"), pictures)
