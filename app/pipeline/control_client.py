"""Asking a running program for something: what `ctl` does."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.bounded_json import UnusableJson, parse_json, read_json
from app.pipeline.settings_store import config_folder

TIMEOUT_S: Final = 15.0
_MAX_ANSWER_BYTES: Final = 1_000_000


def token_path() -> Path:
    """Where the running program leaves its port and token."""
    return config_folder() / "control.json"


def call(command: str, arguments: dict[str, object], token_path: Path) -> dict[str, Any]:
    """The answer of the program that wrote the token file.

    UserError: nobody listens (FAILED), what the program answered is an error (its own code), or no answer came
    (FAILED). Goes to 127.0.0.1 directly, past any proxy.
    """
    port, token = _address(token_path)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"/v1/{command}", json.dumps(arguments).encode(), headers)
        response = connection.getresponse()
        status, body = response.status, response.read(_MAX_ANSWER_BYTES + 1)
    except ConnectionRefusedError as error:
        raise _nobody() from error
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            "The running PlateMatch did not answer.", "Look at its window, and try again.", code=ExitCode.FAILED
        ) from error
    finally:
        connection.close()
    return _understood(status, body)


def _address(path: Path) -> tuple[int, str]:
    try:
        data = read_json(path)
        port, token = data["port"], data["token"]
    except FileNotFoundError as error:
        raise _nobody() from error
    except (OSError, UnusableJson, LookupError, TypeError) as error:
        raise UserError(
            f"The token file “{path}” can't be used.",
            "Turn “Control from outside” off and on again.",
            code=ExitCode.FAILED,
        ) from error
    if not (isinstance(port, int) and 0 < port < 65536 and isinstance(token, str) and token.isascii()):
        raise _nobody()
    return port, token


def _understood(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer = parse_json(body, max_bytes=_MAX_ANSWER_BYTES)
    except UnusableJson:
        answer = None
    if not isinstance(answer, dict):
        raise UserError("Something else than PlateMatch answered.", "Is its port in use?", code=ExitCode.FAILED)
    if status == http.client.OK:
        return answer
    code = answer.get("code")
    known = ExitCode(code) if code in list(ExitCode) and code != ExitCode.OK else ExitCode.FAILED
    raise UserError(str(answer.get("error", "It was refused.")), str(answer.get("hint", "")), code=known)


def _nobody() -> UserError:
    return UserError(
        "PlateMatch is not running, or its control from outside is off.",
        "Open it and turn on Output > Control from outside.",
        code=ExitCode.FAILED,
    )
