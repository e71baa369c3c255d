"""`devices`: cameras, compute devices and video encoders of this machine."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import av.codec
import torch

from app.cli.console import Console
from app.domain.errors import ExitCode

_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1")
_HARDWARE = ("nvenc", "qsv", "amf", "videotoolbox", "vaapi")


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Print what is there; nothing is opened, so no camera light goes on."""
    found = {"cameras": cameras(), "compute": compute_devices(), "encoders": encoders()}
    if console.is_json:
        console.result(found)
        return ExitCode.OK
    rows = [[kind, item] for kind, items in found.items() for item in (items or ["none found"])]
    console.table("Devices", ["kind", "name"], rows)
    return ExitCode.OK


def cameras(root: Path = Path("/sys/class/video4linux")) -> list[str]:
    """Linux video devices as `/dev/videoN: name`; elsewhere cameras are listed by the window."""
    if not root.is_dir():
        return []
    nodes = sorted(root.iterdir(), key=lambda node: (len(node.name), node.name))
    return [f"/dev/{node.name}: {_text(node / 'name')}" for node in nodes]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return "unnamed"


def compute_devices() -> list[str]:
    """Devices the colour network can run on."""
    found = [f"cpu: {os.cpu_count()} threads"]
    if torch.cuda.is_available():
        found += [f"cuda:{i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps: Apple GPU")
    return found


def encoders() -> list[str]:
    """Software encoders we use, and hardware ones this FFmpeg was built with (not yet tried)."""
    available = av.codec.codecs_available
    software = [name for name in _ENCODERS if name in available]
    hardware = [f"{name} (built in, untried)" for name in sorted(available) if name.endswith(_HARDWARE)]
    return software + hardware
