import os
import platform
import subprocess
import sys

import pytest

from app.domain.errors import UserError
from app.pipeline.live import virtual_camera_help
from app.pipeline.live.camera_users import UserCount, own_openings, users_of
from app.pipeline.live.virtual_camera_help import (
    LOAD_COMMAND,
    failure_of,
    loopbacks,
    open_camera,
    probe_linux,
    probe_virtual_camera,
)


def put(root, path, text=""):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def add_loopback(root, number, name="PlateMatch"):
    put(root, f"sys/class/video4linux/video{number}/name", name + "\n")
    put(root, f"sys/class/video4linux/video{number}/max_openers", "10\n")
    return put(root, f"dev/video{number}")


@pytest.fixture
def loaded(tmp_path):
    put(tmp_path, "sys/module/v4l2loopback/parameters/exclusive_caps", "N,Y,N,N\n")
    put(tmp_path, "sys/class/video4linux/video0/name", "A real camera\n")
    add_loopback(tmp_path, 10, "Plain")
    add_loopback(tmp_path, 9, "Other")
    add_loopback(tmp_path, 20, "Third")
    return tmp_path


def test_first_exclusive_device_is_taken_and_real_cameras_never(loaded):
    assert [device.node for device in loopbacks(loaded)] == ["/dev/video10", "/dev/video9", "/dev/video20"]
    probe = probe_linux(loaded)
    assert probe.ok
    assert "Plain" in probe.message
    assert "/dev/video10" in probe.message
    assert not probe_linux(loaded, device="/dev/video0").ok


def test_device_that_browsers_will_not_list_is_said(loaded):
    probe = probe_linux(loaded, device="/dev/video9")
    assert probe.ok
    assert "browsers" in probe.message
    assert LOAD_COMMAND in probe.hint


