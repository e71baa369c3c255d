import numpy as np
import pytest
import torch

from app.pipeline.gpu.folding import fold_by_torch
from app.pipeline.gpu.kernels import identity_tables
from harmonizer.curves import fold, lut8


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_devices_table_is_the_cpus(stages, strength):
    for seed in range(20):
        knots = np.random.default_rng(seed).uniform(-0.3, 1.4, (stages, 3, 65)).astype(np.float32)
        expected = lut8(fold(knots.astype(np.float64), strength=strength))
        np.testing.assert_array_equal(fold_by_torch(torch.from_numpy(knots), strength).numpy(), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e6])
def test_knots_that_are_no_curve_change_nothing(bad):
    knots = torch.rand(2, 3, 65)
    knots[1, 2, 7] = bad
    assert torch.equal(fold_by_torch(knots, 1.0), identity_tables(1, knots.device)[0])
