"""How good trained networks are beside the classical methods, on pictures they never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harmonizer.network import CurveNet
from harmonizer.training.evaluate import (
    BASELINES,
    EvalSet,
    baseline_fmse,
    build_eval_set,
    network_outputs,
    per_picture_fmse,
)
from harmonizer.training.pictures import Pictures

EVALUATION_SEED: Final = 7
HEADERS: Final = ("split", "method", "mean", "median", "pictures worse than untouched")


@dataclass(frozen=True)
class Score:
    """One row of the comparison: fMSE (peak 255) over a split; worse: share of its pictures above untouched."""

    split: str
    method: str
    mean: float
    median: float
    worse: float

    def cells(self) -> list[str]:
        """The row as text, under `HEADERS`."""
        return [self.split, self.method, f"{self.mean:.0f}", f"{self.median:.0f}", f"{100 * self.worse:.1f} %"]


def compare(data: Pictures, networks: Mapping[str, CurveNet], split: str) -> list[Score]:
    """Untouched, Reinhard, histogram matching and the networks on one composite a picture."""
    evaluation = build_eval_set(data, seed=EVALUATION_SEED)
    untouched = per_picture_fmse(evaluation.composites, evaluation)
    results = {"untouched": untouched}
    results |= {name: baseline_fmse(method, evaluation) for name, method in BASELINES.items()}
    results |= {name: _network_fmse(network, evaluation) for name, network in networks.items()}
    return [_score(split, name, errors, untouched) for name, errors in results.items()]


def _network_fmse(network: CurveNet, evaluation: EvalSet) -> npt.NDArray[np.float64]:
    return per_picture_fmse(network_outputs(network, evaluation), evaluation)


def _score(split: str, method: str, errors: npt.NDArray[np.float64], untouched: npt.NDArray[np.float64]) -> Score:
    worse = float((errors > untouched).mean())
    return Score(split, method, float(errors.mean()), float(np.median(errors)), worse)
