"""Curve heads: two embeddings in, the knots of one curve stage out.

`PublishedHead` is S2CRNet's curve rendering module (CRM) with its semantic branch; parameter names are
those of the published checkpoints. `MonotoneHead` is ours: same inputs, monotone curves, free end points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonizer.backbone import EMBEDDING
from harmonizer.config import CLASSES, HeadName
from harmonizer.curves import PIECES
from harmonizer.torch_curves import knots_from_slopes, monotone_knots

_CLASS_EMBEDDING = 64
MAX_LIFT = 0.5
MAX_LOG_GAIN = 1.5
_INITIAL_SPREAD = 0.1


class Projection(nn.Module):
    """A linear layer under the name the published checkpoints give it (`fc1`)."""

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features_in, features_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features_in) -> (B, features_out)."""
        out: Tensor = self.fc1(x)
        return out


class _TwoEmbeddingHead(nn.Module):
    """Linear in foreground and background, plus the class's 5 -> 32 -> 64 branch joined to the foreground."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.fc_f_1 = Projection(EMBEDDING, outputs)
        self.fc_b_1 = Projection(EMBEDDING, outputs)
        self.fc_label_1 = nn.Linear(CLASSES, 32)
        self.fc_label_2 = nn.Linear(32, _CLASS_EMBEDDING)
        self.fc_f_label = nn.Linear(EMBEDDING + _CLASS_EMBEDDING, outputs)

    def parameters_for(self, foreground: Tensor, background: Tensor, label: Tensor | None) -> Tensor:
        """(B, 512), (B, 512), one-hot (B, 5) or None for the plain branch -> (B, outputs)."""
        if label is None:
            from_foreground = self.fc_f_1(foreground)
        else:
            embedded = self.fc_label_2(torch.relu(self.fc_label_1(label)))
            from_foreground = self.fc_f_label(torch.cat((foreground, embedded), dim=1))
        out: Tensor = self.fc_b_1(background) + from_foreground
        return out

    def start_near_constant(self, constant: float) -> None:
        """Shrink the output layers and put the constant into one bias: training starts at the identity."""
        with torch.no_grad():
            for layer in (self.fc_f_1.fc1, self.fc_b_1.fc1, self.fc_f_label):
                layer.weight.mul_(_INITIAL_SPREAD)
                layer.bias.zero_()
            self.fc_b_1.fc1.bias.fill_(constant)


class PublishedHead(_TwoEmbeddingHead):
    """S2CRNet's CRM: 3 x 64 slopes, normalised by their sum; end points pinned to 0 and 1.

    Deviation: the output layers start at equal positive slopes (the identity). The published default
    initialisation has slope sums near zero, where the curve divides by nothing.
    """

    def __init__(self) -> None:
        super().__init__(3 * PIECES)
        self.start_near_constant(1.0)

    def forward(self, foreground: Tensor, background: Tensor, label: Tensor | None) -> Tensor:
        """(B, 512), (B, 512), (B, 5) or None -> knots (B, 3, 65)."""
        slopes = self.parameters_for(foreground, background, label).view(-1, 3, PIECES)
        return knots_from_slopes(slopes)


class MonotoneHead(_TwoEmbeddingHead):
    """Positive slopes by softplus, plus a lift and a gain per channel."""

    def __init__(self) -> None:
        super().__init__(3 * (PIECES + 2))
        self.start_near_constant(0.0)

    def forward(self, foreground: Tensor, background: Tensor, label: Tensor | None) -> Tensor:
        """(B, 512), (B, 512), (B, 5) or None -> knots (B, 3, 65), non-decreasing."""
        out = self.parameters_for(foreground, background, label).view(-1, 3, PIECES + 2)
        lift = MAX_LIFT * torch.tanh(out[..., PIECES])
        gain = torch.exp(MAX_LOG_GAIN * torch.tanh(out[..., PIECES + 1]))
        return monotone_knots(out[..., :PIECES], lift, gain)


def build_head(name: HeadName) -> PublishedHead | MonotoneHead:
    """A head by name. ValueError for an unknown one."""
    if name == "published":
        return PublishedHead()
    if name == "monotone":
        return MonotoneHead()
    raise ValueError(f"unknown head {name!r}; known: published, monotone")
