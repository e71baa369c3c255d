"""How kernels are declared: their fixed types and Numba's options."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numba import types

U8: Final = types.uint8
F32: Final = types.float32
INT: Final = types.int64

at = np.uintp
"""An index. Unsigned, because Numba guards signed ones against counting from the end, which keeps the loops from
being vectorised (1080p composite: 2.2 ms instead of 5.5)."""

inlined: Any = numba.njit(nogil=True, boundscheck=False, error_model="numpy")
"""For what kernels call: compiled into each of them."""

inlined_loosely: Any = numba.njit(nogil=True, boundscheck=False, error_model="numpy", fastmath=True)
"""The same, for arithmetic that may be reordered."""


def given(dtype: Any, ndim: int) -> Any:
    """A contiguous array that is only read."""
    return types.Array(dtype, ndim, "C", readonly=True)


def made(dtype: Any, ndim: int) -> Any:
    """A contiguous array that is written."""
    return types.Array(dtype, ndim, "C")


def compiled(*argument_types: Any) -> Any:
    """Decorate a kernel of these arguments; it returns nothing."""
    return numba.njit(types.void(*argument_types), cache=True, nogil=True, boundscheck=False, error_model="numpy")


def compiled_loosely(*argument_types: Any) -> Any:
    """Decorate a kernel whose arithmetic may be reordered and fused; no NaN may come in."""
    return numba.njit(
        types.void(*argument_types), cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=True
    )
