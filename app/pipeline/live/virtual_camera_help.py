"""Whether a virtual camera can be fed on this machine, and in plain words what is missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.domain.errors import ExitCode, UserError

PACKAGE: Final = "pyvirtualcam"
LOAD_COMMAND: Final = 'sudo modprobe v4l2loopback exclusive_caps=1 card_label="PlateMatch"'
_OBS_CLASS: Final = r"CLSID\{A3FCE0F5-3493-419F-958A-ABA1250EC20B}"
_UNITY_CLASS: Final = r"CLSID\{5C2CD55C-92AD-4999-8666-912BD3E70010}"
_INSTALL: Final = {
    "debian": "sudo apt install v4l2loopback-dkms",
    "ubuntu": "sudo apt install v4l2loopback-dkms",
    "arch": "sudo pacman -S v4l2loopback-dkms",
    "fedora": "sudo dnf install akmod-v4l2loopback (from RPM Fusion)",
    "suse": "sudo zypper install v4l2loopback-kmp-default",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. message: one sentence; hint: what to do, the exact command where there is one."""

    ok: bool
    message: str
    hint: str = ""

    def error(self) -> UserError:
        """The same as an error."""
        return UserError(self.message, self.hint, code=ExitCode.FAILED)


def probe_virtual_camera(device: str = "") -> Probe:
    """Look, without opening anything, whether a virtual camera could be fed; `device` as in the settings."""
    if importlib.util.find_spec(PACKAGE) is None:
        return Probe(
            ok=False,
            message="The part that feeds virtual cameras is not installed.",
            hint='Install it: pip install "platematch[virtualcam]"',
        )
    system = platform.system()
    if system == "Linux":
        return probe_linux(device=device)
    if system == "Windows":
        return _probe_windows()
    return _probe_macos()


@dataclass(frozen=True, slots=True)
class Loopback:
    """A device of v4l2loopback. node: /dev/videoN. exclusive: offers itself as a camera only while it is fed."""

    node: str
    name: str
    exclusive: bool


def loopbacks(root: Path = Path("/")) -> tuple[Loopback, ...]:
    """All devices of v4l2loopback, those that browsers will list (`exclusive_caps=1`) first, then by number."""
    module = root / "sys/module/v4l2loopback"
    if not module.is_dir():
        return ()
    flags = _text(module / "parameters/exclusive_caps").split(",")
    # Its own attributes tell its devices from real cameras and from other virtual ones.
    folders = [f for f in (root / "sys/class/video4linux").glob("video*") if (f / "max_openers").exists()]
    folders.sort(key=lambda folder: int(re.sub(r"\D", "", folder.name) or 0))
    found = [
        Loopback(f"/dev/{folder.name}", _text(folder / "name"), i < len(flags) and flags[i] in ("Y", "1"))
        for i, folder in enumerate(folders)
    ]
    return tuple(sorted(found, key=lambda device: not device.exclusive))


def probe_linux(root: Path = Path("/"), *, device: str = "") -> Probe:
    """Whether v4l2loopback is there, loaded, and may be written. root: where the system's folders are."""
    if not (root / "sys/module/v4l2loopback").is_dir():
        return _not_loaded(root)
    devices = loopbacks(root)
    chosen = next((d for d in devices if d.node == device), None) if device else next(iter(devices), None)
    if chosen is None:
        return Probe(
            ok=False,
            message=f"{device or 'A virtual camera'} is not there, though v4l2loopback is loaded.",
            hint=f"Load it again: sudo modprobe -r v4l2loopback && {LOAD_COMMAND}",
        )
    if not os.access(root / chosen.node.lstrip("/"), os.R_OK | os.W_OK):
        return Probe(
            ok=False,
            message=f"The virtual camera {chosen.node} may not be written.",
            hint="Run: sudo usermod -aG video $USER, then log out and in again.",
        )
    if chosen.exclusive:
        return Probe(ok=True, message=f"Programs will see the camera “{chosen.name}” ({chosen.node}).")
    return Probe(
        ok=True,
        message=f"“{chosen.name}” ({chosen.node}) can be fed, but browsers will not list it.",
        hint=f"For browsers, load it again: sudo modprobe -r v4l2loopback && {LOAD_COMMAND}",
    )


def failure_of(error: BaseException, *, device: str = "") -> UserError:
    """The sentence for a virtual camera that would not open."""
    if isinstance(error, UserError):
        return error
    probe = probe_virtual_camera(device)
    if not probe.ok:
        return probe.error()
    words = str(error).splitlines()
    detail = f" ({words[0][:200]})" if words else ""
    return UserError(
        f"The virtual camera could not be opened{detail}.",
        "Close other programs that feed or show it; the next try follows by itself.",
        code=ExitCode.FAILED,
    )


def open_camera(width: int, height: int, rate_hz: float, *, fmt: Any, device: str | None) -> Any:
    """A `pyvirtualcam.Camera`; UserError when something is missing, whatever it raises when it can't be opened.

    On Linux the device is named, always: left to choose, the library opens every camera of the machine to ask what
    it is.
    """
    if platform.system() == "Linux":
        probe = probe_virtual_camera(device or "")
        if not probe.ok:
            raise probe.error()
        device = device or loopbacks()[0].node
    return importlib.import_module(PACKAGE).Camera(width, height, rate_hz, fmt=fmt, device=device)


def _not_loaded(root: Path) -> Probe:
    release = platform.release()
    index = root / "lib/modules" / release / "modules.dep"
    if index.exists() and "v4l2loopback.ko" in _text(index):
        return Probe(
            ok=False,
            message="The virtual camera driver v4l2loopback is installed, but not loaded.",
            hint=f"Run: {LOAD_COMMAND}  (with Secure Boot on, the driver must be signed first)",
        )
    return Probe(
        ok=False,
        message=f"The virtual camera driver v4l2loopback is not installed for this kernel ({release}).",
        hint=f"Run: {_install_command(root)}, then: {LOAD_COMMAND}",
    )


def _install_command(root: Path) -> str:
    release = _text(root / "etc/os-release")
    for name in re.findall(r'^(?:ID|ID_LIKE)="?([^"\n]*)', release, re.MULTILINE):
        for word in re.split(r"[\s-]+", name):
            if word in _INSTALL:
                return _INSTALL[word]
    return "install the package v4l2loopback of your system"


def _probe_windows() -> Probe:
    if any(_is_registered(name) for name in (_OBS_CLASS, _UNITY_CLASS)):
        return Probe(ok=True, message="Programs will see the OBS or Unity virtual camera.")
    return Probe(
        ok=False,
        message="No virtual camera is installed.",
        hint="Install OBS Studio (obsproject.com), or Unity Capture; neither needs to run.",
    )


def _is_registered(name: str) -> bool:
    registry: Any = importlib.import_module("winreg")
    try:
        registry.CloseKey(registry.OpenKey(registry.HKEY_CLASSES_ROOT, name))
    except OSError:
        return False
    return True


def _probe_macos() -> Probe:
    if any((base / "OBS.app").exists() for base in (Path("/Applications"), Path.home() / "Applications")):
        return Probe(
            ok=True,
            message="Programs will see the OBS virtual camera.",
            hint="If they don't: in OBS 30 or newer press “Start Virtual Camera” once, allow it, and quit OBS.",
        )
    return Probe(
        ok=False,
        message="No virtual camera is installed.",
        hint="Install OBS 30 or newer (obsproject.com), press “Start Virtual Camera” once, allow it, and quit OBS.",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
