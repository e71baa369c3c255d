"""The CUDA device by name, or a sentence that says what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from app.domain.errors import ExitCode, UserError


def cuda_device(name: str = "cuda") -> torch.device:
    """The device "cuda" or "cuda:N", after a first piece of work on it. UserError (USAGE) that says what is missing."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _refused(f"There is no device “{name}”.", "Give cuda or cuda:N.") from error
    if torch.version.cuda is None:
        raise _refused("The installed torch has no CUDA.", "Install torch's CUDA build, as pytorch.org describes.")
    if not torch.cuda.is_available():
        raise _refused("There is no NVIDIA card that torch can use.", "Install a card and its driver; see nvidia-smi.")
    with usable(name):
        torch.zeros(1, device=device)
    return torch.device("cuda", device.index if device.index is not None else torch.cuda.current_device())


@contextmanager
def usable(name: str) -> Iterator[None]:
    """Work on the device of that name whose failure is the user's to know: a UserError (USAGE) instead of torch's."""
    try:
        yield
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise _refused(f"The device “{name}” can't be used ({reason}).", "Give another device, or cpu.") from error


def _refused(message: str, hint: str) -> UserError:
    return UserError(message, hint, code=ExitCode.USAGE)
