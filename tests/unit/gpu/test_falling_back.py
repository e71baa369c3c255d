import numpy as np
import pytest
import torch

from app.pipeline.gpu.falling_back import FallingBackCompositor
from app.pipeline.gpu.lanes import Mark
from app.pipeline.looks import Look
from app.pipeline.stages import Compositor
from tests.unit.gpu.helpers import FailingKernel, analysed, device_compositor

FRAMES = 12
OUT_OF_MEMORY = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB\nand much more text")
LOST = RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")


def stream():
    """Every frame with a plate of its own is a batch of its own."""
    return [analysed(i, plate_key=i) for i in range(FRAMES)]


def assert_whole(made):
    assert [r.frame.index for r in made] == list(range(FRAMES))
    for rendered, source in zip(made, stream(), strict=True):
        np.testing.assert_array_equal(rendered.composite, Compositor().compose(source, Look()).composite)


@pytest.mark.parametrize("at", [0, 5, FRAMES - 1])
@pytest.mark.parametrize("error", [OUT_OF_MEMORY, LOST])
@pytest.mark.parametrize("way", ["one by one", "all"])
def test_a_device_that_fails_at_a_launch_costs_no_frame(at, error, way):
    kernel, notices = FailingKernel(at, error), []
    compositor = FallingBackCompositor(device_compositor(kernel), notices.append)
    frames = stream()
    if way == "all":
        made = list(compositor.compose_all(frames, Look()))
    else:
        made = [compositor.compose(a, Look()) for a in frames]
    assert_whole(made)
    assert kernel.calls == at + 1
    assert not compositor.is_on_device
    assert len(notices) == 1
    assert "CPU" in notices[0]
    assert "\n" not in notices[0]


@pytest.mark.parametrize("at", [0, 5, FRAMES - 1])
@pytest.mark.parametrize("way", ["one by one", "all"])
def test_a_device_that_fails_while_it_is_waited_for_costs_no_frame(at, way, monkeypatch):
    waits = []

    def wait(self):
        waits.append(self)
        if len(waits) > at:
            raise LOST

    monkeypatch.setattr(Mark, "wait", wait)
    notices = []
    compositor = FallingBackCompositor(device_compositor(), notices.append)
    if way == "all":
        made = list(compositor.compose_all(stream(), Look()))
    else:
        made = [compositor.compose(a, Look()) for a in stream()]
    assert_whole(made)
    assert len(notices) == 1
    assert not compositor.is_on_device


def test_the_notice_says_what_happened():
    said = []
    for error in (OUT_OF_MEMORY, LOST, RuntimeError("")):
        compositor = FallingBackCompositor(device_compositor(FailingKernel(0, error)), said.append)
        compositor.compose(analysed(0), Look())
    assert "ran out of memory" in said[0]
    assert "unspecified launch failure" in said[1]
    assert "RuntimeError" in said[2]


def test_a_slower_kernel_is_told_of_at_once():
    said = []
    FallingBackCompositor(device_compositor(notice="not the fused kernel"), said.append)
    assert said == ["not the fused kernel"]


def test_other_errors_are_not_taken_for_the_devices():
    compositor = FallingBackCompositor(device_compositor(FailingKernel(0, ValueError("shapes differ"))), print)
    with pytest.raises(ValueError, match="shapes"):
        compositor.compose(analysed(0), Look())
    assert compositor.is_on_device
