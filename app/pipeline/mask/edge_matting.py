"""The edge brush's finer version: closed-form matting, too slow for the hand and good enough for hair.

Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting" (TPAMI 2008), by PyMatting (Germer et
al., JOSS 2020; MIT). Ours: what the fast version found is a weak prior everywhere in the band. Mean difference
from the true alpha, on the hair that `app.domain.mask.edge_brush` was tuned on: 13.1 levels, 16.9 without the prior,
14.1 for the fast version itself.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from app.domain.alpha import to_u8
from app.domain.frame import Alpha, Alpha8, Pixels
from app.domain.mask.edge_brush import EdgeTask, edge_task, estimated
from app.domain.mask.planes import NOWHERE, Box

MAX_PX: Final = 640_000
"""The largest piece that is solved, the band with its surroundings; one of 535 000 px took 6 s and 0.8 GB."""

_KNOWN: Final = 100.0
_PRIOR: Final = 0.003
"""How strongly the solution is held to what is sure, and to the fast version's guess, beside the picture's own say."""

_TOLERANCE: Final = 1e-5
_MAX_ROUNDS: Final = 500

Method: TypeAlias = Literal["closed-form", "guided"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefinedEdge:
    """box: within the picture. values: (h, w) uint8, the band's new alpha there; anything where there is no band.

    method: how it was found. reason: why not by closed-form matting, a sentence for people; "" if it was.
    """

    box: Box
    values: Alpha8
    method: Method
    reason: str = ""


def refined_edge(pixels: Pixels, alpha8: Alpha8, band: Alpha8, box: Box, *, max_px: int = MAX_PX) -> RefinedEdge:
    """The alpha of a painted band, for a worker's thread; arguments as `app.domain.mask.edge_brush.edge_task`.

    A piece of more than `max_px`, a missing PyMatting or a system that it can't solve leave the fast version's result;
    that is said in `reason`. Never raises for any of these.
    """
    task = edge_task(pixels, alpha8, band, box)
    if task is None:
        return RefinedEdge(NOWHERE, np.zeros((0, 0), np.uint8), "guided", "There is no band to refine.")
    guess = estimated(task)
    alpha, reason = _closed_form(task, guess) if task.alpha.size <= max_px else (None, "The band is too large for it.")
    found = guess if alpha is None else alpha
    values = to_u8(found[task.inner.rows_columns])
    place = box.within((alpha8.shape[1], alpha8.shape[0]))
    return RefinedEdge(place, values, "guided" if alpha is None else "closed-form", reason)


def _closed_form(task: EdgeTask, guess: Alpha) -> tuple[Alpha | None, str]:
    try:
        solver = importlib.import_module("pymatting")
    except ImportError:
        return None, "PyMatting is not installed."
    try:
        return _solved(solver, task, guess), ""
    except (ValueError, MemoryError, ArithmeticError, RuntimeError) as error:
        # What PyMatting raises when it gives up; the fast result is still good.
        _log.warning("closed-form matting failed: %s", error)
        return None, "The edge could not be solved."


def _solved(solver: Any, task: EdgeTask, guess: Alpha) -> Alpha:
    """Minimum of the matting Laplacian and the two priors, 0..1."""
    sure = task.sure > 0
    laplacian = solver.cf_laplacian(task.pixels / 255.0, is_known=sure)
    hold = np.where(sure, _KNOWN, _PRIOR).ravel()
    laplacian.setdiag(laplacian.diagonal() + hold)
    wanted = hold * guess.ravel().astype(np.float64)
    start = guess.ravel().astype(np.float64)
    preconditioner = solver.ichol(laplacian.tocsc())
    solution = solver.cg(laplacian, wanted, x0=start, M=preconditioner, rtol=_TOLERANCE, maxiter=_MAX_ROUNDS)
    return np.asarray(np.clip(solution, 0, 1), np.float32).reshape(task.alpha.shape)
