"""MediaPipe's selfie models on two engines that give the same output."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha, Pixels
from app.pipeline.model_files import ModelName, model_bytes

MAX_THREADS = 4
"""More threads than this only wait for each other on a network of 2 ms."""


class SelfieNetwork(Protocol):
    """One selfie model on one engine."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its input and output in px."""

    def infer(self, thumbnail: Pixels) -> Alpha:
        """Alpha (h, w) float32 of a thumbnail (h, w, 3) uint8; the array is the caller's to keep."""

    def close(self) -> None:
        """Release the engine."""


class LiteRtNetwork:
    """The model on LiteRT (ai-edge-litert), loaded from bytes whose SHA-256 was checked.

    Input: RGB / 255, (1, height, width, 3) float32; output: the person's coverage, no activation left to do.
    Not to be shared between threads. UserError (MODEL) when the model or LiteRT is missing.
    """

    def __init__(self, model: ModelName, *, threads: int | None = None) -> None:
        content = model_bytes(model)
        self._interpreter = _interpreter(content, threads or min(MAX_THREADS, os.cpu_count() or 1))
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        _, height, width, _ = self._interpreter.get_input_details()[0]["shape"]
        self.size = int(width), int(height)

    def infer(self, thumbnail: Pixels) -> Alpha:
        """See `SelfieNetwork.infer`."""
        scaled = np.multiply(thumbnail, np.float32(1 / 255), dtype=np.float32)
        self._interpreter.set_tensor(self._input, scaled[None])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)[0, :, :, 0], np.float32)

    def close(self) -> None:
        """Nothing to release but memory."""


class MediaPipeNetwork:
    """The same model through the mediapipe package, which is imported here and takes seconds.

    UserError (MODEL) when mediapipe is not installed.
    """

    def __init__(self, model: ModelName) -> None:
        model_bytes(model)
        self._solution = _solution(model)
        self.size = (256, 144) if model == "landscape" else (256, 256)

    def infer(self, thumbnail: Pixels) -> Alpha:
        """See `SelfieNetwork.infer`; at the model's own size MediaPipe rescales neither input nor output."""
        mask = self._solution.process(np.ascontiguousarray(thumbnail)).segmentation_mask
        return np.array(mask, np.float32)

    def close(self) -> None:
        """Stop MediaPipe's graph and its threads."""
        self._solution.close()


def _interpreter(content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise _missing("ai-edge-litert", error) from error
    with _quiet_native_stderr():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextlib.contextmanager
def _quiet_native_stderr() -> Iterator[None]:
    """Keep the library's "INFO: Created TensorFlow Lite XNNPACK delegate" out of the user's terminal.

    It is written by C++ to descriptor 2 whatever the log settings say; 10 ms once, at start-up. Failures still
    arrive as exceptions.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # A windowed process may have no standard error at all: then there is nothing to keep clean.
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _solution(model: ModelName) -> Any:
    try:
        import mediapipe
    except ImportError as error:
        raise _missing("mediapipe", error) from error
    solutions = getattr(mediapipe, "solutions", None)
    if solutions is None:
        raise _missing("mediapipe 0.10.21 (a newer one without its 'solutions' is there)", None)
    return solutions.selfie_segmentation.SelfieSegmentation(model_selection=int(model == "landscape"))


def _missing(package: str, error: ImportError | None) -> UserError:
    reason = f" ({error})" if error else ""
    return UserError(
        f"The segmentation engine needs {package}, which can't be loaded{reason}.",
        "Install it, or choose the other engine.",
        code=ExitCode.MODEL,
    )
