"""Loading the colour network, with errors as users read them."""

from __future__ import annotations

from pathlib import Path

import torch

from app.domain.errors import ExitCode, UserError
from harmonizer import Harmonizer, WeightsError

_HINT = "`platematch weights list` shows what is there; reinstall if a shipped file is damaged."


def load_engine(weights: str | Path | None = None, *, device: str = "cpu") -> Harmonizer:
    """The colour engine on a device. UserError (MODEL) when weights or device can't be had."""
    check_device(device)
    try:
        return Harmonizer.load(weights, device=device)
    except WeightsError as error:
        raise UserError(f"The colour network can't be used: {error}.", _HINT, code=ExitCode.MODEL) from error


def check_device(device: str) -> None:
    """UserError unless torch can put a tensor there."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"The device {device!r} can't be used on this machine.",
            "`platematch devices` lists what can; cpu always works.",
            code=ExitCode.USAGE,
        ) from error
