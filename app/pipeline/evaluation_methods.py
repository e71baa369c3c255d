"""What can be compared: nothing, the classical statistics, and networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.engine_loading import check_device, load_reference
from harmonizer import Harmonizer, SemanticClass, WeightsError, harmonize_composite
from harmonizer.baselines import match_histograms, reinhard
from harmonizer.weights import load_published, read_manifest

Inside = npt.NDArray[np.bool_]
"""(H, W) bool, True in the foreground."""

Apply: TypeAlias = Callable[[Pixels, Inside], Pixels]
"""A composite and its mask to the harmonized picture of the same size."""

_CHECKPOINTS = (".pth", ".pt")


def as_mask(inside: Inside) -> Alpha8:
    """(H, W) bool to 0 and 255."""
    return inside.astype(np.uint8) * np.uint8(255)


@dataclass(frozen=True)
class Method:
    """One column of the comparison: what it is called and what it does."""

    name: str
    apply: Apply


def default_methods() -> tuple[str, ...]:
    """The classical ones and the default weights."""
    return (*_CLASSICAL, read_manifest()[1])


def open_methods(names: Sequence[str], *, label: SemanticClass | None, device: str = "cpu") -> tuple[Method, ...]:
    """The methods of these names: `identity`, `reinhard`, `histogram`, shipped weights, or weight files.

    A file is called by its stem, or by its path where that is taken. UserError (USAGE) for an unknown name,
    (MODEL) for weights that can't be used.
    """
    methods: dict[str, Method] = {}
    for name in dict.fromkeys(names):
        title = Path(name).stem if _is_file_name(name) else name
        title = name if title in methods else title
        methods[title] = Method(title, _apply_of(name, label, device))
    return tuple(methods.values())


def _identity(composite: Pixels, inside: Inside) -> Pixels:
    return composite


_CLASSICAL: Final[dict[str, Apply]] = {"identity": _identity, "reinhard": reinhard, "histogram": match_histograms}


def _is_file_name(name: str) -> bool:
    return Path(name).suffix.lower() in (".safetensors", *_CHECKPOINTS)


def _apply_of(name: str, label: SemanticClass | None, device: str) -> Apply:
    if name in _CLASSICAL:
        return _CLASSICAL[name]
    engine = _engine_of(name, device)

    def apply(composite: Pixels, inside: Inside) -> Pixels:
        matched = harmonize_composite(engine, composite, as_mask(inside), label=label)
        return matched.astype(np.uint8, copy=False)

    return apply


def _engine_of(name: str, device: str) -> Harmonizer:
    try:
        if Path(name).suffix.lower() in _CHECKPOINTS:
            check_device(device)
            return Harmonizer(load_published(Path(name)), device=device, name=Path(name).stem)
        shipped = read_manifest()[0]
    except WeightsError as error:
        raise UserError(f"The method {name!r} can't be used: {error}.", code=ExitCode.MODEL) from error
    if not _is_file_name(name) and name not in shipped:
        known = ", ".join((*_CLASSICAL, *shipped))
        raise UserError(
            f"There is no method {name!r}.", f"Known: {known}, or a .safetensors or .pth file.", code=ExitCode.USAGE
        )
    return load_reference(name, device=device)
