import pytest

from app.pipeline.bench.scale import LADDER, LEAST_SIZES, sizes_up_to, threads_up_to

PLENTY = 10**12


def test_the_ladder_ends_at_the_size_wished_for():
    assert sizes_up_to(None, free_bytes=PLENTY) == LADDER
    assert sizes_up_to((1920, 1080), free_bytes=PLENTY)[-1] == (1920, 1080)
    assert sizes_up_to((1919, 1080), free_bytes=PLENTY)[-1] == (1280, 720)


def test_there_are_always_enough_sizes_for_a_line():
    assert sizes_up_to((1, 1), free_bytes=PLENTY) == LADDER[:LEAST_SIZES]
    assert sizes_up_to(None, free_bytes=0) == LADDER[:LEAST_SIZES]


def test_pictures_that_memory_has_no_room_for_are_left_out():
    assert sizes_up_to(None, free_bytes=2 * 10**9)[-1] == (3840, 2160)


@pytest.mark.parametrize(
    ("most", "cores", "given"), [(8, 2, (1, 2)), (8, 16, (1, 2, 4, 8)), (3, 16, (1, 2)), (1, 4, (1,)), (8, 1, (1,))]
)
def test_threads_go_as_far_as_the_cores(most, cores, given):
    assert threads_up_to(most, cores=cores) == given
