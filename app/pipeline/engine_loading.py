"""Loading the colour network, with errors as users read them.

Shipped networks run on ONNX Runtime on the CPU: in half of torch's time, and without the second and the 150 MB that
importing torch takes. Torch runs what is left: weights of one's own, GPUs, and the reference of evaluations.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.threads import limit_torch, stage_threads
from harmonizer import CurveEngine, WeightsError
from harmonizer.manifest import is_weights_file
from harmonizer.onnx_engine import (
    PROVIDER_NAMES,
    OnnxHarmonizer,
    OnnxUnavailableError,
    ProviderMissingError,
    ProviderName,
)

if TYPE_CHECKING:
    from harmonizer import Harmonizer

log = logging.getLogger(__name__)

ONNX_PREFIX: Final = "onnx:"
"""A device `onnx:directml` is ONNX Runtime's provider of that name; any other is torch's, but for `cpu`."""

_HINT = "`platematch weights list` shows what is there; reinstall if a shipped file is damaged."
_DEVICES_HINT = "`platematch devices` lists what can; cpu always works."


def load_engine(
    weights: str | Path | None = None, *, device: str = "cpu", provider: ProviderName | None = None
) -> CurveEngine:
    """The colour engine for a device: a shipped network (None: the default) on ONNX Runtime, anything else on torch.

    The device "auto" is the CPU here: a curve takes it a few milliseconds, ten times a second.

    provider: of ONNX Runtime, as the device `onnx:NAME` asks for it too. Without ONNX Runtime torch steps in, and
    the CPU for a provider that does not start; the log says so once. UserError (MODEL) when the weights, (USAGE) when
    device or provider can't be had.
    """
    device = "cpu" if device == "auto" else device
    wanted = provider or _provider_of(device)
    is_own = weights is not None and is_weights_file(weights)
    if is_own and wanted not in (None, "cpu"):
        raise UserError(
            f"Weights of your own don't run on {ONNX_PREFIX}{wanted}.",
            "Use cpu or a GPU of torch.",
            code=ExitCode.USAGE,
        )
    if wanted is None or is_own:
        return load_reference(weights, device=device)
    try:
        name = None if weights is None else str(weights)
        engine = OnnxHarmonizer.load(name, provider=wanted, threads=stage_threads())
    except WeightsError as error:
        raise _unusable(error) from error
    except ProviderMissingError as error:
        raise UserError(f"{_sentence(error)}.", _DEVICES_HINT, code=ExitCode.USAGE) from error
    except OnnxUnavailableError as error:
        if wanted != "cpu":
            raise UserError(f"{_sentence(error)}.", _DEVICES_HINT, code=ExitCode.USAGE) from error
        _say_once(f"{_sentence(error)}; colours are matched by torch, which is slower")
        return load_reference(weights)
    if engine.provider != wanted:
        _say_once(f"{ONNX_PREFIX}{wanted} does not start on this machine; colours are matched on {engine.runs_on}")
    return engine


def load_reference(weights: str | Path | None = None, *, device: str = "cpu") -> Harmonizer:
    """The network in torch, on one of its devices. UserError as `load_engine`."""
    check_device(device)
    from harmonizer import Harmonizer

    limit_torch()
    try:
        return Harmonizer.load(weights, device=device)
    except WeightsError as error:
        raise _unusable(error) from error


def check_device(device: str) -> None:
    """UserError unless torch can put a tensor there; for `cpu` torch is not even imported."""
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"The device {device!r} can't be used on this machine.", _DEVICES_HINT, code=ExitCode.USAGE
        ) from error


def _provider_of(device: str) -> ProviderName | None:
    """The provider that a device names; None for torch's devices. UserError (USAGE) for an unknown one."""
    if device == "cpu":
        return "cpu"
    if not device.startswith(ONNX_PREFIX):
        return None
    for name in PROVIDER_NAMES:
        if device == ONNX_PREFIX + name:
            return name
    known = ", ".join(ONNX_PREFIX + name for name in PROVIDER_NAMES)
    raise UserError(f"There is no device {device!r}.", f"Known of ONNX Runtime: {known}.", code=ExitCode.USAGE)


def _unusable(error: WeightsError) -> UserError:
    return UserError(f"The colour network can't be used: {error}.", _HINT, code=ExitCode.MODEL)


def _sentence(error: Exception) -> str:
    return str(error)[:1].upper() + str(error)[1:]


@lru_cache(maxsize=8)
def _say_once(text: str) -> None:
    log.warning(text)
