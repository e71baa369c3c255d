"""The network on ONNX Runtime: what runs on CPUs, in half of torch's time and without its second of import.

The graph is exported from the torch network (`onnx_export`), so nothing of it is written down twice; only the colour
quantiles are taken beside it, which are cheaper sorted by numpy. Files are loaded by hash and from bytes, which can
name no other file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from harmonizer.config import one_hot
from harmonizer.engine import Seen, ThumbnailEngine
from harmonizer.manifest import MANIFEST_FILE, pinned_bytes, shipped_entry
from harmonizer.statistics import Levels, Plane, read_around, read_statistics

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

Array = npt.NDArray[np.float32]
ProviderName = Literal["cpu", "cuda", "directml", "coreml", "openvino"]
PROVIDER_NAMES: Final[tuple[ProviderName, ...]] = get_args(ProviderName)


@dataclass(frozen=True)
class Provider:
    """One of ONNX Runtime's execution providers: its name there, and in words."""

    key: str
    words: str


_PROVIDERS: Final[dict[ProviderName, Provider]] = {
    "cpu": Provider("CPUExecutionProvider", "CPU"),
    "cuda": Provider("CUDAExecutionProvider", "CUDA"),
    "directml": Provider("DmlExecutionProvider", "DirectML"),
    "coreml": Provider("CoreMLExecutionProvider", "CoreML"),
    "openvino": Provider("OpenVINOExecutionProvider", "OpenVINO"),
}
_QUIET: Final = 3
"""Errors only: what ONNX Runtime warns of, a user can't change."""


class OnnxUnavailableError(Exception):
    """ONNX Runtime is missing, does not load, or can't run the network."""


class ProviderMissingError(Exception):
    """The installed ONNX Runtime does not have the provider asked for."""


def installed_providers() -> dict[ProviderName, Provider]:
    """The providers known here that the installed ONNX Runtime has. OnnxUnavailableError without any."""
    try:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(_QUIET)
        there = onnxruntime.get_available_providers()
    except Exception as error:  # a missing package, a missing system library, a processor too old: all the same here
        raise OnnxUnavailableError(f"ONNX Runtime does not load ({error})") from error
    return {name: provider for name, provider in _PROVIDERS.items() if provider.key in there}


def open_session(model: bytes, *, provider: ProviderName = "cpu", threads: int = 1) -> InferenceSession:
    """A session on a provider; parts that it can't run, or all where it does not start, run on the CPU.

    `get_providers()` says what came of it. ProviderMissingError, OnnxUnavailableError.
    """
    installed = installed_providers()
    if provider not in installed:
        raise ProviderMissingError(f"the installed ONNX Runtime has {', '.join(installed)}, not {provider}")
    import onnxruntime

    keys = list(dict.fromkeys([installed[provider].key, _PROVIDERS["cpu"].key]))
    try:
        return onnxruntime.InferenceSession(model, _options(provider, threads), providers=keys, enable_fallback=0)
    except Exception as error:  # its errors share no base class of their own
        raise OnnxUnavailableError(f"ONNX Runtime can't run the network ({error})") from error


def _options(provider: ProviderName, threads: int) -> SessionOptions:
    """For a machine whose other cores have work of their own: no thread that waits by spinning."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _QUIET
    options.enable_mem_pattern = provider != "directml"  # which refuses it
    return options


class OnnxHarmonizer(ThumbnailEngine):
    """One shipped network on one of ONNX Runtime's providers. model: what `onnx_export` made.

    `provider` is what really computes, which need not be the one asked for: ONNX Runtime replaces by the CPU what
    does not start, without a word.
    """

    def __init__(self, model: bytes, *, name: str = "custom", provider: ProviderName = "cpu", threads: int = 1) -> None:
        self._session = open_session(model, provider=provider, threads=threads)
        self.provider = _name_of(self._session.get_providers()[0])
        self._shapes = {node.name: tuple(map(int, node.shape)) for node in self._session.get_inputs()}
        super().__init__(
            name=name,
            device="cpu" if provider == "cpu" else f"onnx:{provider}",
            runs_on=f"{_PROVIDERS[self.provider].words} (ONNX Runtime)",
            thumbnail_px=self._shapes["levels"][-1],
        )

    @classmethod
    def load(
        cls,
        name: str | None = None,
        *,
        provider: ProviderName = "cpu",
        threads: int = 1,
        manifest: Path = MANIFEST_FILE,
    ) -> OnnxHarmonizer:
        """A shipped network by name (the default without one), only if its bytes have the pinned hash.

        WeightsError, OnnxUnavailableError, ProviderMissingError.
        """
        entry = shipped_entry(name, manifest=manifest)
        model = pinned_bytes(manifest.parent / entry.onnx.file, entry.onnx.sha256)
        return cls(model, name=entry.name, provider=provider, threads=threads)

    def _embed(self, levels: Levels, coverage: Plane) -> Array:
        nothing = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}
        return self._run("embedding", nothing | self._look(levels, coverage))

    def _read(self, seen: Seen) -> npt.NDArray[np.floating[Any]]:
        feeds = self._look(seen.levels, seen.coverage)
        feeds |= {"background": seen.plate.vector[None], "label": one_hot(seen.label)}
        if "around" in self._shapes:
            feeds["around"] = read_around(seen.plate.thumbnail, seen.hole)[None]
        return self._run("knots", feeds)

    def _look(self, levels: Levels, coverage: Plane) -> dict[str, Array]:
        shown = {"levels": levels[None]}
        if "statistics" in self._shapes:
            shown |= {"coverage": coverage[None, None], "statistics": read_statistics(levels, coverage)[None]}
        return shown

    def _run(self, wanted: str, feeds: dict[str, Array]) -> Array:
        out: Array = self._session.run([wanted], feeds)[0][0]
        return out


def _name_of(key: str) -> ProviderName:
    return next(name for name, provider in _PROVIDERS.items() if provider.key == key)


__all__ = [
    "PROVIDER_NAMES",
    "OnnxHarmonizer",
    "OnnxUnavailableError",
    "Provider",
    "ProviderMissingError",
    "ProviderName",
    "installed_providers",
    "open_session",
]
