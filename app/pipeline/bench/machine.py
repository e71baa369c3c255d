"""What the figures were measured on, and what else that machine was doing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import cv2
import psutil

_PACKAGES: Final = ("numpy", "opencv-contrib-python", "av", "ai-edge-litert", "onnxruntime", "numba", "torch", "PyQt6")
_CPU_NAMES: Final = ("model name", "Model", "Hardware", "cpu model")
"""What /proc/cpuinfo calls the processor, by architecture."""


def machine_facts() -> dict[str, Any]:
    """Facts that figures mean nothing without.

    cores: those this process may use. power: "mains" or "battery", None where there is no battery. governor: how
    Linux sets the clock rate. versions: of the packages that do the work, as installed.
    """
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "cores_physical": psutil.cpu_count(logical=False),
        "arch": platform.machine(),
        "ram_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "os": f"{platform.system()} {platform.release()}",
        "power": _power(),
        "governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or None,
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _installed(name))},
    }


def usable_cores() -> int:
    """Logical cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name, or its architecture where it can't be found out."""
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            # A fixed command of the system's own.
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
            return done.stdout.strip()
    with suppress(OSError):
        pairs = [line.partition(":") for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()]
        found = {name.strip(): value.strip() for name, _, value in reversed(pairs)}
        for name in _CPU_NAMES:
            if found.get(name):
                return found[name]
    return platform.processor() or platform.machine()


def _power() -> str | None:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if battery is None else "mains" if battery.power_plugged else "battery"


def _first_line(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "replace").strip()
    return ""


def _installed(package: str) -> str:
    with suppress(PackageNotFoundError):
        return version(package)
    return ""


class CpuMeter:
    """CPU time from its making on: of this process, and of the rest of the machine."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._start = time.monotonic(), self._own_s(), self._busy_s()

    def facts(self) -> dict[str, float]:
        """cpu_cores: own user + system seconds a second of wall time. others_cpu_percent: of one core, the rest's."""
        past_s = max(1e-6, time.monotonic() - self._start[0])
        own_s = self._own_s() - self._start[1]
        others_s = max(0.0, self._busy_s() - self._start[2] - own_s)
        return {"cpu_cores": round(own_s / past_s, 3), "others_cpu_percent": round(100 * others_s / past_s, 1)}

    def _own_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _busy_s(self) -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def rss_mb() -> float:
    """Resident size of this process now, MB (10^6 bytes)."""
    resident_bytes: int = psutil.Process().memory_info().rss
    return round(resident_bytes / 1e6, 2)


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """OpenCV, and torch where it is loaded, on so many threads; as they were before afterwards."""
    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 0
    cv2.setNumThreads(count)
    if torch:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])
