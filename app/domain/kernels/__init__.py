"""The heavy loops, compiled to machine code by Numba.

Importing this package compiles every kernel, seconds in all, unless the compiled code is in Numba's cache already:
`app.pipeline.kernel_cache` sees to that, and only then does the domain use them (`app.domain.compiled`). Their types
are fixed, so that no call ever compiles anything. Each has a plain twin in numpy and OpenCV beside its caller, which
runs until then and with which the tests compare. All release the GIL.
"""

from app.domain.kernels.cells import edge_colours, edge_models, matte_levels, steadied
from app.domain.kernels.pixels import clean_edge, composite, coverage, edge_matte, flat_cells
from app.domain.kernels.yuv import rgb_planes, yuv_planes

__all__ = [
    "clean_edge",
    "composite",
    "coverage",
    "edge_colours",
    "edge_matte",
    "edge_models",
    "flat_cells",
    "matte_levels",
    "rgb_planes",
    "steadied",
    "yuv_planes",
]
