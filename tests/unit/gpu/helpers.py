from fractions import Fraction

import numpy as np
import torch

from app.domain.frame import Frame
from app.pipeline.gpu.device_compositor import DeviceCompositor
from app.pipeline.gpu.kernels import ChosenKernel, render_by_torch
from app.pipeline.looks import Analysed

CPU = torch.device("cpu")


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def analysed(index, *, size=(9, 7), plate_size=None, plate_key="plate", has_table=True):
    width, height = size
    plate_width, plate_height = plate_size or size
    pixels = noise(index, height, width, 3)
    frame = Frame(pixels, pts=index, time_base=Fraction(1, 30), index=index)
    plate = noise(hash(plate_key) % 1000, plate_height, plate_width, 3)
    table = noise(2000 + index, 256, 3) if has_table else None
    return Analysed(frame, noise(1000 + index, height, width), lambda: pixels, plate, plate_key, table)


class FailingKernel:
    """Fails from call number `at` on, as a device does that is lost; 0 is the first call."""

    def __init__(self, at, error):
        self.calls = 0
        self._at = at
        self._error = error

    def __call__(self, batch):
        self.calls += 1
        if self.calls > self._at:
            raise self._error
        return render_by_torch(batch)


def device_compositor(kernel=render_by_torch, notice=""):
    return DeviceCompositor(CPU, choose=lambda _: ChosenKernel(kernel, "torch", notice))
