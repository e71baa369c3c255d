"""Loading the colour network while the picture goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.domain.errors import UserError
from app.pipeline.engine_loading import load_engine
from harmonizer import CurveEngine

log = logging.getLogger(__name__)


class EngineLoader:
    """Loads one engine at a time on a thread of its own. on_failure(UserError): called from there."""

    def __init__(self, on_failure: Callable[[UserError], None]) -> None:
        self._on_failure = on_failure
        self._wanted = ""
        self._ready: tuple[str, CurveEngine] | None = None
        self._thread: threading.Thread | None = None

    def engine(self, name: str) -> CurveEngine | None:
        """The engine of that name once it is there; until then the one before it, or None."""
        if name != self._wanted and not self._is_loading():
            self._wanted = name
            self._thread = threading.Thread(target=self._load, args=(name,), name="engine-loader", daemon=True)
            self._thread.start()
        return None if self._ready is None else self._ready[1]

    def close(self) -> None:
        """Wait for what is being loaded."""
        if self._thread is not None:
            self._thread.join()

    def _is_loading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _load(self, name: str) -> None:
        try:
            self._ready = name, load_engine(name)
        except UserError as error:
            self._on_failure(error)
        except Exception as error:  # whatever it is, the picture goes on without a match
            log.exception("the colour network could not be loaded")
            self._on_failure(
                UserError(
                    f"The colour network can't be used: {type(error).__name__}: {error}.", "Choose another model."
                )
            )
