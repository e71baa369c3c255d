import pytest
import torch

from app.pipeline.training_scores import EVALUATION_SEED, HEADERS, Score, compare
from harmonizer.config import NetworkConfig
from harmonizer.network import build_network
from harmonizer.training.evaluate import (
    BASELINES,
    baseline_fmse,
    build_eval_set,
    network_outputs,
    per_picture_fmse,
)
from tests.support.training import packed, with_pairs

PICTURES = with_pairs(packed(8, 48), [0, 3])


def test_worse_counts_every_picture_above_untouched_and_no_equal_one():
    torch.manual_seed(0)
    network = build_network(NetworkConfig(head="monotone", thumbnail_px=48)).eval()
    rows = {row.method: row for row in compare(PICTURES, {"ours": network}, "val")}
    evaluation = build_eval_set(PICTURES, seed=EVALUATION_SEED)
    untouched = per_picture_fmse(evaluation.composites, evaluation)
    errors = {name: baseline_fmse(method, evaluation) for name, method in BASELINES.items()}
    errors |= {"untouched": untouched, "ours": per_picture_fmse(network_outputs(network, evaluation), evaluation)}
    assert rows.keys() == errors.keys()
    for name, row in rows.items():
        assert row.worse == sum(e > u for e, u in zip(errors[name], untouched, strict=True)) / 8
        assert (row.mean, row.split) == (pytest.approx(errors[name].mean()), "val")
    assert rows["untouched"].worse == 0.0
    assert rows["ours"].worse > 0.0


def test_cells_stand_under_their_headers():
    cells = Score("test", "ours", mean=123.4, median=56.7, worse=0.125).cells()
    assert dict(zip(HEADERS, cells, strict=True)) == {
        "split": "test",
        "method": "ours",
        "mean": "123",
        "median": "57",
        "pictures worse than untouched": "12.5 %",
    }
