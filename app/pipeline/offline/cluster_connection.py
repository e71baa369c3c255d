"""The way to a Ray cluster: found, or started on this machine; nothing of it ever calls home."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.domain.errors import ExitCode, UserError

log = logging.getLogger(__name__)

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Ray reports usage to its makers unless told not to before it is imported."""

_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray listens on every network interface of a Linux machine, even alone; with this on 127.0.0.1 only."""

_KNOCK_S: Final = 10.0


class Connection:
    """A connected Ray.

    address: "auto" (RAY_ADDRESS, else the one running on this machine), "ray://host:port", "host:port", or None: one is
    started here for this process alone, and ends with it. cores, object_store_bytes, temp_folder: of one that is
    started here. UserError (USAGE) without Ray, or when nobody answers.
    """

    def __init__(
        self,
        address: str | None,
        *,
        cores: int | None = None,
        object_store_bytes: int | None = None,
        temp_folder: Path | None = None,
    ) -> None:
        self._stack = ExitStack()
        with ExitStack() as stack:
            stack.enter_context(_environment(_QUIET | (_own_environment() if address is None else _token_mode())))
            self.ray = _ray()
            self.is_ours = not self.ray.is_initialized()
            if self.is_ours:
                started = _started_here(cores, object_store_bytes, temp_folder)
                _connect(self.ray, address, started if address is None else {})
            _keep_off_stdout(stack)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Disconnect; a cluster that was started here ends."""
        with self._stack:
            if self.is_ours and self.ray.is_initialized():
                self.ray.shutdown()


def _started_here(cores: int | None, object_store_bytes: int | None, temp_folder: Path | None) -> dict[str, Any]:
    options: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1", "num_cpus": cores}
    if object_store_bytes is not None:
        options["object_store_memory"] = object_store_bytes
    if temp_folder is not None:
        options["_temp_dir"] = str(temp_folder)
    return options


def _connect(ray: Any, address: str | None, options: Mapping[str, Any]) -> None:
    try:
        _knock(address if address != "auto" else os.environ.get("RAY_ADDRESS", "auto"))
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise UserError(
            f"No Ray cluster answers at “{address or 'this machine'}” ({_in_short(error)}).",
            "Start one with `ray start --head --disable-usage-stats`, see docs/scaling.md; or leave --cluster out.",
            code=ExitCode.USAGE,
        ) from error


def _keep_off_stdout(stack: ExitStack) -> None:
    """Ray prints what befalls its nodes on stdout, among the program's own output; no setting of its stops it."""
    module = importlib.import_module("ray._private.worker")
    printed = getattr(module, "print_to_stdstream", None)
    if printed is not None:
        module.print_to_stdstream = _logged  # type: ignore[attr-defined]
        stack.callback(setattr, module, "print_to_stdstream", printed)


def _logged(data: Mapping[str, Any], *_args: object, **_more: object) -> None:
    log.info("ray: %s", "\n".join(map(str, data.get("lines", ()))))


def _knock(address: str | None) -> None:
    """OSError unless somebody listens there: Ray itself would try for a minute."""
    host, _, port = (address or "").rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UserError(
            "Rendering on a cluster needs Ray, which is not installed.",
            "Install it with: pip install platematch[cluster]",
            code=ExitCode.USAGE,
        ) from error


@cache
def _own_environment() -> dict[str, str]:
    """Only this process may talk to what it starts: Ray runs whatever is sent to it.

    The same for all that it starts, since Ray reads the token once.
    """
    return _LOOPBACK | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _token_mode() -> dict[str, str]:
    """A cluster that Ray protects by a token expects it; through `ray://` Ray sends one only when told to."""
    if "RAY_AUTH_MODE" in os.environ:
        return {}
    is_named = bool({"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys())
    return {"RAY_AUTH_MODE": "token"} if is_named or (Path.home() / ".ray" / "auth_token").is_file() else {}


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _in_short(error: BaseException) -> str:
    """The first and the last line: what, and by Ray's habit, why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " … ".join(dict.fromkeys([lines[0][:150], lines[-1][:150]]))
