import hashlib

import numpy as np
import pytest

from harmonizer.training.composites import (
    DatasetError,
    drawn_region,
    find_triples,
    recolour_foreground,
    seed_of,
    select,
)
from harmonizer.training.pictures import Collection, load_pictures, split_pictures
from tests.support.datasets import add_triple, region, save, scene, write_iharmony, write_plain


@pytest.fixture
def root(tmp_path):
    return write_iharmony(tmp_path / "iHarmony4")


def names(found):
    return [f"{t.subset}/{t.name}" for t in found.triples]


COCO = [f"HCOCO/c{i}_1_2.jpg" for i in range(4)]
FLICKR = [f"HFlickr/f{i}_1_2.jpg" for i in range(2)]


def test_root_takes_each_subsets_own_test_list_or_the_common_one(root):
    found = find_triples([root])
    assert names(found) == [*COCO[:3], *FLICKR]
    first = found.triples[0]
    assert (first.composite.name, first.mask.name, first.truth.name) == ("c0_1_2.jpg", "c0_1.png", "c0.jpg")
    assert found.left_out == ()


def test_parts_choose_their_lists_and_all_needs_none(root):
    assert names(find_triples([root / "HCOCO"], part="train")) == COCO[3:]
    assert names(find_triples([root], part="all")) == COCO + FLICKR
    with pytest.raises(DatasetError, match=r"HFlickr has no list of its train part"):
        find_triples([root / "HFlickr"], part="train")


def test_single_subset_finds_the_common_list_above_it(root):
    (root / "HCOCO" / "HCOCO_test.txt").unlink()
    (root / "IHD_test.txt").write_text("HCOCO/composite_images/c2_1_2.jpg\nHFlickr/composite_images/f0_1_2.jpg\n")
    assert names(find_triples([root / "HCOCO"])) == [COCO[2]]


def test_folder_without_lists_is_taken_whole(tmp_path):
    add_triple(tmp_path / "mine", "a", seed=1)
    assert names(find_triples([tmp_path / "mine"])) == ["mine/a_1_2.jpg"]


def test_same_stem_and_png_truth_are_taken_too(tmp_path):
    for part, suffix in (("composite_images", "jpg"), ("masks", "png"), ("real_images", "png")):
        save(tmp_path / part / f"x_1_1.{suffix}", scene(1) if part != "masks" else region(0.2))
    save(tmp_path / "real_images" / "x.png", scene(2))
    (triple,) = find_triples([tmp_path]).triples
    assert (triple.mask.name, triple.truth.name) == ("x_1_1.png", "x_1_1.png")


def test_incomplete_triples_are_named_with_what_is_missing(root):
    (root / "HCOCO" / "masks" / "c0_1.png").unlink()
    (root / "HCOCO" / "real_images" / "c1.jpg").unlink()
    (root / "HCOCO" / "composite_images" / "c2_1_2.jpg").unlink()
    found = find_triples([root / "HCOCO"])
    assert found.triples == ()
    assert found.left_out == (
        "HCOCO/c0_1_2.jpg: its mask is missing",
        "HCOCO/c1_1_2.jpg: its real picture is missing",
        "HCOCO/c2_1_2.jpg: its composite is missing",
    )


def test_unknown_layouts_are_errors_alone_and_named_beside_others(tmp_path):
    write_plain(tmp_path / "people", 2)
    save(tmp_path / "half" / "composite_images" / "a.png", scene(1))
    save(tmp_path / "half" / "images" / "a.png", scene(1))
    found = find_triples([tmp_path])
    assert len(found.triples) == 2
    assert found.left_out[0].startswith("half: the folder has not all of composite_images/")
    for folder in (tmp_path / "half", tmp_path / "people" / "masks", tmp_path / "people" / "images"):
        with pytest.raises(DatasetError, match="is no data set"):
            find_triples([folder])
    with pytest.raises(DatasetError, match="no folder"):
        find_triples([tmp_path / "none"])


def test_folders_without_masks_are_photographs_alone_or_beside_others(tmp_path):
    write_plain(tmp_path / "people", 1)
    for i in range(2):
        save(tmp_path / "unmasked" / "images" / f"{i}.png", scene(i))
        save(tmp_path / "loose" / f"{i}.png", scene(i))
    save(tmp_path / "stray.png", scene(5))
    expected = {"unmasked": ["unmasked/0.png", "unmasked/1.png"], "loose": ["loose/0.png", "loose/1.png"]}
    for folder, wanted in expected.items():
        found = find_triples([tmp_path / folder])
        assert names(found) == wanted
        assert found.left_out == ()
        assert all(t.mask is None and t.composite is None for t in found.triples)
        assert [t.partner[1] for t in found.triples] == [None, None]
    assert names(find_triples([tmp_path])) == ["people/000.png", *expected["unmasked"]]


