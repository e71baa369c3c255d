import threading

from app.pipeline.mask.frame_cache import CACHE_BYTES, FrameCache


def test_the_least_recently_used_leave_first_and_the_bytes_stay_within_the_limit():
    cache = FrameCache(100)
    for pts in range(4):
        cache.put(pts, f"frame {pts}", size_bytes=25)
    assert (len(cache), cache.size_bytes) == (4, 100)
    assert cache.get(0) == "frame 0"
    cache.put(9, "large", size_bytes=60)
    assert cache.size_bytes == 85
    assert [pts for pts in (0, 1, 2, 3, 9) if pts in cache] == [0, 9]
    assert (cache.hits, cache.misses, cache.evictions) == (1, 0, 3)
    assert cache.get(1) is None
    assert cache.misses == 1


def test_a_picture_takes_the_place_of_the_one_with_its_pts():
    cache = FrameCache(100)
    cache.put(5, "old", size_bytes=80)
    cache.put(5, "new", size_bytes=30)
    assert (cache.get(5), cache.size_bytes, cache.evictions) == ("new", 30, 0)


def test_a_picture_over_the_limit_is_not_kept_and_drives_nothing_out():
    cache = FrameCache(100)
    cache.put(1, "small", size_bytes=40)
    cache.put(2, "huge", size_bytes=101)
    assert 1 in cache
    assert 2 not in cache
    assert cache.size_bytes == 40


def test_cleared_it_is_empty():
    cache = FrameCache()
    assert cache.limit_bytes == CACHE_BYTES == 128 * 1024 * 1024
    cache.put(1, "frame", size_bytes=10)
    cache.clear()
    assert (len(cache), cache.size_bytes, cache.get(1)) == (0, 0, None)


def test_many_threads_may_use_it_and_the_bytes_still_add_up():
    cache = FrameCache(1000)

    def use(seed):
        for turn in range(2000):
            pts = (turn * 7 + seed) % 50
            if cache.get(pts) is None:
                cache.put(pts, pts, size_bytes=10 + pts)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size_bytes == sum(10 + pts for pts in range(50) if pts in cache) <= 1000
    assert cache.hits + cache.misses == 4 * 2000
