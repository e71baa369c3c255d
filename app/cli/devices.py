"""`devices`: cameras, compute devices and video encoders of this machine."""

from __future__ import annotations

import argparse
import os

import av.codec

from app.cli.console import Console
from app.domain.errors import ExitCode
from app.pipeline.engine_loading import ONNX_PREFIX
from app.pipeline.live.camera_list import list_cameras
from app.pipeline.recording.encoders import HARDWARE, works
from harmonizer.onnx_engine import OnnxUnavailableError, installed_providers

_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1")
_TRIAL_SIZE = (1280, 720)


def run(args: argparse.Namespace, console: Console) -> ExitCode:
    """Print what is there; nothing films, so no camera light goes on."""
    found = {"cameras": cameras(), "compute": compute_devices(), "encoders": encoders()}
    if console.is_json:
        console.result(found)
        return ExitCode.OK
    rows = [[kind, item] for kind, items in found.items() for item in (items or ["none found"])]
    console.table("Devices", ["kind", "name"], rows)
    return ExitCode.OK


def cameras() -> list[str]:
    """Cameras as `id: name`; the id after "camera:" opens it."""
    return [f"{camera.id}: {camera.name}" for camera in list_cameras()]


def compute_devices() -> list[str]:
    """Devices the colour network can run on, each by the word that `--device` takes."""
    import torch

    found = [f"cpu: {os.cpu_count()} threads", *onnx_providers()]
    if torch.cuda.is_available():
        found += [f"cuda:{i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps: Apple GPU")
    return found


def onnx_providers() -> list[str]:
    """ONNX Runtime's providers besides the CPU, which `cpu` is; or why there are none."""
    try:
        installed = installed_providers()
    except OnnxUnavailableError as error:
        return [f"no ONNX Runtime, torch instead: {error}"]
    return [f"{ONNX_PREFIX}{name}: {p.words} (ONNX Runtime)" for name, p in installed.items() if name != "cpu"]


def encoders() -> list[str]:
    """Software encoders we use, and the hardware ones this FFmpeg was built with, each tried on one picture."""
    available = av.codec.codecs_available
    software = [name for name in _ENCODERS if name in available]
    hardware = sorted(name for names in HARDWARE.values() for name in names if name in available)
    return software + [f"{name} ({'works' if works(name, _TRIAL_SIZE) else 'does not work here'})" for name in hardware]
