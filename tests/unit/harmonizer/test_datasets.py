import pytest
import torch

from harmonizer.config import SemanticClass
from harmonizer.training.datasets import load_data
from harmonizer.training.pictures import Collection, NothingUsableError, split_pictures
from harmonizer.training.shards import ShardError, save_shards
from tests.support.datasets import add_triple, region, save, scene, write_iharmony, write_plain
from tests.support.training import assert_equal_pictures, packed


def load(*folders, side_px=40, label=SemanticClass.OTHER):
    return load_data([Collection(folder, label) for folder in folders], side_px=side_px)


@pytest.fixture
def root(tmp_path):
    return write_iharmony(tmp_path / "iHarmony4")


def test_pairs_bring_composite_mask_truth_and_the_part_of_their_lists(root):
    loaded = load(root, label=SemanticClass.FOOD)
    assert [name.split("/")[0] for name in loaded.names] == ["HCOCO"] * 4 + ["HFlickr"] * 2
    assert loaded.published == ("test",) * 3 + ("train",) + ("test",) * 2
    assert loaded.pair.tolist() == [0, 1, 2, 3, 4, 5]
    assert loaded.labels.tolist() == [int(SemanticClass.FOOD)] * 6
    assert loaded.broken == ()
    inside = (loaded.masks > 200).expand_as(loaded.images)
    outside = (loaded.masks < 50).expand_as(loaded.images)
    ratio = loaded.composites[inside].float() / loaded.images[inside].float().clamp(min=1)
    assert float(ratio.median()) == pytest.approx(0.6, abs=0.03)
    assert float((loaded.composites.float() - loaded.images.float())[outside].abs().mean()) < 4


def test_lists_part_the_pairs_whatever_their_hash(root):
    parts = split_pictures(load(root))
    assert sorted(parts["test"].names) == [
        *(f"HCOCO/c{i}_1_2.jpg" for i in range(3)),
        *(f"HFlickr/f{i}_1_2.jpg" for i in range(2)),
    ]
    assert sum(len(parts[part]) for part in ("train", "val")) == 1


def test_with_a_test_list_alone_all_others_are_trained_on(root):
    (root / "HCOCO" / "HCOCO_train.txt").unlink()
    assert load(root / "HCOCO").published == ("test",) * 3 + ("train",)


def test_without_lists_the_hash_decides(tmp_path):
    add_triple(tmp_path / "mine", "a", seed=1)
    loaded = load(tmp_path / "mine")
    assert loaded.published == ()
    assert len(loaded.composites) == 1


def test_all_masks_of_one_real_picture_have_one_source(root):
    mask = region(0.2)[::-1]
    save(root / "HCOCO" / "masks" / "c0_2.png", mask)
    save(root / "HCOCO" / "composite_images" / "c0_2_1.jpg", scene(3))
    loaded = load(root / "HCOCO")
    sources = dict(zip(loaded.names, loaded.sources, strict=True))
    assert sources["HCOCO/c0_1_2.jpg"] == sources["HCOCO/c0_2_1.jpg"]
    assert len(set(loaded.sources)) == 4


def test_incomplete_broken_and_unlike_pairs_are_named_and_left_out(root):
    coco = root / "HCOCO"
    (coco / "masks" / "c0_1.png").unlink()
    (coco / "real_images" / "c1.jpg").write_bytes(b"junk")
    save(coco / "masks" / "c2_1.png", region(0.3, size=(30, 20)))
    (coco / "HCOCO_train.txt").write_text("c3_1_2.jpg\nc9_1_2.jpg\n")
    save(root / "HHalf" / "composite_images" / "x_1_1.jpg", scene(8))
    loaded = load(root)
    assert loaded.names == ("HCOCO/c3_1_2.jpg", "HFlickr/f0_1_2.jpg", "HFlickr/f1_1_2.jpg")
    told = "\n".join(loaded.broken)
    assert "HCOCO/c0_1_2.jpg: its mask is missing" in told
    assert "HCOCO/c1_1_2.jpg: cannot identify" in told
    assert "HCOCO/c2_1_2.jpg: the mask has 30 x 20 px, its picture 72 x 60" in told
    assert "HCOCO/c9_1_2.jpg: its composite is missing" in told
    assert "HHalf: the folder has not all of" in told
    assert len(loaded.broken) == 5


def test_composite_of_another_size_is_refused(root):
    save(root / "HFlickr" / "composite_images" / "f0_1_2.jpg", scene(1, size=(50, 40)))
    assert "the composite has 50 x 40 px, the real picture 72 x 60" in load(root / "HFlickr").broken[0]


def test_layouts_mix_and_a_folder_of_folders_is_taken_apart(root, tmp_path):
    write_plain(root / "people", 2)
    save(tmp_path / "photographs" / "a.png", scene(30))
    loaded = load(root, tmp_path / "photographs")
    assert [name.split("/")[0] for name in loaded.names] == [
        *("HCOCO",) * 4,
        *("HFlickr",) * 2,
        *("people",) * 2,
        "photographs",
    ]
    assert loaded.pair.tolist() == [0, 1, 2, 3, 4, 5, -1, -1, -1]
    assert loaded.has_mask.tolist() == [True] * 8 + [False]


def test_packed_data_is_read_at_its_own_side_and_joined(tmp_path):
    save_shards(packed(3, 48), tmp_path / "packed")
    assert_equal_pictures(load(tmp_path / "packed"), packed(3, 48))
    write_plain(tmp_path / "people", 2)
    loaded = load(tmp_path / "packed", tmp_path / "people", side_px=96)
    assert loaded.images.shape == (5, 3, 48, 48)


def test_shards_of_two_sides_do_not_mix(tmp_path):
    for side_px in (32, 48):
        save_shards(packed(2, side_px), tmp_path / str(side_px))
    with pytest.raises(ShardError, match="32 and 48 px"):
        load(tmp_path / "32", tmp_path / "48")


def test_a_folder_without_anything_is_named_beside_others_and_fatal_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    write_plain(tmp_path / "people", 2)
    loaded = load(tmp_path / "people", tmp_path / "empty")
    assert len(loaded) == 2
    assert loaded.broken == (f"{tmp_path / 'empty'}: no pictures in it",)
    with pytest.raises(NothingUsableError, match="no pictures in it"):
        load(tmp_path / "empty")
    save_shards(packed(2, 32), tmp_path / "packed")
    assert len(load(tmp_path / "packed", tmp_path / "empty")) == 2


def test_own_composites_are_those_that_were_published(root):
    whole = load(root)
    part = whole.subset([5, 0])
    assert torch.equal(part.composites[part.pair[1]], whole.composites[0])
