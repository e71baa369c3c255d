import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.compositing import blend
from app.pipeline.gpu.kernels import FrameBatch, choose_kernel, identity_tables, render_by_torch, rounded_255th
from app.pipeline.gpu.triton_kernels import IS_INSTALLED

sizes = st.tuples(st.integers(1, 257), st.integers(1, 40))


def noise(rng, *shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def test_rounding_is_exact_for_every_total():
    totals = np.arange(255 * 255 + 1)
    expected = (totals + 127) // 255
    np.testing.assert_array_equal(expected, np.floor(totals / 255 + 0.5).astype(int))
    np.testing.assert_array_equal(rounded_255th(torch.from_numpy(totals).to(torch.int32)).numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(size=sizes, frames=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_the_torch_form_gives_the_cpus_pixels(size, frames, seed):
    rng, (width, height) = np.random.default_rng(seed), size
    foreground, plate = noise(rng, frames, height, width, 3), noise(rng, height, width, 3)
    alpha, tables = noise(rng, frames, height, width), noise(rng, frames, 256, 3)
    alpha[rng.random(alpha.shape) < 0.3] = 0
    alpha[rng.random(alpha.shape) < 0.3] = 255
    batch = FrameBatch(*(torch.from_numpy(a) for a in (foreground, plate, alpha, tables)))
    composites = render_by_torch(batch).numpy()
    for i in range(frames):
        expected = blend(foreground[i], plate, alpha[i], table=tables[i])
        np.testing.assert_array_equal(composites[i], expected)


def test_every_alpha_with_every_level_is_exact():
    alpha = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1)
    foreground = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    table = noise(np.random.default_rng(3), 256, 3)
    for plate_level in (0, 1, 127, 254, 255):
        plate = np.full_like(foreground, plate_level)
        batch = FrameBatch(*(torch.from_numpy(a) for a in (foreground[None], plate, alpha[None], table[None])))
        weight = alpha[..., None].astype(np.float64)
        matched = np.stack([table[foreground[..., c], c] for c in range(3)], axis=-1)
        exact = np.rint((weight * matched + (255 - weight) * plate) / 255)
        np.testing.assert_array_equal(render_by_torch(batch)[0].numpy(), exact)


def test_the_identity_table_changes_nothing():
    rng = np.random.default_rng(5)
    foreground, alpha = torch.from_numpy(noise(rng, 1, 5, 7, 3)), torch.full((1, 5, 7), 255, dtype=torch.uint8)
    batch = FrameBatch(foreground, torch.zeros(5, 7, 3, dtype=torch.uint8), alpha, identity_tables(1, alpha.device))
    assert torch.equal(render_by_torch(batch), foreground)


@pytest.mark.parametrize("wrong", ["foreground", "plate", "alpha", "tables", "type"])
def test_a_batch_that_does_not_fit_is_refused(wrong):
    shapes = {"foreground": (2, 4, 6, 3), "plate": (4, 6, 3), "alpha": (2, 4, 6), "tables": (2, 256, 3)}
    parts = {name: torch.zeros(shape, dtype=torch.uint8) for name, shape in shapes.items()}
    parts |= {"alpha": parts["alpha"].float()} if wrong == "type" else {wrong: parts[wrong][:1, :3]}
    with pytest.raises(ValueError, match=r"differ|8-bit"):
        FrameBatch(**parts)


def test_a_cpu_takes_the_torch_form():
    chosen = choose_kernel(torch.device("cpu"))
    assert (chosen.render, chosen.name, chosen.notice) == (render_by_torch, "torch", "")


INTERPRETED = """
import torch
from app.pipeline.gpu.kernels import FrameBatch, gives_reference_pixels, render_by_torch
from app.pipeline.gpu.triton_kernels import LaunchShape, fused_kernel, render_by_triton

assert gives_reference_pixels(fused_kernel(), torch.device("cpu"))
draw = torch.Generator().manual_seed(2)

def noise(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)

for width in (1, 2, 3, 4, 5, 31, 64, 127, 256, 257):
    for height, frames in ((1, 1), (2, 3), (17, 2)):
        batch = FrameBatch(noise(frames, height, width, 3), noise(height, width, 3), noise(frames, height, width),
                           noise(frames, 256, 3))
        assert torch.equal(render_by_triton(batch, LaunchShape(words=256)), render_by_torch(batch)), (width, height)
whole = FrameBatch(noise(4, 8, 8, 3)[1:3], noise(8, 9, 3)[:, 1:], noise(4, 8, 8)[1:3], noise(2, 256, 3))
assert torch.equal(render_by_triton(whole), render_by_torch(whole))
"""


@pytest.mark.skipif(not IS_INSTALLED, reason="Triton comes with torch's CUDA builds only, on a platform that has one")
def test_the_fused_kernel_gives_the_torch_forms_pixels():
    env = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", INTERPRETED], env=env, check=True)
