"""A camera that follows a script: grants what it likes, is busy, goes silent, dies, changes its size."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.live import camera_list
from app.pipeline.live.camera_list import Camera, LinuxFolders, list_cameras, node_fault, same_device, stable_id
from app.pipeline.live.source_camera import EMPTY_S, FROZEN_S, CameraClock, CameraSource
from app.pipeline.live.source_camera_opening import Devices
from app.pipeline.live.source_pacing import PaceClock
from app.pipeline.live.source_protocol import CaptureWish, SourceLost
from app.pipeline.live.sources import device_of, open_source, stall_error


def noise(index, size=(64, 48)):
    return np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), np.uint8)


class Camcorder:
    """What OpenCV would give: `script(n)` is the n-th picture (None: none) and its device time in ms."""

    def __init__(self, script, *, granted=None, is_open=True):
        self.script = script
        self.is_open = is_open
        self.now_s = 50.0
        self.asked = []
        self.values = {
            cv2.CAP_PROP_FRAME_WIDTH: 64,
            cv2.CAP_PROP_FRAME_HEIGHT: 48,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
            cv2.CAP_PROP_AUTO_WB: 1,
        } | (granted or {})
        self.reads = 0
        self.released = 0
        self.ms = 0.0

    def isOpened(self):
        return self.is_open

    def set(self, prop, value):
        self.asked.append((prop, value))
        if prop == cv2.CAP_PROP_AUTO_WB:
            self.values[prop] = value
        return True

    def get(self, prop):
        return self.ms if prop == cv2.CAP_PROP_POS_MSEC else self.values.get(prop, 0)

    def read(self):
        self.now_s += 1 / 30
        picture, self.ms = self.script(self.reads)
        self.reads += 1
        return picture is not None, picture

    def release(self):
        self.released += 1

    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture
def node(tmp_path):
    path = tmp_path / "video0"
    path.touch()
    return path


def devices(camcorder, node, *, fault=0, platform="linux"):
    opened = []

    def capture(address, backend):
        opened.append((address, backend))
        return camcorder

    cameras = lambda: [Camera(str(node), "Desk cam")] if node.exists() else []  # noqa: E731
    made = Devices(capture, cameras, lambda _: fault, platform)
    return made, opened


def source_of(camcorder, node, *, wish=None, identity="", **options):
    world, _ = devices(camcorder, node, **options)
    clock = PaceClock(lambda: camcorder.now_s, camcorder.sleep)
    return CameraSource(identity, wish or CaptureWish(), devices=world, clock=clock)


def living(n):
    return noise(n), 1000 + n * 1000 / 30


def test_format_is_asked_before_size_and_what_is_granted_is_read_back(node):
    camcorder = Camcorder(living, granted={cv2.CAP_PROP_FPS: 15})
    source = source_of(camcorder, node, wish=CaptureWish(size=(1920, 1080), rate_hz=60))
    assert [prop for prop, _ in camcorder.asked] == [
        cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS,
        cv2.CAP_PROP_BUFFERSIZE,
    ]  # fmt: skip
    assert dict(camcorder.asked)[cv2.CAP_PROP_FRAME_WIDTH] == 1920
    assert source.granted.text == "64 \u00d7 48, 15 fps, MJPG"
    assert source.granted.name == "Desk cam"


def test_frames_are_rgb_on_the_cameras_own_clock(node):
    source = source_of(Camcorder(living), node)
    read = [source.read() for _ in range(4)]
    assert np.array_equal(read[0].frame.pixels, noise(0)[..., ::-1])
    assert [c.frame.index for c in read] == [0, 1, 2, 3]
    assert [c.frame.time_s for c in read] == pytest.approx([i / 30 for i in range(4)], abs=1e-6)
    assert [c.captured_s for c in read] == pytest.approx([50 + (i + 1) / 30 for i in range(4)])


@pytest.mark.parametrize(
    "times",
    [
        lambda n: 0.0,  # no clock at all
        lambda n: -1.0,
        lambda n: 1000 - 40.0 * n,  # runs backward
        lambda n: 5.0,  # stands still
        lambda n: 1000 + 3e5 * n,  # far too fast
        lambda n: 1000 + 33.3 * (n // 2),  # twice the same
    ],
)
def test_times_rise_strictly_and_stay_near_the_arrival_whatever_the_camera_says(node, times):
    source = source_of(Camcorder(lambda n: (noise(n), times(n))), node)
    read = [source.read() for _ in range(120)]
    assert min(np.diff([c.frame.pts for c in read])) > 0
    lag = [(c.captured_s - read[0].captured_s) - c.frame.time_s for c in read]
    assert max(abs(x) for x in lag) <= 2.1


def test_empty_frames_are_left_out_and_counted_in_the_gap(node):
    holes = {2, 3, 7}
    source = source_of(Camcorder(lambda n: (None if n in holes else noise(n), living(n)[1])), node)
    assert [source.read().frame.index for _ in range(6)] == [0, 1, 4, 5, 6, 8]


def test_a_camera_that_only_says_no_is_lost(node):
    camcorder = Camcorder(lambda n: (None if n > 2 else noise(n), living(n)[1]))
    source = source_of(camcorder, node)
    for _ in range(3):
        source.read()
    before_s = camcorder.now_s
    with pytest.raises(SourceLost, match="“Desk cam” sends no pictures"):
        source.read()
    assert camcorder.now_s - before_s == pytest.approx(EMPTY_S, abs=0.1)


def test_a_camera_pulled_out_is_named_at_its_first_failure(node):
    camcorder = Camcorder(lambda n: (None if n > 2 else noise(n), living(n)[1]))
    source = source_of(camcorder, node)
    for _ in range(3):
        source.read()
    node.unlink()
    with pytest.raises(SourceLost, match="was unplugged"):
        source.read()
    assert camcorder.reads == 4


def read_times(source, count):
    return [source.read() for _ in range(count)]


def read_until_lost(source, camcorder):
    since_s = camcorder.now_s
    with pytest.raises(SourceLost) as lost:
        read_times(source, 300)
    return str(lost.value), camcorder.now_s - since_s


def test_the_last_frame_handed_out_for_ever_is_a_dead_camera(node):
    camcorder = Camcorder(lambda n: living(min(n, 5)))
    source = source_of(camcorder, node)
    for _ in range(6):
        source.read()
    words, took_s = read_until_lost(source, camcorder)
    assert "sends no pictures" in words
    assert took_s == pytest.approx(FROZEN_S, abs=0.15)


def test_the_last_frame_of_a_vanished_node_is_unplugged_whatever_its_clock(node):
    camcorder = Camcorder(lambda n: (noise(min(n, 5)), 0.0))
    source = source_of(camcorder, node)
    for _ in range(6):
        source.read()
    node.unlink()
    words, took_s = read_until_lost(source, camcorder)
    assert "was unplugged" in words
    assert took_s == pytest.approx(FROZEN_S, abs=0.15)


@pytest.mark.parametrize("device_ms", [lambda n: 1000 + n * 1000 / 30, lambda n: 0.0])
def test_a_still_picture_of_a_virtual_camera_is_legal(node, device_ms):
    source = source_of(Camcorder(lambda n: (noise(0), device_ms(n))), node)
    assert [source.read().frame.index for _ in range(150)] == list(range(150))


def test_another_size_midway_is_handed_on_and_granted(node):
    source = source_of(Camcorder(lambda n: (noise(n, (64, 48) if n < 2 else (80, 60)), living(n)[1])), node)
    assert [source.read().frame.size for _ in range(2)] == [(64, 48)] * 2
    assert source.granted.size == (64, 48)
    assert source.read().frame.size == source.granted.size == (80, 60)


def test_black_pictures_are_pictures(node):
    source = source_of(Camcorder(lambda n: (np.zeros((48, 64, 3), np.uint8), living(n)[1])), node)
    assert not any(source.read().frame.pixels.any() for _ in range(90))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (errno.EBUSY, "in use by another program"),
        (errno.EACCES, "may not be used.* group “video”"),
        (errno.ENOENT, "is not there"),
        (0, "can't be opened"),
    ],
)
def test_busy_forbidden_and_missing_are_told_apart(node, fault, words):
    camcorder = Camcorder(living, is_open=False)
    with pytest.raises(UserError, match=words):
        source_of(camcorder, node, fault=fault)
    assert camcorder.released == 1


def test_no_camera_at_all_is_said_in_words(node):
    node.unlink()
    with pytest.raises(UserError, match="No camera was found"):
        source_of(Camcorder(living), node)


def test_white_balance_is_locked_only_when_wished_and_set_back(node):
    free, locked = Camcorder(living), Camcorder(living)
    source_of(free, node).close()
    assert cv2.CAP_PROP_AUTO_WB not in dict(free.asked)
    source = source_of(locked, node, wish=CaptureWish(lock_white_balance=True))
    assert locked.values[cv2.CAP_PROP_AUTO_WB] == 0
    source.close()
    assert locked.values[cv2.CAP_PROP_AUTO_WB] == 1
    assert locked.released == 1


def test_linux_opens_by_path_with_v4l2_also_through_links_and_numbers(node, tmp_path):
    link = tmp_path / "by-id"
    link.symlink_to(node)
    world, opened = devices(Camcorder(living), node)
    for identity in (str(link), "", "7"):
        CameraSource(identity, CaptureWish(), devices=world).close()
    assert opened == [(str(node), cv2.CAP_V4L2)] * 2 + [("/dev/video7", cv2.CAP_V4L2)]


@pytest.mark.parametrize(
    ("platform", "backends"), [("win32", [cv2.CAP_DSHOW, cv2.CAP_MSMF]), ("darwin", [cv2.CAP_AVFOUNDATION])]
)
def test_other_systems_try_their_backends_in_order(node, platform, backends):
    world, opened = devices(Camcorder(living, is_open=False), node, platform=platform)
    with pytest.raises(UserError, match="can't be opened"):
        CameraSource("1", CaptureWish(), devices=world)
    assert opened == [(1, backend) for backend in backends]


def test_a_windows_id_finds_the_index_of_each_backend(node, monkeypatch):
    class Info:
        def __init__(self, index, path):
            self.index, self.path, self.name = index, path, "Desk cam"

    lists = {
        cv2.CAP_DSHOW: [Info(0, r"\\?\usb#other#{aaa}\global"), Info(1, r"\\?\USB#vid_1#7&1#{aaa}\global")],
        cv2.CAP_MSMF: [Info(0, r"\\?\usb#vid_1#7&1#{bbb}\global")],
    }
    monkeypatch.setattr("app.pipeline.live.source_camera_opening.enumerated", lambda backend: lists[backend])
    world, opened = devices(Camcorder(living, is_open=False), node, platform="win32")
    with pytest.raises(UserError):
        CameraSource(r"\\?\usb#vid_1#7&1#{ccc}\global", CaptureWish(), devices=world)
    assert opened == [(1, cv2.CAP_DSHOW), (0, cv2.CAP_MSMF)]
    with pytest.raises(UserError, match="is not there"):
        CameraSource(r"\\?\usb#gone#{ccc}", CaptureWish(), devices=world)


def test_a_clock_that_fails_midway_is_left_without_a_step_back():
    clock = CameraClock()
    times = [clock.time_us(1000 + min(n, 30) * 100, n * 0.1) for n in range(60)]
    assert min(np.diff(times)) > 0
    assert times[-1] == 5_900_000
    assert clock.stands_still


def linux_machine(tmp_path, nodes):
    folders = LinuxFolders(tmp_path / "sys", tmp_path / "dev")
    for name, (words, index) in nodes.items():
        node = folders.sys / name
        node.mkdir(parents=True)
        (node / "name").write_text(words + "\n")
        if index is not None:
            (node / "index").write_text(f"{index}\n")
    (folders.dev / "v4l" / "by-id").mkdir(parents=True)
    for name in nodes:
        (folders.dev / name).touch()
    return folders


def test_linux_lists_nodes_that_capture_by_stable_ids(tmp_path):
    folders = linux_machine(
        tmp_path,
        {
            "video0": ("Desk cam", 0),
            "video1": ("Desk cam", 1),  # its metadata
            "video2": ("Codec", 0),
            "video10": ("Our output", 0),
            "video3": ("No index", None),
            "v4l-subdev0": ("Sensor", None),
        },
    )
    link = folders.dev / "v4l" / "by-id" / "usb-Desk_cam-index0"
    link.symlink_to(folders.dev / "video0")
    asked = []

    def capabilities(node):
        asked.append(node.name)
        return {"video2": 0x8000}.get(node.name, 0x1)

    found = list_cameras(without=["Our output"], folders=folders, platform="linux", capabilities=capabilities)
    assert found == [Camera(str(link), "Desk cam"), Camera(str(folders.dev / "video3"), "No index")]
    assert "video1" not in asked
    assert stable_id(str(folders.dev / "video0"), folders) == str(link)
    assert stable_id(str(folders.dev / "video3"), folders) == str(folders.dev / "video3")


def test_a_virtual_camera_is_never_the_first_one(tmp_path):
    folders = linux_machine(tmp_path, {"video0": ("PlateMatch", 0), "video2": ("Desk cam", 0)})
    (folders.sys / "video0" / "max_openers").write_text("10\n")
    found = list_cameras(folders=folders, platform="linux", capabilities=lambda _: 0x1)
    assert [camera.name for camera in found] == ["Desk cam", "PlateMatch"]


def test_a_node_that_can_not_be_asked_counts_as_a_camera(tmp_path):
    folders = linux_machine(tmp_path, {"video0": ("Desk cam", 0)})
    assert list_cameras(folders=folders, platform="linux", capabilities=lambda _: None) != []
    assert list_cameras(folders=LinuxFolders(tmp_path / "none"), platform="linux") == []


def test_the_drivers_answer_is_read_as_the_kernel_lays_it_out(monkeypatch):
    def answer(*_):
        return struct.pack("16s32s32sIII12x", b"uvcvideo", b"Desk cam", b"usb-1", 6, 0x84A00001, 0x04A00000)

    monkeypatch.setattr(camera_list, "_ioctl", answer)
    assert camera_list.node_capabilities(Path("/dev/video1")) == 0x04A00000
    assert len(answer()) == 104


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a Linux device node")
def test_a_nodes_fault_is_the_systems_errno(tmp_path):
    assert node_fault(str(tmp_path / "none")) == errno.ENOENT
    assert node_fault("/dev/null") == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may open everything")
def test_a_forbidden_node_is_eacces(tmp_path):
    (tmp_path / "video0").touch(mode=0o000)
    assert node_fault(str(tmp_path / "video0")) == errno.EACCES


def test_ids_of_one_windows_camera_differ_only_in_the_interface():
    assert same_device(r"\\?\usb#VID_1&PID_2#7#{e532}\global", r"\\?\usb#vid_1&pid_2#7#{65e8}\global")
    assert not same_device(r"\\?\usb#vid_1&pid_2#7#{e532}", r"\\?\usb#vid_1&pid_2#8#{e532}")


def test_other_systems_list_each_camera_once(monkeypatch):
    class Info:
        def __init__(self, index, path):
            self.index, self.path, self.name = index, path, "Desk cam"

    both = [Info(0, r"\\?\usb#1#{a}"), Info(700, r"\\?\usb#1#{b}"), Info(1, r"\\?\usb#2#{a}")]
    monkeypatch.setattr(camera_list, "enumerated", lambda: both)
    assert [camera.id for camera in list_cameras(platform="win32")] == [r"\\?\usb#1#{a}", r"\\?\usb#2#{a}"]
    monkeypatch.setattr(camera_list, "enumerated", lambda: [])
    assert [camera.id for camera in list_cameras(platform="win32")] == ["0", "1", "2", "3"]


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="Linux names cameras by nodes")
def test_one_camera_has_one_device_by_whatever_name(node, tmp_path):
    (tmp_path / "link").symlink_to(node)
    assert device_of(f"camera:{node}") == device_of(f"camera:{tmp_path / 'link'}") != device_of("camera:1")
    assert device_of("camera:3") == device_of("camera:/dev/video3")
    assert device_of("pattern") is None
    assert "sends no pictures" in str(stall_error(f"camera:{node}", "Desk cam"))
    node.unlink()
    assert str(stall_error(f"camera:{node}", "Desk cam")).startswith("The camera “Desk cam” was unplugged.")


def test_a_missing_camera_is_refused_by_the_real_backend_without_noise(tmp_path, capfd):
    with pytest.raises(UserError, match="camera"):
        open_source(f"camera:{tmp_path / 'video9'}", CaptureWish())
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
