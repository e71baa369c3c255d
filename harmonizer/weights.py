"""Weights in and out: safetensors with their configuration, checked by hash; published checkpoints converted.

A weight file of ours is one safetensors file whose metadata holds `config` (NetworkConfig as JSON) and
notes. Which files are shipped and what they must hash to, `manifest` says.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from harmonizer.backbone import fold_input_scale
from harmonizer.config import CLASSES, BackboneName, NetworkConfig
from harmonizer.manifest import (
    MANIFEST_FILE,
    WEIGHTS_DIR,
    WeightsError,
    pinned_bytes,
    read_bounded,
    read_manifest,
    sha256_of,
    shipped_entry,
    write_beside,
)
from harmonizer.network import CurveNet, S2CRNet, build_network

_MAX_HEADER_BYTES = 2**20
CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)
EMBEDDING_SCALE = 1 / 32
"""ImageNet features average about 10 a channel (norm 330), where one AdamW step on a linear head moves the
curve by its whole range; scaled, the norm is about 10."""
_CLASS_BRANCH = ("fc_label_1", "fc_label_2", "fc_f_label")


def load_shipped(name: str | None = None, *, manifest: Path = MANIFEST_FILE) -> CurveNet:
    """A shipped network by name (the default without one), only if its bytes have the pinned hash."""
    entry = shipped_entry(name, manifest=manifest)
    return network_from_bytes(pinned_bytes(manifest.parent / entry.file, entry.sha256))


def load_network(path: Path) -> CurveNet:
    """A network from a safetensors file of ours (or one `convert_published` wrote)."""
    return network_from_bytes(read_bounded(path))


def network_from_bytes(data: bytes) -> CurveNet:
    """Strict: every tensor must be there, none may be over, shapes must fit."""
    config = read_config(data)
    try:
        network = build_network(config)
        network.load_state_dict(load_safetensors(data), strict=True)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise WeightsError(f"the weights do not fit their architecture ({_first_line(error)})") from error
    return network.eval().requires_grad_(False)


def read_config(data: bytes) -> NetworkConfig:
    """The configuration stored in a safetensors header."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_MAX_HEADER_BYTES, len(data) - 8):
        raise WeightsError("not a safetensors file, or a truncated one")
    try:
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        return NetworkConfig.from_dict(json.loads(metadata["config"]))
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError("the file carries no network configuration") from error


def save_network(network: CurveNet, path: Path, *, notes: Mapping[str, str] | None = None) -> str:
    """Write safetensors beside and rename; returns the SHA-256 of what was written."""
    metadata = {"config": json.dumps(network.config.to_dict(), sort_keys=True), **(notes or {})}
    tensors = {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in network.state_dict().items()}
    data = save_safetensors(tensors, metadata)
    write_beside(path, data)
    return sha256_of(data)


def load_published(path: Path) -> S2CRNet:
    """A published S2CRNet checkpoint (`.pth`), read with `weights_only=True` and loaded strictly.

    Both the plain dictionary and one under `state_dict` are taken, with or without DataParallel's
    `module.`; the backbone is told by its layers. WeightsError says what does not fit.
    """
    try:
        raw = torch.load(io.BytesIO(read_bounded(path)), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load fails in a dozen ways on hostile bytes; all mean the same here
        raise WeightsError(f"{path} is not a checkpoint that loads safely ({_first_line(error)})") from error
    return network_from_published(_state_dict_of(raw))


def _state_dict_of(raw: Any) -> dict[str, Tensor]:
    state = raw.get("state_dict", raw) if isinstance(raw, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError("the checkpoint holds no state_dict of tensors")
    return {key.removeprefix("module."): value for key, value in state.items()}


def network_from_published(state: Mapping[str, Tensor]) -> S2CRNet:
    """A network from a published state dict: keys `<encoder>.N...`, `fusion.crI...`."""
    encoders = {key.split(".", 1)[0] for key in state} - {"fusion"}
    if len(encoders) != 1:
        raise WeightsError(f"expected one encoder beside `fusion`, found {sorted(encoders)}")
    encoder = encoders.pop()
    backbone: BackboneName = "squeezenet1_1" if f"{encoder}.3.squeeze.weight" in state else "vgg16"
    stages = {m.group(1) for key in state if (m := re.match(r"fusion\.cr(\d+)\.", key))}
    semantic = any(f".{_CLASS_BRANCH[0]}." in key for key in state)
    network = S2CRNet(NetworkConfig(backbone, "published", len(stages), semantic))
    renamed = {re.sub(rf"^{re.escape(encoder)}\.", f"{backbone}.", k): v for k, v in state.items()}
    try:
        network.load_state_dict(renamed, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"the checkpoint does not have S2CRNet's layout ({_first_line(error)})") from error
    return network.eval().requires_grad_(False)


def convert_published(source: Path, target: Path) -> str:
    """Published `.pth` -> safetensors of ours, values unchanged; returns the SHA-256."""
    return save_network(load_published(source), target, notes={"converted_from": source.name})


def load_onnx_backbone(network: CurveNet, path: Path) -> None:
    """Fill a SqueezeNet 1.1 encoder from the ONNX model zoo's file (BGR 0..255, Caffe's mean).

    Needs the `onnx` package (extra `train`). WeightsError when a tensor is missing or misshapen.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load_model_from_string(read_bounded(path)).graph
        tensors = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()).float() for i in graph.initializer}
        state = squeezenet_state_from_caffe2(tensors)
        network.encoder.load_state_dict(state, strict=True)
    except (KeyError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{path} is not SqueezeNet 1.1 ({_first_line(error)})") from error


def squeezenet_state_from_caffe2(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename Caffe2's tensors to torchvision's; input scale and mean go into the first convolution.

    The whole encoder's output is scaled by EMBEDDING_SCALE: exact, because ReLU and max-pooling commute
    with a positive factor once the first layer and all later biases carry it.
    """
    weight, bias = fold_input_scale(tensors["conv1_w_0"], tensors["conv1_b_0"], scale=255.0, mean_bgr=CAFFE_MEAN_BGR)
    state = {"0.weight": weight * EMBEDDING_SCALE, "0.bias": bias * EMBEDDING_SCALE}
    for fire, index in zip(range(2, 9), (3, 4, 6, 7, 9, 10, 11), strict=True):
        for caffe, name in (
            ("squeeze1x1", "squeeze"),
            ("expand1x1", "expand1x1"),
            ("expand3x3", "expand3x3"),
        ):
            for kind, suffix in (("w", "weight"), ("b", "bias")):
                state[f"{index}.{name}.{suffix}"] = tensors[f"fire{fire}/{caffe}_{kind}_0"]
    return state


def describe(network: CurveNet) -> str:
    """One line: architecture and size."""
    config = network.config
    count = sum(p.numel() for p in network.parameters())
    classes = f", {CLASSES} classes" if config.semantic else ""
    return f"{config.backbone}, {config.stages}-stage {config.head} head{classes}, {count:,} parameters"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


__all__ = [
    "CAFFE_MEAN_BGR",
    "EMBEDDING_SCALE",
    "MANIFEST_FILE",
    "WEIGHTS_DIR",
    "WeightsError",
    "convert_published",
    "describe",
    "load_network",
    "load_onnx_backbone",
    "load_published",
    "load_shipped",
    "network_from_bytes",
    "network_from_published",
    "read_config",
    "read_manifest",
    "save_network",
    "squeezenet_state_from_caffe2",
    "write_beside",
]
