"""Options that several commands share, and the checks of their values."""

from __future__ import annotations

import argparse
import math


def positive_int(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def positive_float(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def thumbnail_px(text: str) -> int:
    """A side of 32 to 512 px."""
    value = int(text)
    if not 32 <= value <= 512:
        raise argparse.ArgumentTypeError(f"{text} is not between 32 and 512")
    return value


def seed(text: str) -> int:
    """A whole number of at least 0 that 63 bits hold."""
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2^63 - 1")
    return value


def share(text: str) -> float:
    """A number in 0..1."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def size(text: str) -> tuple[int, int]:
    """`WxH` in px, at most 8192 a side."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 1280x720") from None
    if not (1 <= width <= 8192 and 1 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text}: each side must be 1 to 8192 px")
    return width, height


def levels(text: str) -> tuple[float, float]:
    """`LOW,HIGH` with 0 <= LOW < HIGH <= 1."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a pair such as 0.2,0.8") from None
    if not 0.0 <= low < high <= 1.0:
        raise argparse.ArgumentTypeError(f"{text}: 0 <= LOW < HIGH <= 1")
    return low, high


def offset(text: str) -> tuple[float, float]:
    """`X,Y` as shares of the output's width and height."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not an offset such as 0.1,-0.05") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return x, y


def add_talk(parser: argparse.ArgumentParser) -> None:
    """How the command talks."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="one JSON object on stdout")
    group.add_argument("-q", "--quiet", action="store_true", help="no notices, no progress")
    group.add_argument("--debug", action="store_true", help="show the details of unexpected errors")


def add_plate(parser: argparse.ArgumentParser) -> None:
    """The new background."""
    parser.add_argument(
        "--plate",
        required=True,
        help="picture or video file, a built-in plate's name, a colour (#1e6f50), or blur[:radius]",
    )
    parser.add_argument(
        "--fit",
        choices=("cover", "contain", "stretch"),
        default="cover",
        help="how the plate fills the frame",
    )


def add_matte(parser: argparse.ArgumentParser) -> None:
    """Where the foreground is."""
    group = parser.add_argument_group("matte")
    group.add_argument("--mask", help="a given matte instead of segmenting: video, folder of PNGs, picture")
    group.add_argument("--key", metavar="COLOUR", help="key out a screen (#rrggbb, or auto) instead of segmenting")
    group.add_argument(
        "--model",
        choices=("auto", "landscape", "square"),
        default="auto",
        help="selfie model (auto: by shape)",
    )
    group.add_argument("--engine", choices=("litert", "mediapipe"), default="litert", help="what runs it")
    group.add_argument(
        "--threshold", type=levels, metavar="LOW,HIGH", help="coverage that counts as none and as all (0.2,0.8)"
    )
    group.add_argument("--grow", type=float, default=None, metavar="PX", help="grow (or shrink, < 0) the matte")
    group.add_argument("--feather", type=float, default=None, metavar="PX", help="soften the matte's edge")
    group.add_argument("--no-refine", action="store_true", help="plain up-scaling of the model's matte")
    group.add_argument("--no-decontaminate", action="store_true", help="keep the old background's colour in the edge")


def add_placement(parser: argparse.ArgumentParser) -> None:
    """Where the foreground goes."""
    group = parser.add_argument_group("placement")
    group.add_argument("--scale", type=positive_float, default=1.0, help="size of the foreground (default: 1)")
    group.add_argument("--offset", type=offset, default=(0.0, 0.0), metavar="X,Y", help="shift, in frame sizes")
    group.add_argument("--mirror", action="store_true", help="flip the foreground left to right")
    group.add_argument("--light-wrap", type=share, default=0.0, help="plate light over the edge, 0..1")


def add_match(parser: argparse.ArgumentParser, *, default_class: str = "person", video: bool = True) -> None:
    """The colour match."""
    group = parser.add_argument_group("match")
    if video:
        group.add_argument("--no-match", action="store_true", help="paste only")
        group.add_argument(
            "--smoothing",
            type=float,
            default=None,
            metavar="S",
            help="time constant of the curve at rest, in seconds (default: 0.5)",
        )
    group.add_argument("--strength", type=share, default=1.0, help="0 leaves colours alone (default: 1)")
    group.add_argument("--weights", help="shipped weights by name, or a .safetensors file")
    group.add_argument(
        "--class",
        dest="label",
        choices=("person", "animal", "food", "other", "none"),
        default=default_class,
        help="what the foreground is (default: %(default)s; none: the plain branch)",
    )
    group.add_argument(
        "--device",
        default="cpu",
        help="what computes: cpu, cuda, cuda:N, onnx:NAME, see `devices`, or auto: puts a video together on an NVIDIA "
        "card where there is one (default: cpu)",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """A training run."""
    _add_network(parser.add_argument_group("network"))
    _add_schedule(parser.add_argument_group("schedule"))
    _add_machine(parser.add_argument_group("machine"))


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--heads", default="published,fused", help="of published, monotone, fused (default: %(default)s)"
    )
    group.add_argument("--encoder", choices=("squeezenet1_1", "vgg16"), default="squeezenet1_1", help="(%(default)s)")
    group.add_argument("--backbone", metavar="FILE", help="ImageNet SqueezeNet 1.1 as ONNX, to start the encoder from")
    group.add_argument("--init", metavar="PATH", help="weights to start from: a file, or the folder of an earlier run")
    group.add_argument("--thumbnail-px", type=thumbnail_px, default=128, help="side, 32 to 512 (default: %(default)s)")
    group.add_argument(
        "--loss",
        metavar="TERM=WEIGHT,...",
        help="l1, squared, relative, lab, adversarial (default: l1=1,squared=8,relative=0.3, the others 0)",
    )


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--steps", type=positive_int, default=6000, help="(default: %(default)s)")
    group.add_argument("--batch", type=positive_int, default=48, help="samples a step (default: %(default)s)")
    group.add_argument(
        "--recolourings", type=positive_int, default=2, help="samples that share a scene (default: %(default)s)"
    )
    group.add_argument("--learning-rate", type=positive_float, default=4e-4, help="(default: %(default)s)")
    group.add_argument("--warmup", type=positive_int, default=200, help="steps (default: %(default)s)")
    group.add_argument(
        "--small-first", type=share, default=0.0, metavar="SHARE", help="part of the steps at half the thumbnails' side"
    )
    group.add_argument(
        "--precompute",
        type=positive_int,
        metavar="SAMPLES",
        help="from --init, with --heads fused: freeze the first layers, draw this many samples once, train the rest on "
        "them",
    )
    group.add_argument("--save-every", type=positive_int, default=250, help="steps (default: %(default)s)")
    group.add_argument("--seed", type=seed, default=2333, help="(default: %(default)s)")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="cpu", help="torch device, also of the data (default: %(default)s)")
    group.add_argument(
        "--precision",
        choices=("bf16", "float32"),
        default="bf16",
        help="of the encoder (default: %(default)s; float32 is faster on a CPU without bf16 arithmetic)",
    )
    group.add_argument("--threads", type=positive_int, help="CPU threads (default: all)")