def test_drawn_regions_are_the_same_at_any_size_and_cover_a_part():
    for seed in range(8):
        small, large = (drawn_region(size, seed=seed) for size in ((200, 120), (1000, 600)))
        assert small.shape == (120, 200)
        assert 0.02 < large.mean() < 0.5
        assert np.mean(small == large[2::5, 2::5]) > 0.97
    assert not np.array_equal(drawn_region((200, 120), seed=1), drawn_region((200, 120), seed=2))


def test_subsets_of_one_name_are_told_apart(tmp_path):
    folders = [write_plain(tmp_path / part / "people", 1) for part in "ab"]
    assert {t.subset for t in find_triples(folders).triples} == {str(folder) for folder in folders}


def test_plain_folder_pairs_by_stem_and_lends_the_next_pictures_colours(tmp_path):
    folder = write_plain(tmp_path / "people", 3)
    (folder / "masks" / "001.png").unlink()
    found = find_triples([folder])
    assert names(found) == ["people/000.png", "people/002.png"]
    assert found.left_out == ("people/001.png: its mask is missing",)
    assert [t.partner[0].name for t in found.triples] == ["002.png", "000.png"]
    assert all(t.composite is None for t in found.triples)


def test_plain_folder_is_split_as_training_splits_it(tmp_path):
    folder = write_plain(tmp_path / "people", 40)
    (folder / "images" / "junk.png").write_bytes(b"junk")
    (folder / "masks" / "junk.png").write_bytes(b"junk")
    parts = {part: find_triples([folder], part=part) for part in ("train", "val", "test")}
    trained = split_pictures(load_pictures([Collection(folder)], side_px=192))
    for part, found in parts.items():
        assert set(names(found)) == set(trained[part].names)
        assert any("junk.png" in reason for reason in found.left_out)
    assert sum(len(found.triples) for found in parts.values()) == 40
    assert 0 < len(parts["test"].triples) < 20


def test_list_chooses_by_name_path_or_hash_and_tells_what_it_missed(root):
    triples = find_triples([root]).triples
    truth_sum = hashlib.sha256(triples[3].truth.read_bytes()).hexdigest()
    start = hashlib.sha256(triples[4].composite.read_bytes()).hexdigest()[:16]
    lines = ["# mine", "c1_1_2.jpg", "HCOCO/c0_1_2.jpg  # a remark", truth_sum, "", start, "gone.jpg"]
    kept, unmet = select(triples, lines)
    assert [t.name for t in kept] == ["c0_1_2.jpg", "c1_1_2.jpg", "f0_1_2.jpg", "f1_1_2.jpg"]
    assert unmet == ("gone.jpg",)


def test_recolouring_is_the_same_for_a_seed_and_leaves_the_background_alone():
    truth, mask = scene(1), region(0.4) > 0
    outputs = [
        recolour_foreground(truth, mask, seed=s, partner=(scene(2, (90, 40)), region(0.3, (90, 40)) > 0))
        for s in (5, 5, 6)
    ]
    assert np.array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])
    for output in outputs:
        assert np.array_equal(output[~mask], truth[~mask])
        assert not np.array_equal(output[mask], truth[mask])


def test_with_a_partner_nothing_is_left_as_it_was_and_without_one_little():
    truth, mask = scene(1), region(0.4) > 0
    partner = scene(2), region(0.3) > 0

    def moved(seed, other):
        return np.abs(recolour_foreground(truth, mask, seed=seed, partner=other).astype(int) - truth)[mask].mean()

    assert min(moved(seed, partner) for seed in range(60)) > 0
    assert sum(moved(seed, None) == 0 for seed in range(60)) < 20


def test_recolouring_needs_a_foreground():
    with pytest.raises(ValueError, match="mask is empty"):
        recolour_foreground(scene(1), region(0.4) > 255, seed=1)


def test_a_pictures_seed_depends_on_its_name_and_the_runs_seed_alone():
    assert seed_of(7, "people/a.jpg") == seed_of(7, "people/a.jpg") < 2**63
    assert len({seed_of(s, n) for s in (7, 8) for n in "ab"}) == 4
