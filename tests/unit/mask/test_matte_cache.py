import threading
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from app.domain.mask.document import Clip, MediaRef, Meta
from app.domain.settings import PersonOptions, Settings
from app.pipeline.mask.matte_cache import Judged, MatteCache, cache_key

SIZE = (70, 41)
GOOD = Judged(0.75, is_cut=False)


def matte(seed):
    return np.random.default_rng(seed).integers(0, 256, SIZE[::-1], dtype=np.uint8)


@pytest.fixture
def opened(tmp_path):
    caches = []

    def open_cache(key=b"k" * 32, size=SIZE):
        caches.append(MatteCache(tmp_path / "cache" / "mattes", key=key, size=size))
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.close()


def test_mattes_come_back_also_after_the_file_was_closed(opened):
    cache = opened()
    for pts in (-40, 0, 9_000_000_000):
        cache.put(pts, matte(abs(pts)), Judged(0.5, is_cut=pts == 0))
    cache.close()
    again = opened()
    assert len(again) == 3
    for pts in (-40, 0, 9_000_000_000):
        assert np.array_equal(again.get(pts), matte(abs(pts)))
    assert again.judged[0] == Judged(0.5, is_cut=True)
    assert again.get(1) is None
    assert 1 not in again


@pytest.mark.parametrize(("key", "size"), [(b"other" * 6 + b"xx", SIZE), (b"k" * 32, (41, 70))])
def test_another_key_or_size_starts_over(opened, key, size):
    cache = opened()
    cache.put(3, matte(1), GOOD)
    cache.close()
    assert len(opened(key, size)) == 0


@pytest.mark.parametrize("lost_bytes", [1, 20, 700])
def test_a_torn_tail_costs_the_last_matte_only(opened, tmp_path, lost_bytes):
    cache = opened()
    cache.put(1, matte(1), GOOD)
    cache.put(2, matte(2), GOOD)
    cache.close()
    path = tmp_path / "cache" / "mattes"
    path.write_bytes(path.read_bytes()[:-lost_bytes])
    again = opened()
    assert (1 in again, 2 in again) == (True, False)
    again.put(2, matte(2), GOOD)
    again.close()
    assert np.array_equal(opened().get(2), matte(2))


def test_damage_in_the_middle_is_noticed_not_shown(opened, tmp_path):
    cache = opened()
    cache.put(1, matte(1), GOOD)
    cache.close()
    path = tmp_path / "cache" / "mattes"
    data = bytearray(path.read_bytes())
    data[-30] ^= 255
    path.write_bytes(data)
    assert opened().get(1) is None


def test_garbage_is_written_over(opened, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mattes").write_bytes(b"no mattes at all" * 100)
    cache = opened()
    assert len(cache) == 0
    cache.put(1, matte(1), GOOD)
    assert np.array_equal(cache.get(1), matte(1))


def test_one_thread_puts_while_another_gets(opened):
    cache = opened()
    cache.put(0, matte(0), GOOD)

    def put():
        for pts in range(1, 60):
            cache.put(pts, matte(pts), GOOD)

    thread = threading.Thread(target=put)
    thread.start()
    try:
        while thread.is_alive():
            assert np.array_equal(cache.get(0), matte(0))
    finally:
        thread.join()
    assert np.array_equal(cache.get(59), matte(59))


def test_a_closed_cache_holds_and_takes_nothing(opened):
    cache = opened()
    cache.put(1, matte(1), GOOD)
    cache.close()
    cache.put(2, matte(2), GOOD)
    assert cache.get(1) is None


def test_the_key_follows_what_the_mattes_depend_on_only():
    meta = Meta(Clip(MediaRef("a.mp4", "/a.mp4", "f", 1), SIZE, Fraction(1, 25)))
    same = replace(meta, settings=Settings(plate="studio"))
    moved = replace(meta, clip=replace(meta.clip, media=replace(meta.clip.media, absolute="/b/a.mp4")))
    assert cache_key(meta) == cache_key(same) == cache_key(moved)
    others = [
        replace(meta, settings=Settings(person=PersonOptions(threshold=0.4))),
        replace(meta, mask=MediaRef("m.mkv", "/m.mkv", "g", 1)),
        replace(meta, clip=replace(meta.clip, media=replace(meta.clip.media, fingerprint="h"))),
    ]
    assert len({cache_key(meta), *map(cache_key, others)}) == 4
