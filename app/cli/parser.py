"""The words of the command line. Commands are imported only when they run, so `--help` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

from app.cli import options

EPILOG = """\
examples:
  platematch demo                                         a sample, no camera or file needed
  platematch render talk.mp4 --plate beach.jpg -o out.mp4
  platematch render talk.mp4 --plate sunset -o out.mp4 --preview-sheet sheet.png
  platematch composite me.jpg --plate office -o me-at-the-office.png
  platematch harmonize pasted.png --mask mask.png -o matched.png

exit codes: 0 done, 1 failed, 2 wrong usage, 3 unusable input, 4 output can't be written,
5 model or weights missing or altered, 130 interrupted (unfinished files are removed)
"""


def _version() -> str:
    try:
        return version("platematch")
    except PackageNotFoundError:
        return "unknown (not installed)"


def _lazily(module: str) -> Callable[..., int]:
    def run(args: argparse.Namespace, console: object) -> int:
        return int(import_module(f"app.cli.{module}").run(args, console))

    return run


def build_parser() -> argparse.ArgumentParser:
    """Every command and option; `args.run(args, console)` runs the chosen one."""
    parser = argparse.ArgumentParser(
        prog="platematch",
        description="Put a person on a new background and match their colours to it. Nothing ever leaves this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"platematch {_version()}")
    parser.set_defaults(run=None, json=False, quiet=False, debug=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (_gui, _demo, _render, _composite, _harmonize, _models, _weights, _train, _bench, _devices):
        add(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: Commands, name: str, module: str, summary: str, **more: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=more.get("description", summary[0].upper() + summary[1:] + "."),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=more.get("epilog"),
    )
    parser.set_defaults(run=_lazily(module))
    options.add_talk(parser)
    return parser


def _gui(commands: Commands) -> None:
    parser = _command(commands, "gui", "gui", "open the window")
    parser.add_argument("clip", nargs="?", help="a video to start with")


def _demo(commands: Commands) -> None:
    parser = _command(
        commands,
        "demo",
        "demo",
        "render an embedded sample on the built-in plates",
        description="Render the public-domain astronaut portrait, gently moved, on the built-in plates.\n"
        "Left of the moving divider: pasted. Right of it: matched.",
    )
    parser.add_argument("-o", "--output", default="out/platematch-demo.mp4", help="video (default: %(default)s)")
    parser.add_argument("--seconds", type=options.positive_float, default=8.0, help="length (default: 8)")
    parser.add_argument("--open", action="store_true", help="show the result in the system's player")
    options.add_match(parser)


def _render(commands: Commands) -> None:
    parser = _command(
        commands,
        "render",
        "render",
        "put the person of a video on a new plate",
        description="Put the person of a video on a new plate, colours matched, sound copied untouched.\n"
        "The output appears under its name only when it is complete; Ctrl-C removes what is unfinished.",
        epilog="--json ends with one object: frames, fps, stages_ms, peak_rss_mb, match, notices, ...",
    )
    parser.add_argument("clip", help="video with a person")
    options.add_plate(parser)
    parser.add_argument("-o", "--output", required=True, help="video to write: .mp4 .mov .mkv .webm")
    parser.add_argument("--size", type=options.size, metavar="WxH", help="output size (default: the clip's)")
    parser.add_argument("--frames", type=options.positive_int, help="stop after this many frames")
    parser.add_argument("--matte-out", metavar="F", help="also write the matte used, as a grey video")
    parser.add_argument("--preview-sheet", metavar="PNG", help="also write original, matte, pasted, matched")
    parser.add_argument("--crf", type=int, help="quality, smaller is better (default: 18; VP9: 30)")
    parser.add_argument("--preset", default="veryfast", help="x264 speed preset (default: %(default)s)")
    parser.add_argument("--codec", help="FFmpeg encoder (default: libx264; .webm: libvpx-vp9)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    options.add_matte(parser)
    options.add_placement(parser)
    options.add_match(parser)


def _composite(commands: Commands) -> None:
    parser = _command(commands, "composite", "still", "put the person of a photograph on a new plate")
    parser.set_defaults(still="composite")
    parser.add_argument("image", help="photograph with a person")
    options.add_plate(parser)
    parser.add_argument("-o", "--output", required=True, help="picture to write: .png .jpg .webp .tif")
    parser.add_argument("--size", type=options.size, metavar="WxH", help="output size (default: the image's)")
    parser.add_argument("--matte-out", metavar="F", help="also write the matte used")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    options.add_matte(parser)
    options.add_placement(parser)
    options.add_match(parser)


def _harmonize(commands: Commands) -> None:
    parser = _command(
        commands,
        "harmonize",
        "still",
        "match the colours inside a mask to the rest of a finished composite",
        description="Match the colours inside a mask to the rest of a finished composite.\n"
        "Only pixels under the mask change. 16-bit PNG and TIFF stay 16-bit.",
    )
    parser.set_defaults(still="harmonize")
    parser.add_argument("image", help="composite: PNG, JPEG, WebP or TIFF, 8 or 16 bit")
    parser.add_argument("--mask", required=True, help="white where the foreground is; same aspect")
    parser.add_argument("-o", "--output", required=True, help="picture to write: .png .jpg .webp .tif")
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    options.add_match(parser, default_class="other", video=False)


def _models(commands: Commands) -> None:
    parser = _command(commands, "models", "models", "show, fetch or check the segmentation models")
    parser.add_argument("action", choices=("list", "fetch"), nargs="?", default="list")
    parser.add_argument("name", nargs="?", help="landscape or square (default: both)")
    parser.add_argument("--from", dest="from_file", metavar="FILE", help="take it from this file")


def _weights(commands: Commands) -> None:
    parser = _command(
        commands,
        "weights",
        "weights",
        "show, check or convert the colour network's weights",
        epilog="platematch weights convert latest.pth -o s2crnet.safetensors",
    )
    parser.add_argument("action", choices=("list", "verify", "convert"), nargs="?", default="list")
    parser.add_argument("file", nargs="?", help="a published S2CRNet checkpoint (.pth), for convert")
    parser.add_argument("-o", "--output", help="safetensors file to write, for convert")


def _train(commands: Commands) -> None:
    parser = _command(
        commands,
        "train",
        "train",
        "train the colour network on picture folders",
        description="Train the colour network on folders of pictures (images/ and, where known, masks/).\n"
        "Pictures are recoloured on the fly; the same command on the same --out goes on where it stopped.",
    )
    parser.add_argument(
        "--data", action="append", required=True, metavar="DIR[=CLASS]", help="picture folder, repeatable"
    )
    parser.add_argument("--out", required=True, help="folder for checkpoints, log and weights")
    options.add_training(parser)


def _bench(commands: Commands) -> None:
    parser = _command(commands, "bench", "bench", "measure speed and quality on this machine")
    parser.add_argument("what", choices=("render", "curves", "matte", "match"))
    parser.add_argument("--clip", help="video for `render`")
    parser.add_argument("--plate", default="sunset", help="plate for `render` (default: %(default)s)")
    parser.add_argument("--frames", type=options.positive_int, help="frames to measure")
    parser.add_argument("--data", help="folder with the training data, for `matte` and `match`")
    parser.add_argument("--size", type=options.size, metavar="WxH", help="frame size for `curves` and `matte`")
    parser.add_argument("--weights", action="append", help="weights for `match`, repeatable")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="pictures for `match`")


def _devices(commands: Commands) -> None:
    _command(commands, "devices", "devices", "list cameras, compute devices and video encoders")
