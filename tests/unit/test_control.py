import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from app.cli import main
from app.cli.ctl import request_of
from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings
from app.pipeline.control_client import call, token_path
from app.pipeline.control_commands import COMMANDS, changed_setting, checked_arguments
from app.pipeline.control_server import MAX_BODY_BYTES, MAX_CONNECTIONS, ControlServer

ROOT = Path(__file__).parents[2]


class Window:
    """Stands in for the open window: notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.error = None

    def __call__(self, command, arguments):
        self.asked.append((command, arguments))
        if self.error is not None:
            raise self.error
        if command == "presets":
            return {"presets": [{"name": "Office", "slot": 1}, {"name": "B\u00fcro", "slot": None}]}
        return {"fps": 29.97, "match": {"strength": 0.5}} if command == "stats" else {}


@pytest.fixture
def window():
    return Window()


@pytest.fixture
def server(window):
    server = ControlServer(window, token_path=token_path())
    server.start()
    yield server
    server.stop()


def token():
    return json.loads(token_path().read_text())["token"]


def ask(server, path="/v1/stats", *, body=b"", method="POST", drop=(), **headers):
    """A request with everything right but what is given; returns (status, answer)."""
    sent = {"Host": f"127.0.0.1:{server.port}", "Authorization": f"Bearer {token()}", "Content-Length": str(len(body))}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if name not in drop:
            connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.read()
    assert response.getheader("Access-Control-Allow-Origin") is None
    connection.close()
    return response.status, json.loads(answer) if answer else None


def test_a_valid_request_is_answered(server, window):
    assert ask(server) == (200, {"fps": 29.97, "match": {"strength": 0.5}})
    assert ask(server, Host=f"localhost:{server.port}")[0] == 200
    assert window.asked == [("stats", {}), ("stats", {})]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": "B\u00e4rer \u00fc"}, 401),
        ({"drop": ("Authorization",)}, 401),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"drop": ("Host",)}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"path": "/v1/format-disk"}, 404),
        ({"path": "/v1/"}, 404),
        ({"path": "/stats"}, 404),
        ({"path": "/v1/../v1/stats"}, 404),
        ({"path": "/v1/stats?x=1"}, 404),
        ({"method": "GET"}, 501),
        ({"method": "OPTIONS", "Origin": "https://evil.example"}, 501),
        ({"Content_Length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"Content_Length": "99999999999999999999999"}, 411),
        ({"Content_Length": "-1"}, 411),
        ({"drop": ("Content-Length",), "Transfer_Encoding": "chunked"}, 411),
        ({"body": b"{"}, 400),
        ({"body": b"[]"}, 400),
        ({"body": b"\xff\xfe"}, 400),
        ({"body": b"[" * 9000}, 400),
        ({"body": b'{"unknown": 1}'}, 400),
        ({"path": "/v1/preset"}, 400),
        ({"path": "/v1/preset", "body": b'{"name": 5}'}, 400),
        ({"path": "/v1/panic", "body": b'{"state": "maybe"}'}, 400),
        ({"path": "/v1/panic", "body": b'{"state": ["on"]}'}, 400),
    ],
)
def test_everything_else_is_refused_and_reaches_nobody(server, window, changes, status):
    got, answer = ask(server, **changes)
    assert got == status
    assert answer["error"]
    assert window.asked == []
    assert ask(server)[0] == 200  # and it goes on


def test_token_is_new_at_every_start_long_and_in_a_file_of_its_owner_only(window):
    seen = []
    for _ in range(2):
        server = ControlServer(window, token_path=token_path())
        server.start()
        seen.append(token())
        assert json.loads(token_path().read_text())["port"] == server.port
        if os.name != "nt":
            assert token_path().stat().st_mode & 0o777 == 0o600
        server.stop()
        assert not token_path().exists()
        assert list(token_path().parent.iterdir()) == []
    assert len(set(seen)) == 2
    assert all(len(text) >= 43 for text in seen)  # 32 bytes in base 64


def test_only_loopback_is_listened_on(server):
    listening = [
        connection.laddr
        for connection in psutil.Process().net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == server.port
    ]
    assert [address.ip for address in listening] == ["127.0.0.1"]


def test_stop_ends_listening_and_can_be_repeated_and_started_again(server, window):
    port = server.port
    server.start()
    assert server.port == port
    server.stop()
    server.stop()
    assert server.port is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    server.start()
    assert call("stats", {}, token_path())["fps"] == 29.97


def test_stop_ends_connections_that_say_nothing(server):
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(3)]
    idle[0].sendall(b"POST /v1/stats HTTP/1.1\r\nHost: ")
    assert ask(server)[0] == 200  # the idle ones were accepted before this one
    server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("control-")]
    for connection in idle:
        connection.close()


def test_idle_connections_do_not_lock_others_out(server):
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(3 * MAX_CONNECTIONS)]
    assert ask(server)[0] == 200
    alive = [thread for thread in threading.enumerate() if thread.name == "control-connection"]
    assert len(alive) <= 3 * MAX_CONNECTIONS
    for connection in idle:
        connection.close()


def test_stop_leaves_the_token_of_another_copy(server):
    token_path().write_text(json.dumps({"port": 1, "token": "theirs"}))
    server.stop()
    assert token() == "theirs"


def test_taken_port_and_unwritable_token_are_sentences(server, window, tmp_path):
    with pytest.raises(UserError, match=str(server.port)):
        ControlServer(window, token_path=tmp_path / "t.json", port=server.port).start()
    with pytest.raises(UserError, match="port"):
        ControlServer(window, token_path=tmp_path / "t.json", port=70000).start()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        ControlServer(window, token_path=tmp_path / "file" / "t.json").start()
    assert not (tmp_path / "t.json").exists()


def test_error_of_the_program_keeps_sentence_hint_and_code(server, window):
    window.error = UserError("No such plate.", "Choose another.", code=ExitCode.BAD_INPUT)
    assert ask(server) == (400, {"error": "No such plate.", "hint": "Choose another.", "code": 3})
    with pytest.raises(UserError) as caught:
        call("stats", {}, token_path())
    assert (caught.value.message, caught.value.hint, caught.value.code) == (
        "No such plate.",
        "Choose another.",
        ExitCode.BAD_INPUT,
    )


def test_defect_of_the_program_is_a_sentence_without_its_details(server, window, caplog):
    window.error = RuntimeError("secret detail")
    status, answer = ask(server)
    assert status == 500
    assert "secret" not in json.dumps(answer)
    window.error = None
    assert ask(server)[0] == 200


def test_one_command_runs_at_a_time():
    inside, most = [], []
    release = threading.Event()

    def handle(command, arguments):
        inside.append(command)
        most.append(len(inside))
        release.wait(0.05)
        inside.pop()
        return {}

    server = ControlServer(handle, token_path=token_path())
    server.start()
    threads = [threading.Thread(target=call, args=("stats", {}, token_path())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop()
    assert most == [1, 1, 1, 1]


def test_client_says_when_nobody_is_there(server, tmp_path):
    copy = tmp_path / "stale.json"
    copy.write_text(token_path().read_text())
    server.stop()
    for path in (copy, token_path()):
        with pytest.raises(UserError, match="not running") as caught:
            call("stats", {}, path)
        assert caught.value.code is ExitCode.FAILED


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"port": "x", "token": "y"}', b'{"port": 0, "token": "y"}'])
def test_client_survives_any_token_file(tmp_path, content):
    path = tmp_path / "control.json"
    path.write_bytes(content)
    with pytest.raises(UserError):
        call("stats", {}, path)


def test_client_says_when_another_program_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<html>")
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):  # closing on unread words would reset the connection
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        path = tmp_path / "control.json"
        path.write_text(json.dumps({"port": listener.getsockname()[1], "token": "t"}))
        with pytest.raises(UserError, match="Something else"):
            call("stats", {}, path)
        thread.join()


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("stats", ("stats", {})),
        ("presets", ("presets", {})),
        ("preset|My Office", ("preset", {"name": "My Office"})),
        ("plate|#204060", ("plate", {"name": "#204060"})),
        ("record|start", ("record-start", {})),
        ("record|pause", ("record-pause", {})),
        ("vcam|stop", ("vcam-stop", {})),
        ("panic|on", ("panic", {"state": "on"})),
        ("snapshot", ("snapshot", {})),
        ("view|matte", ("view", {"name": "matte"})),
        ("get", ("settings-get", {})),
        ("set|match.strength|0.5", ("settings-set", {"group": "match", "name": "strength", "value": 0.5})),
        ("set|placement.offset_x|-0.2", ("settings-set", {"group": "placement", "name": "offset_x", "value": -0.2})),
        ("set|placement.mirror|on", ("settings-set", {"group": "placement", "name": "mirror", "value": True})),
        ("set|camera.rate_hz|30", ("settings-set", {"group": "camera", "name": "rate_hz", "value": "30"})),
        ("set|plate|1e3", ("settings-set", {"group": "", "name": "plate", "value": "1e3"})),
    ],
)
def test_words_of_ctl_become_commands(server, window, words, request_):
    assert request_of(words.split("|")) == request_
    assert main(["ctl", "-q", *words.split("|")]) == 0
    assert window.asked == [request_]


@pytest.mark.parametrize(
    "words", ["fly", "preset", "record", "record|jump", "set|a", "stats|now", "settings-set|a|b|c"]
)
def test_other_words_are_wrong_usage(words, capsys):
    assert main(["ctl", *words.split("|")]) == ExitCode.USAGE
    assert "ctl --help" in capsys.readouterr().err


def test_ctl_prints_a_table_or_json(server, capsys):
    assert main(["ctl", "stats"]) == 0
    out = capsys.readouterr().out
    assert "29.97" in out
    assert "match.strength" in out
    assert main(["ctl", "stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"fps": 29.97, "match": {"strength": 0.5}}
    assert main(["ctl", "presets"]) == 0
    assert "B\u00fcro" in capsys.readouterr().out


def test_ctl_ends_with_the_programs_own_code(server, window, capsys):
    window.error = UserError("The disk is full.", "Free some.", code=ExitCode.OUTPUT)
    assert main(["ctl", "record", "start", "--json"]) == ExitCode.OUTPUT
    assert json.loads(capsys.readouterr().out)["error"] == "The disk is full."


def test_ctl_without_a_window_fails_with_what_to_do(capsys):
    assert main(["ctl", "stats"]) == ExitCode.FAILED
    assert "Control from outside" in capsys.readouterr().err


def test_ctl_loads_nothing_heavy():
    code = (
        "import sys\nfrom app.cli import main\nmain(['ctl', 'stats'])\n"
        "bad = [m for m in ('torch', 'cv2', 'av', 'PyQt6', 'numpy') if m in sys.modules]\nassert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_of_ctl_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["ctl", "--help"])
    out = capsys.readouterr().out
    for name in COMMANDS:
        first, _, second = name.partition("-")
        assert (second if first == "settings" else first) in out
        assert second in out


def test_arguments_are_checked_by_the_table():
    assert checked_arguments("view", {"name": "matte"}) == {"name": "matte"}
    assert checked_arguments("settings-set", {"group": "", "name": "plate", "value": None})["value"] is None
    with pytest.raises(UserError, match="no “extra”"):
        checked_arguments("stats", {"extra": 1})


def test_a_setting_is_changed_only_to_what_it_may_be():
    settings = Settings()
    assert changed_setting(settings, "match", "strength", value=1).match.strength == 1.0
    assert changed_setting(settings, "camera", "rate_hz", value=30).camera.rate_hz == "30"
    assert changed_setting(settings, "", "plate", value="loft").plate == "loft"
    for group, name, value in [
        ("match", "strength", 7),
        ("match", "strength", "0.5"),
        ("match", "unheard_of", 1),
        ("nothing", "strength", 1),
        ("", "match", {}),
        ("", "camera", "x"),
        ("placement", "mirror", 1),
        ("camera", "rate_hz", 31),
    ]:
        with pytest.raises(UserError) as caught:
            changed_setting(settings, group, name, value=value)
        assert caught.value.code is ExitCode.USAGE
        assert caught.value.hint
