"""Network cameras: a real MJPEG server, one that says nothing, and a password nobody may see."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import threading
import traceback

import cv2
import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.live.source_network import NetworkSource, is_stream, stream_name
from app.pipeline.live.source_protocol import CaptureWish, SourceLost
from app.pipeline.live.sources import open_source, words_for
from tests.support.media import write_clip

SECRET = "hunter2"


def jpeg(shade, size=(64, 48)):
    return cv2.imencode(".jpg", np.full((size[1], size[0], 3), shade, np.uint8))[1].tobytes()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ended = threading.Event()
        self.pictures = [jpeg(40 * i) for i in range(6)]
        self.hang_after = False
        self.file = b""

    def handle_error(self, request, client_address):
        """A client that hangs up is no error."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.split("?")[0]
        if kind == "/secret":
            self.send_error(401)
        elif kind == "/file":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.file)
        elif kind == "/video":
            self.stream()
        else:
            self.send_error(404)

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for data in self.server.pictures:
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
            self.wfile.write(head % len(data) + data + b"\r\n")
        if self.server.hang_after:
            self.server.ended.wait(10)


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def black_hole():
    """Accepts and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener.getsockname()[1]
    listener.close()


def address(port, path="/video", scheme="http"):
    return f"{scheme}://user:{SECRET}@127.0.0.1:{port}{path}?key={SECRET}"


def opened(url, **limits):
    return contextlib.closing(NetworkSource(url, CaptureWish(), **({"open_s": 5, "read_s": 5} | limits)))


def test_mjpeg_frames_arrive_in_order_on_a_rising_clock(server):
    server.hang_after = True
    with opened(address(server.server_port), read_s=0.3) as source:
        read = [source.read() for _ in range(6)]
        assert source.granted.size == (64, 48)
        assert source.granted.rate_hz is None
        assert source.granted.name == f"127.0.0.1:{server.server_port}"
        assert source.granted.detail == "mjpeg"
        with pytest.raises(SourceLost, match="from 127"):
            source.read()
    shades = [int(c.frame.pixels[20, 20].mean()) for c in read]
    assert shades == pytest.approx([40 * i for i in range(6)], abs=3)
    assert [c.frame.index for c in read] == list(range(6))
    assert min(np.diff([c.frame.pts for c in read])) > 0


def test_a_stream_that_ends_is_lost(server):
    with opened(address(server.server_port)) as source:
        for _ in server.pictures:
            source.read()
        with pytest.raises(SourceLost, match="has ended"):
            source.read()


def test_a_size_that_changes_midway_is_granted(server):
    server.pictures = [jpeg(80), jpeg(80), jpeg(90, (96, 64)), jpeg(90, (96, 64))]
    with opened(address(server.server_port)) as source:
        sizes = [source.read().frame.size for _ in range(4)]
        assert source.granted.size == (96, 64)
    assert sizes == [(64, 48)] * 2 + [(96, 64)] * 2


def test_mpegts_by_http_keeps_its_own_times(server, tmp_path):
    server.file = write_clip(tmp_path / "clip.ts", frames=12, rate=25).read_bytes()
    with opened(address(server.server_port, "/file")) as source:
        read = [source.read() for _ in range(10)]
        assert source.granted.rate_hz == pytest.approx(25)
    assert np.diff([c.frame.time_s for c in read]) == pytest.approx([0.04] * 9)


def test_a_server_that_says_nothing_is_given_up_in_time(black_hole):
    for scheme in ("http", "rtsp"):
        with pytest.raises(UserError, match=r"from 127.*answer"):
            NetworkSource(address(black_hole, scheme=scheme), CaptureWish(), open_s=0.3, read_s=0.3)


def test_nobody_there_is_told_at_once():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    for scheme in ("http", "rtsp"):
        with pytest.raises(UserError, match="nothing answers there"):
            open_source(address(port, scheme=scheme), CaptureWish())


@pytest.mark.parametrize("kind", ["m3u8", "concat", "mp4", "page"])
def test_playlists_files_and_pages_are_refused(server, tmp_path, kind):
    clip = write_clip(tmp_path / "clip.mp4", frames=3)
    segment = write_clip(tmp_path / "clip.ts", frames=3)
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
    server.file = {
        "m3u8": f"{head}{segment}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile {segment}\n".encode(),
        "mp4": clip.read_bytes(),
        "page": b"<html>no stream</html>",
    }[kind]
    with pytest.raises(UserError, match="from 127"):
        NetworkSource(address(server.server_port, "/file"), CaptureWish(), open_s=2, read_s=2)


@pytest.mark.parametrize("spec", ["file:///etc/hostname", "concat://a|b", "udp://127.0.0.1:1", "rtmp://host/x"])
def test_other_protocols_are_refused_unseen(spec):
    with pytest.raises(UserError, match="this kind"):
        open_source(spec, CaptureWish())
    assert not is_stream(spec)


def test_the_password_is_in_no_message_name_traceback_or_log(server, black_hole, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server.pictures = [b"no jpeg"] * 3
    bad = [
        address(server.server_port),
        address(server.server_port, "/secret"),
        address(server.server_port, "/nothing"),
        address(server.server_port, "/file"),
        address(black_hole),
        address(black_hole, scheme="rtsp"),
        address(1),
        address(1, scheme="rtsps"),
        address(1, scheme="https"),
        f"http://user:{SECRET}@no-such-host.invalid/",
        f"http://user:{SECRET}@[broken/",
        f"rtsp://user:{SECRET}@:port/",
    ]
    for url in bad:
        with pytest.raises(UserError) as refused:
            NetworkSource(url, CaptureWish(), open_s=0.3, read_s=0.3)
        told = "".join(traceback.format_exception(refused.value))
        assert SECRET not in told + str(refused.value) + words_for(url) + stream_name(url)
        assert refused.value.__context__ is None or SECRET not in str(refused.value.__context__)
    captured = capfd.readouterr()
    assert SECRET not in caplog.text + captured.out + captured.err


def test_a_wrong_password_is_told_as_such(server):
    with pytest.raises(UserError, match="user and a password"):
        NetworkSource(address(server.server_port, "/secret"), CaptureWish())
