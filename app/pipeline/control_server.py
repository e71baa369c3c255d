"""Control from outside: an HTTP server that only programs of this machine which can read the token may use.

Loopback only. What a web page could send is refused: a foreign `Host` (a name that was pointed here) and any
`Origin`. Nothing is answered without the token, which is new at every start and readable by its owner only.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import os
import secrets
import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.bounded_json import UnusableJson, parse_json, read_json
from app.pipeline.control_commands import COMMANDS, checked_arguments
from app.pipeline.settings_store import write_json

__all__ = ["COMMANDS", "ControlServer"]

log = logging.getLogger(__name__)

Handle = Callable[[str, dict[str, object]], dict[str, object]]

LOOPBACK: Final = "127.0.0.1"
MAX_BODY_BYTES: Final = 64 * 1024
MAX_CONNECTIONS: Final = 8
"""One more ends the oldest."""

TIMEOUT_S: Final = 5.0
_TOKEN_BYTES: Final = 32


class ControlServer:
    """Listens while it is on and hands every valid command to `handle`.

    `handle(command, arguments)` returns the answer as a JSON object, or raises UserError. It runs on the connection's
    thread, one command at a time, and must not wait for the thread that calls `stop` longer than TIMEOUT_S.
    token_path: where port and token are written for clients, removed by `stop`. port 0: any free one.
    """

    def __init__(self, handle: Handle, *, token_path: Path, port: int = 0) -> None:
        self._handle = handle
        self._token_path = token_path
        self._wanted_port = port
        self._token = ""
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None while it is off."""
        return None if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, and write the token file. UserError when the port is taken or the file can't be written."""
        if self._server is not None:
            return
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            server = _Server(self._wanted_port, self._token, self._handle)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"Control from outside can't use the port {self._wanted_port}.",
                "Another program may be using it; choose another, or 0 for any.",
                code=ExitCode.FAILED,
            ) from error
        try:
            address = {"port": server.server_address[1], "token": self._token, "pid": os.getpid()}
            write_json(self._token_path, address, backup=False)
        except UserError:
            server.server_close()
            raise
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="control-server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End every connection and thread, and remove the token file."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        self._remove_token()
        server.shutdown()
        thread.join()
        server.server_close()
        server.end_connections()

    def _remove_token(self) -> None:
        # Another copy of the program may have written its own there meanwhile.
        with contextlib.suppress(OSError, UnusableJson):
            if read_json(self._token_path).get("token") == self._token:
                self._token_path.unlink()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32
    # On Windows this would let another program take the port over.
    allow_reuse_address = os.name != "nt"

    def __init__(self, port: int, token: str, handle: Handle) -> None:
        self.token, self.handle = token, handle
        self.one_at_a_time = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._changing = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    def server_bind(self) -> None:
        """As any TCP server; the HTTP one asks the network for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, and end the oldest where there are too many."""
        thread = threading.Thread(
            target=self._process, args=(request, client_address), name="control-connection", daemon=True
        )
        with self._changing:
            oldest = next(iter(self._connections.values())) if len(self._connections) >= MAX_CONNECTIONS else None
            self._connections[thread] = request
        if oldest is not None:
            _end(oldest)
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is its client's affair."""
        log.debug("connection ended early", exc_info=True)

    def end_connections(self) -> None:
        """Cut what is still open and wait for its threads."""
        with self._changing:
            open_now = dict(self._connections)
        for thread, connection in open_now.items():
            _end(connection)
            thread.join(TIMEOUT_S)

    def _process(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._changing:
                self._connections.pop(threading.current_thread(), None)


class _Refusal(Exception):  # noqa: N818  (an answer, not a fault)
    """An answer that is no success."""

    def __init__(self, status: HTTPStatus, message: str, hint: str = "", *, code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.status, self.answer = status, {"error": message, "hint": hint, "code": int(code)}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_S

    def do_POST(self) -> None:
        """Run one command."""
        try:
            # Read first, whoever asks: an answer before the end of the question is lost with the connection.
            body = self._body()
            self._check_sender()
            self._answer(HTTPStatus.OK, self._run_command(body))
        except _Refusal as refusal:
            self._answer(refusal.status, refusal.answer)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As JSON, for whatever the base class refuses: other methods, broken requests."""
        self._answer(code, {"error": "This can't be asked here.", "hint": "POST /v1/<command>.", "code": 1})

    def version_string(self) -> str:
        """Says nothing about the system."""
        return "PlateMatch"

    def log_message(self, format: str, *args: Any) -> None:
        """Only for those who look for it."""
        log.debug(format, *args)

    def _check_sender(self) -> None:
        port = self.server.server_address[1]
        if self.headers.get_all("Host", []) not in ([f"{LOOPBACK}:{port}"], [f"localhost:{port}"]):
            raise _Refusal(HTTPStatus.FORBIDDEN, "Only this machine may ask.")
        if "Origin" in self.headers:
            raise _Refusal(HTTPStatus.FORBIDDEN, "Web pages may not ask.")
        given = self.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong.", "It is in the token file.")

    def _run_command(self, body: bytes) -> dict[str, object]:
        name = self.path.removeprefix("/v1/")
        if name == self.path or name not in COMMANDS:
            known = ", ".join(COMMANDS)
            raise _Refusal(HTTPStatus.NOT_FOUND, "There is no such command.", f"Commands: {known}.")
        try:
            arguments = checked_arguments(name, parse_json(body) if body.strip() else {})
            with self.server.one_at_a_time:
                return self.server.handle(name, arguments)
        except UnusableJson as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, f"The request {error}.", code=ExitCode.USAGE) from error
        except UserError as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, error.message, error.hint, code=error.code) from error
        except Exception as error:  # a defect of ours must not end the connection without an answer
            log.exception("control command %s", name)
            raise _Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Something unexpected went wrong.") from error

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0" if "Transfer-Encoding" not in self.headers else "")
        if not (length.isascii() and length.isdecimal() and len(length) < 20):
            raise _Refusal(HTTPStatus.LENGTH_REQUIRED, "The request does not say how long it is.")
        if int(length) > MAX_BODY_BYTES:
            raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        return self.rfile.read(int(length))

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, default=str).encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
