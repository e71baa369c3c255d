import argparse
import json

import pytest

from app.cli import bench_gpu
from app.cli.console import Console
from app.domain.errors import ExitCode, UserError
from app.pipeline.gpu.gpu_bench import bench_gpu as measure


def parsed(*words):
    parser = argparse.ArgumentParser()
    bench_gpu.add_arguments(parser)
    return parser.parse_args(words)


def test_the_same_code_measures_a_cpu():
    answer = bench_gpu.run(parsed("--device", "cpu", "--size", "64x36", "--frames", "2"), Console(quiet=True))
    report = json.loads(json.dumps(answer.report))
    assert report["size"] == "64x36"
    assert report["kernel"] == "torch"
    assert report["compositor"]["same_pixels_as_cpu"]
    assert set(report["stages_ms"]) >= {"render kernel", "with transfers", "resident, thumbnail to pixels"}
    assert all(ms > 0 for ms in report["stages_ms"].values())
    assert report["fps"] > 0
    assert ("render: smooth: percent of copy", str(report["render"]["smooth"]["percent_of_copy"])) in answer.rows


def test_without_a_card_it_says_so(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError) as refused:
        measure((64, 36))
    assert refused.value.code == ExitCode.USAGE
