"""From the torch network to the ONNX file beside it: one graph for both looks and the curves.

The graph holds the network from thumbnails to knots but for the colour quantiles, which are inputs (`statistics`).
Per frame it gives `knots`; of a plate its `embedding` is taken, with zeros for what a plate does not have. The same
weights give the same bytes. For developers: needs torch and the `onnx` package (extra `train`).
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harmonizer.backbone import EMBEDDING
from harmonizer.config import CLASSES
from harmonizer.fused import FusedNet, masked_mean, no_label
from harmonizer.manifest import MANIFEST_FILE, pinned_bytes, read_manifest, sha256_of, write_beside
from harmonizer.network import CurveNet
from harmonizer.statistics import AROUND
from harmonizer.weights import network_from_bytes

OPSET: Final = 17
_INPUTS: Final = ("levels", "coverage", "statistics", "background", "around", "label")
_OUTPUTS: Final = ("embedding", "knots")


class _Graph(nn.Module):
    """What is exported: a network with its inputs and outputs named and of fixed shape."""

    def __init__(self, network: CurveNet) -> None:
        super().__init__()
        self.network = network
        side = network.config.thumbnail_px
        cells = int(network.encoder(torch.zeros(1, 3, side, side)).shape[-1])
        # The mean of each cell as a matrix, for ONNX has no pooling of sizes that don't come out even.
        self.register_buffer("cells", F.interpolate(torch.eye(side)[None], size=cells, mode="area")[0])

    def forward(
        self, levels: Tensor, coverage: Tensor, statistics: Tensor, background: Tensor, around: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`levels` (1, 3, S, S) times `coverage` (1, 1, S, S), ..., `label` all zeros for the plain branch."""
        network, features, is_named = self.network, self.network.encoder(levels), label.sum() > 0
        if isinstance(network, FusedNet):
            cells = self.get_buffer("cells")
            embedding = torch.cat((masked_mean(features, cells.T @ coverage @ cells), statistics), dim=1)
            label = torch.where(is_named, label, no_label(embedding))
            return embedding, network.knots(embedding, background, label, around)
        embedding = network.pooled(features, levels, None)
        named, plain = (network.knots(embedding, background, given, around) for given in (label, None))
        return embedding, torch.where(is_named, named, plain)


@torch.inference_mode()
def export_onnx(network: CurveNet) -> bytes:
    """A network as the bytes of an ONNX file, all tensors within."""
    side, extra = network.config.thumbnail_px, AROUND if isinstance(network, FusedNet) else 0
    sizes = ((3, side, side), (1, side, side), (extra,), (EMBEDDING + extra,), (extra,), (CLASSES,))
    examples = tuple(torch.rand(1, *size, generator=torch.Generator().manual_seed(0)) for size in sizes)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        warnings.simplefilter("ignore")  # of the newer exporter, which needs one more package (onnxscript)
        torch.onnx.export(
            _Graph(network).eval(),
            examples,
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(_INPUTS),
            output_names=list(_OUTPUTS),
        )
        return file.read_bytes()


def export_shipped(folder: Path, *, manifest: Path = MANIFEST_FILE) -> dict[str, Path]:
    """Write every shipped network's ONNX file and the manifest that names them to a folder: paths by name.

    WeightsError when a safetensors file was altered, OSError when the folder can't be written to.
    """
    written: dict[str, Path] = {}
    hashes: dict[str, dict[str, str]] = {}
    for name, entry in read_manifest(manifest)[0].items():
        source = pinned_bytes(manifest.parent / entry.file, entry.sha256)
        model = export_onnx(network_from_bytes(source))
        written[name] = folder / f"{name}.onnx"
        write_beside(written[name], model)
        hashes[name] = {"file": written[name].name, "sha256": sha256_of(model), "source_sha256": entry.sha256}
    listed = json.loads(manifest.read_text("utf-8"))
    for listing in listed["weights"]:
        listing["onnx"] = hashes[listing["name"]]
    write_beside(folder / manifest.name, (json.dumps(listed, indent=2) + "\n").encode())
    return written
