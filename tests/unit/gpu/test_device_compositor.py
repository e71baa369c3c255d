import numpy as np
import pytest

from app.domain.placement import Placement
from app.pipeline.gpu.device_compositor import (
    BATCH_BYTES,
    BATCH_FRAMES,
    batch_length,
    in_batches,
    runs_on_device,
)
from app.pipeline.gpu.falling_back import FallingBackCompositor
from app.pipeline.looks import Look
from app.pipeline.stages import Compositor
from tests.unit.gpu.helpers import FailingKernel, analysed, device_compositor

MIRRORED = Look(placement=Placement(mirror=True))
MOVED = Look(placement=Placement(scale=0.8, offset_x=0.1))
WRAPPED = Look(light_wrap=0.5)


def no_notice(text):
    raise AssertionError(text)


@pytest.mark.parametrize("look", [Look(), MIRRORED, MOVED, WRAPPED])
@pytest.mark.parametrize("has_table", [True, False])
def test_pixels_are_the_cpus(look, has_table):
    compositor = FallingBackCompositor(device_compositor(), no_notice)
    for index, size in enumerate([(1, 1), (9, 7), (64, 33), (257, 31)]):
        source = analysed(index, size=size, plate_key=size, has_table=has_table)
        ours, expected = compositor.compose(source, look), Compositor().compose(source, look)
        np.testing.assert_array_equal(ours.composite, expected.composite)
        assert (ours.frame, ours.placement, ours.table is None) == (source.frame, look.placement, not has_table)
        assert ours.alpha is source.alpha
        assert ours.plate is source.plate
    assert compositor.is_on_device


@pytest.mark.parametrize("look", [Look(), MIRRORED, MOVED, WRAPPED])
def test_another_output_size_gives_the_cpus_pixels(look):
    source = analysed(1, size=(16, 9), plate_size=(24, 18))
    ours = FallingBackCompositor(device_compositor(), no_notice).compose(source, look)
    np.testing.assert_array_equal(ours.composite, Compositor().compose(source, look).composite)


@pytest.mark.parametrize(("look", "launches"), [(Look(), 1), (MIRRORED, 1), (MOVED, 1), (WRAPPED, 0)])
def test_only_a_light_wrap_is_the_cpus_work(look, launches):
    kernel = FailingKernel(at=9, error=None)
    assert runs_on_device(look) == (launches == 1)
    FallingBackCompositor(device_compositor(kernel), no_notice).compose(analysed(1), look)
    assert kernel.calls == launches


def test_frames_of_many_sizes_and_plates_come_out_in_order_with_the_cpus_pixels():
    frames = [analysed(i, size=(8 + i // 5, 6), plate_key=i // 3) for i in range(23)]
    made = list(FallingBackCompositor(device_compositor(), no_notice).compose_all(frames, Look()))
    assert [r.frame.index for r in made] == list(range(23))
    for rendered, source in zip(made, frames, strict=True):
        np.testing.assert_array_equal(rendered.composite, Compositor().compose(source, Look()).composite)


def test_a_frame_keeps_its_pixels_while_later_ones_are_made():
    compositor = FallingBackCompositor(device_compositor(), no_notice)
    first = compositor.compose(analysed(0), Look())
    kept = first.composite.copy()
    for index in range(1, 8):
        compositor.compose(analysed(index), Look())
    np.testing.assert_array_equal(first.composite, kept)


def test_what_was_handed_in_may_change_after_the_upload():
    source = analysed(0)
    expected = Compositor().compose(source, Look()).composite
    flight = device_compositor().submit([source], Look())
    source.alpha[:] = 0
    np.testing.assert_array_equal(flight.result()[0].composite, expected)


def test_a_plate_is_uploaded_once():
    device, uploads = device_compositor(), []
    lane = next(device._lanes)
    original = type(lane).upload

    def counted(self, pictures):
        uploads.append(pictures[0].shape)
        return original(self, pictures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(lane), "upload", counted)
        for index, key in enumerate("aaaabb"):
            device.submit([analysed(index, plate_key=key)], Look()).result()
    # Six frames each with their alpha and table, two plates.
    assert uploads.count((7, 9, 3)) == 6 + 2
    assert len(uploads) == 3 * 6 + 2


def test_batches_are_bounded_and_lose_nothing():
    frames = [analysed(i, size=(4, 4)) for i in range(2 * BATCH_FRAMES + 3)]
    batches = list(in_batches(frames))
    assert [len(b) for b in batches] == [BATCH_FRAMES, BATCH_FRAMES, 3]
    assert [a for batch in batches for a in batch] == frames
    assert list(in_batches([])) == []


@pytest.mark.parametrize("shape", [(720, 1280), (1080, 1920), (2160, 3840), (4320, 7680)])
def test_a_batch_fits_its_bytes(shape):
    length = batch_length(shape)
    assert 1 <= length <= BATCH_FRAMES
    assert length == 1 or length * shape[0] * shape[1] * 3 <= BATCH_BYTES
