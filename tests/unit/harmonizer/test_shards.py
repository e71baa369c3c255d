import json
import os

import pytest
import torch

from harmonizer.training.pictures import split_pictures
from harmonizer.training.shards import INDEX_FILE, ShardError, is_packed, join, load_shards, save_shards
from tests.support.training import assert_equal_pictures, packed, with_pairs


def mixed():
    """Rows with and without masks and pairs, of a published list and of none."""
    pictures = with_pairs(packed(9, 40), [1, 4, 8], published=("train", None, "test") * 3)
    pictures.has_mask[::2] = False
    pictures.masks[~pictures.has_mask] = 0
    return pictures


def test_shards_round_trip_and_stay_under_the_limit(tmp_path):
    pictures = mixed()
    packed_as = save_shards(pictures, tmp_path / "packed", max_bytes=25_000)
    files = sorted((tmp_path / "packed").glob("*.safetensors"))
    assert packed_as.files == len(files) > 2
    assert all(path.stat().st_size <= 25_000 for path in files)
    assert packed_as.total_bytes == sum(path.stat().st_size for path in files)
    assert_equal_pictures(load_shards(tmp_path / "packed"), pictures)


def test_names_in_any_script_count_towards_the_limit(tmp_path):
    pictures = packed(8, 32)
    pictures = type(pictures)(**{**vars(pictures), "names": tuple(f"{'窓' * 300}/{i}" for i in range(8))})
    save_shards(pictures, tmp_path, max_bytes=20_000)
    assert all(path.stat().st_size <= 20_000 for path in tmp_path.glob("*.safetensors"))
    assert load_shards(tmp_path).names == pictures.names


def test_split_of_packed_pictures_is_that_of_the_folders(tmp_path):
    pictures = mixed()
    save_shards(pictures, tmp_path)
    before, after = split_pictures(pictures), split_pictures(load_shards(tmp_path))
    for part in ("train", "val", "test"):
        assert_equal_pictures(after[part], before[part])


def test_joined_sets_keep_their_own_pairs():
    one, other = (
        with_pairs(packed(3, 32), [2]),
        with_pairs(packed(4, 32, first_seed=20), [0, 3], published=("train",) * 4),
    )
    joined = join([one, packed(2, 32, first_seed=40), other])
    assert len(joined) == 9
    assert joined.pair.tolist() == [-1, -1, 0, -1, -1, 1, -1, -1, 2]
    assert torch.equal(joined.composites[joined.pair[8]], other.composites[1])
    assert joined.published == (None,) * 5 + ("train",) * 4
    with pytest.raises(ShardError, match="one side are needed, found 32 and 40 px"):
        join([one, packed(2, 40)])


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "altered":
        data[-1] ^= 1
    path.write_bytes(data[: len(data) // 2] if how == "cut" else data)
    if how == "missing":
        path.unlink()


@pytest.mark.parametrize(("how", "told"), [("altered", "SHA-256"), ("cut", "SHA-256"), ("missing", "cannot be read")])
def test_damaged_shard_is_named(tmp_path, how, told):
    save_shards(packed(3, 32), tmp_path)
    damage(tmp_path / "shard-0000.safetensors", how)
    with pytest.raises(ShardError, match=rf"shard-0000\.safetensors.*{told}"):
        load_shards(tmp_path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": "other-1"}, "of the format 'other-1'"),
        ({"pictures": 4}, "promises 4 pictures, found 3"),
        ({"shards": [{"file": "../../etc/passwd", "sha256": "0"}]}, "outside of its data set"),
        ({"shards": [{"sha256": "0"}]}, "no index of shards"),
        ({"shards": []}, "found none"),
    ],
)
def test_index_that_cannot_be_right_is_refused(tmp_path, changed, told):
    save_shards(packed(3, 32), tmp_path)
    index = json.loads((tmp_path / INDEX_FILE).read_text())
    (tmp_path / INDEX_FILE).write_text(json.dumps(index | changed))
    with pytest.raises(ShardError, match=told):
        load_shards(tmp_path)
    (tmp_path / INDEX_FILE).write_text("{")
    with pytest.raises(ShardError, match="no index of shards"):
        load_shards(tmp_path)


def test_a_file_that_is_no_shard_is_named_even_where_its_hash_fits(tmp_path):
    save_shards(packed(3, 32), tmp_path)
    index = json.loads((tmp_path / INDEX_FILE).read_text())
    junk = b"\x08\0\0\0\0\0\0\0{}      "
    (tmp_path / "shard-0000.safetensors").write_bytes(junk)
    index["shards"][0]["sha256"] = __import__("hashlib").sha256(junk).hexdigest()
    (tmp_path / INDEX_FILE).write_text(json.dumps(index))
    with pytest.raises(ShardError, match="is no shard"):
        load_shards(tmp_path)


def test_a_packed_folder_is_never_overwritten(tmp_path):
    save_shards(packed(2, 32), tmp_path)
    with pytest.raises(ShardError, match="already"):
        save_shards(packed(3, 32), tmp_path)
    assert len(load_shards(tmp_path)) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file size limits of this kind")
def test_a_full_disk_leaves_nothing_that_looks_like_a_data_set(tmp_path):
    import resource
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_shards(packed(20, 40), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert not is_packed(tmp_path)
    assert list(tmp_path.iterdir()) == []