def test_driver_that_is_not_installed_is_named_with_the_systems_own_command(tmp_path):
    put(tmp_path, "etc/os-release", 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n')
    probe = probe_linux(tmp_path)
    assert not probe.ok
    assert "not installed" in probe.message
    assert "sudo apt install v4l2loopback-dkms" in probe.hint
    assert LOAD_COMMAND in probe.hint


def test_unknown_system_gets_no_made_up_command(tmp_path):
    assert "package v4l2loopback of your system" in probe_linux(tmp_path).hint


def test_driver_that_is_installed_but_not_loaded_gets_the_exact_line(tmp_path):
    put(tmp_path, f"lib/modules/{platform.release()}/modules.dep", "updates/dkms/v4l2loopback.ko.xz: a b\n")
    probe = probe_linux(tmp_path)
    assert not probe.ok
    assert "not loaded" in probe.message
    assert 'sudo modprobe v4l2loopback exclusive_caps=1 card_label="PlateMatch"' in probe.hint


def test_loaded_driver_without_a_device_is_said(tmp_path):
    put(tmp_path, "sys/module/v4l2loopback/parameters/exclusive_caps", "Y\n")
    probe = probe_linux(tmp_path)
    assert not probe.ok
    assert "not there" in probe.message


def test_missing_permission_names_the_group(loaded, monkeypatch):
    asked = []

    def access(path, mode):
        asked.append(path)
        return False

    monkeypatch.setattr(virtual_camera_help.os, "access", access)
    probe = probe_linux(loaded)
    assert asked == [loaded / "dev/video10"]
    assert not probe.ok
    assert "usermod -aG video" in probe.hint


@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_missing_package_comes_first_on_every_system(system, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    monkeypatch.setattr(virtual_camera_help.platform, "system", lambda: system)
    probe = probe_virtual_camera()
    assert not probe.ok
    assert 'pip install "platematch[virtualcam]"' in probe.hint
    assert failure_of(ImportError("pyvirtualcam")).message == probe.message


def test_macos_without_obs_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(virtual_camera_help.platform, "system", lambda: "Darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "OBS 30" in probe_virtual_camera().hint
    (tmp_path / "Applications" / "OBS.app").mkdir(parents=True)
    assert probe_virtual_camera().ok


def test_windows_looks_for_both_cameras(monkeypatch):
    monkeypatch.setattr(virtual_camera_help.platform, "system", lambda: "Windows")
    asked = []

    def registered(name):
        asked.append(name)
        return False

    monkeypatch.setattr(virtual_camera_help, "_is_registered", registered)
    probe = probe_virtual_camera()
    assert not probe.ok
    assert "OBS" in probe.hint
    assert len(asked) == 2


def test_opening_without_a_driver_is_the_probes_sentence(monkeypatch):
    missing = virtual_camera_help.Probe(ok=False, message="Nothing there.", hint="Get it.")
    monkeypatch.setattr(virtual_camera_help, "probe_virtual_camera", lambda device="": missing)
    monkeypatch.setattr(virtual_camera_help.platform, "system", lambda: "Linux")
    with pytest.raises(UserError, match="Nothing there"):
        open_camera(32, 18, 10.0, fmt=None, device=None)


def test_refusal_of_a_driver_that_is_there_keeps_its_first_line(monkeypatch):
    there = virtual_camera_help.Probe(ok=True, message="There.")
    monkeypatch.setattr(virtual_camera_help, "probe_virtual_camera", lambda device="": there)
    failure = failure_of(RuntimeError("'v4l2loopback' backend: Device or resource busy\nmore"))
    assert "Device or resource busy" in failure.message
    assert "more" not in failure.message


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc, as Linux has it")


@pytest.fixture
def watched(tmp_path):
    """A file, and a function that starts another process which has it open."""
    node = tmp_path / "video9"
    node.write_bytes(b"")
    started = []

    def watch():
        code = f"f = open({str(node)!r}); print('open', flush=True); input()"
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"open\n"
        return process

    yield node, watch
    for process in started:
        process.communicate()


@needs_proc
def test_processes_that_have_a_device_open_are_counted_without_us(watched):
    node, watch = watched
    with node.open():
        assert own_openings(str(node)) == 1
        watch()
        assert users_of(str(node)) == 1
        watch()
        assert users_of(str(node)) == 2


def fake_proc(root, *, hidden):
    """A /proc with us and one other process, which may be hidden."""
    (root / "self" / "fd").mkdir(parents=True)
    (root / "4242").mkdir()
    if hidden:
        (root / "4242" / "fd").write_text("reading this as a folder fails, as a forbidden one does")
    else:
        (root / "4242" / "fd").mkdir()
    return root


def test_hidden_processes_make_nobody_uncertain_unless_the_kernel_counts(tmp_path):
    uses = tmp_path / "refcnt"
    proc = fake_proc(tmp_path / "proc", hidden=True)
    assert users_of("/dev/video9", proc=proc, uses=uses) is None
    uses.write_text("1\n")
    assert users_of("/dev/video9", proc=proc, uses=uses) is None
    (proc / "self" / "fd" / "3").symlink_to("/dev/video9")
    assert users_of("/dev/video9", proc=proc, uses=uses) == 0
    uses.write_text("2\n")
    assert users_of("/dev/video9", proc=proc, uses=uses) is None


def test_our_real_camera_is_not_taken_for_the_virtual_one(tmp_path):
    uses = tmp_path / "refcnt"
    uses.write_text("1\n")
    proc = fake_proc(tmp_path / "proc", hidden=True)
    (proc / "self" / "fd" / "3").symlink_to("/dev/video0")
    assert users_of("/dev/video9", proc=proc, uses=uses) is None


def test_nobody_hidden_and_nobody_found_is_certain(tmp_path):
    proc = fake_proc(tmp_path / "proc", hidden=False)
    assert users_of("/dev/video9", proc=proc, uses=tmp_path / "none") == 0


def test_system_without_proc_is_unknown(tmp_path):
    assert users_of("/dev/video9", proc=tmp_path) is None


def test_count_is_only_taken_anew_when_the_kernels_count_changes(tmp_path):
    uses = tmp_path / "refcnt"
    uses.write_text("1\n")
    proc = fake_proc(tmp_path / "proc", hidden=False)
    count = UserCount("/dev/video9", proc=proc, uses=uses)
    assert count.now() == 0
    (proc / "4242" / "fd" / "7").symlink_to("/dev/video9")
    assert count.now() == 0
    uses.write_text("2\n")
    assert count.now() == 1
