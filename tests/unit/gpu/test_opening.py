import subprocess
import sys

import pytest
import torch

from app.domain.errors import ExitCode, UserError
from app.pipeline.gpu import opening
from app.pipeline.gpu.devices import cuda_device
from app.pipeline.gpu.falling_back import FallingBackCompositor
from app.pipeline.gpu.opening import open_compositor
from app.pipeline.stages import Compositor


def test_the_cpu_is_the_plain_compositor():
    assert type(open_compositor("cpu", print)) is Compositor


def test_auto_is_the_cpu_where_no_driver_is(monkeypatch):
    monkeypatch.setattr(opening, "_DRIVERS", ("no-such-driver.so",))
    assert type(open_compositor("auto", print)) is Compositor


@pytest.mark.parametrize("name", ["tpu", "", "cpux", "mps"])
def test_an_unknown_device_is_refused_in_words(name):
    with pytest.raises(UserError) as refused:
        open_compositor(name, print)
    assert refused.value.code == ExitCode.USAGE
    assert "cuda" in refused.value.hint


def test_cuda_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(UserError, match="no CUDA"):
        open_compositor("cuda", print)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no NVIDIA card"):
        cuda_device()
    with pytest.raises(UserError, match="no device"):
        cuda_device("cuda:first")


def test_a_usable_device_is_preferred_over_the_cpu(monkeypatch):
    monkeypatch.setattr(opening, "has_cuda", lambda: True)
    monkeypatch.setattr("app.pipeline.gpu.devices.cuda_device", lambda name: torch.device("cpu"))
    compositor = open_compositor("auto", print)
    assert isinstance(compositor, FallingBackCompositor)
    assert compositor.is_on_device


def test_auto_goes_on_with_the_cpu_where_the_card_has_no_room(monkeypatch):
    def full(device):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    monkeypatch.setattr(opening, "has_cuda", lambda: True)
    monkeypatch.setattr("app.pipeline.gpu.devices.cuda_device", lambda name: torch.device("cpu"))
    monkeypatch.setattr("app.pipeline.gpu.device_compositor.DeviceCompositor", full)
    said = []
    assert type(open_compositor("auto", said.append)) is Compositor
    assert "out of memory" in said[0]
    with pytest.raises(UserError, match="out of memory"):
        open_compositor("cuda", said.append)


def test_the_cpu_needs_no_torch():
    code = (
        "import sys\nfrom app.pipeline.gpu.opening import open_compositor\n"
        "open_compositor('cpu', print)\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_triton_is_imported_only_where_it_is_used():
    code = (
        "import sys\nfrom app.pipeline.gpu import opening, kernels, device_compositor, falling_back\n"
        "opening.open_compositor('cpu', print)\nassert 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
