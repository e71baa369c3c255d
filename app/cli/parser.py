"""The words of the command line. Commands are imported only when they run, so `--help` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

from app.cli import bench_parser, options, project_parser, render_parser

EPILOG = """\
examples:
  platematch demo                                         a sample, no camera or file needed
  platematch render talk.mp4 --plate beach.jpg -o out.mp4
  platematch render talk.mp4 --plate sunset -o out.mp4 --preview-sheet sheet.png
  platematch composite me.jpg --plate office -o me-at-the-office.png
  platematch harmonize pasted.png --mask mask.png -o matched.png

exit codes: 0 done, 1 failed, 2 wrong usage, 3 unusable input, 4 output can't be written,
5 model or weights missing or altered, 130 interrupted (unfinished files are
removed; a render goes on where it stopped)
"""

TRAIN_EPILOG = """\
layouts:
  plain       images/ and masks/: cat.jpg has cat.png and, for more objects, cat_1.png, cat_2.png, all of its size
  photographs a folder of pictures, or one with images/ alone: regions of them are recoloured
  iHarmony4   composite_images/ masks/ real_images/; <subset>_train.txt, IHD_train.txt and the test lists are kept to
  packed      what --pack wrote
  or a folder of any of the first three. CLASS: person, animal, food or other (default)

examples:
  platematch train --data people=person --data scenes --out runs/1 --backbone squeezenet1_1.onnx
  platematch train --data people=person --data scenes --pack packed
  platematch train --data packed --out runs/2 --device cuda --batch 256 --steps 40000
  platematch train --data packed --out runs/3 --init runs/2 --heads fused --precompute 50000
"""

CTL_EPILOG = """\
commands:
  stats                   frame rate, latency, drops, and what is running
  presets, preset NAME    list them; use one
  plate NAME              use a background
  record start|stop|pause
  vcam start|stop         the virtual camera
  panic on|off            cover the whole picture at once
  snapshot                save the picture as it is now
  view NAME               what the preview shows
  get, set GROUP.NAME VALUE

examples:
  platematch ctl preset "Office"
  platematch ctl set match.strength 0.5
  platematch ctl stats --json
"""

EVAL_EPILOG = """\
layouts:
  iHarmony4   its root, or any folder with composite_images/ masks/ real_images/; <subset>_test.txt and
              IHD_test.txt choose the pictures; c123_1_1.jpg belongs to mask c123_1.png and truth c123.jpg
  plain       any folder with images/ and masks/, or a folder of such folders: each picture is recoloured under
              its mask, the same for the same --seed; --split parts them by scene, as `train` does
  photographs a folder of pictures, or one with images/ alone: as above, under regions that are drawn

examples:
  platematch eval iHarmony4 --method identity,reinhard,platematch-s --size both --csv scores.csv
  platematch eval people --split test --method s2crnet-s --method latest.pth --sheet sheet.png
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
    for add in (
        _gui,
        _demo,
        _render,
        _composite,
        _harmonize,
        _project,
        _models,
        _weights,
        _train,
        _eval,
        _eval_video,
        _masks,
        _bench,
        _devices,
        _ctl,
        _screenshots,
    ):
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
    parser.add_argument("clip", nargs="?", help="a video to render, or a mask project")
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="show this live instead of the camera: a video or picture, camera:/dev/video0, screen:0, an rtsp:// or\n"
        "http:// address, sample or pattern",
    )


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
        description=render_parser.DESCRIPTION,
        epilog=render_parser.EPILOG,
    )
    render_parser.add_arguments(parser)


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


def _project(commands: Commands) -> None:
    parser = commands.add_parser(
        "project",
        help="render and export mask projects, and make them from clips",
        description="Work with mask projects (name.platematch) without a window.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=project_parser.EPILOG,
    )
    parser.set_defaults(run=_lazily("project"))
    project_parser.add_actions(parser)


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
    parser.add_argument("action", choices=("list", "verify", "convert", "export-onnx"), nargs="?", default="list")
    parser.add_argument("file", nargs="?", help="a published S2CRNet checkpoint (.pth), for convert")
    parser.add_argument(
        "-o",
        "--output",
        help="safetensors file to write, for convert; for export-onnx a folder (default: the package's own)",
    )


def _train(commands: Commands) -> None:
    parser = _command(
        commands,
        "train",
        "train",
        "train the colour network on picture folders",
        description="Train the colour network. Pictures are recoloured on the fly; published pairs are used as they\n"
        "are, too. The same command on the same --out goes on where it stopped.",
        epilog=TRAIN_EPILOG,
    )
    parser.add_argument(
        "--data", action="append", required=True, metavar="DIR[=CLASS]", help="see the layouts below; repeatable"
    )
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--out", metavar="DIR", help="folder for checkpoint, log, curves, contact sheet and weights")
    goal.add_argument("--pack", metavar="DIR", help="only pack the data there, to train on it elsewhere")
    options.add_training(parser)


def _eval(commands: Commands) -> None:
    parser = _command(
        commands,
        "eval",
        "eval",
        "compare colour-matching methods on composites whose truth is known",
        description="Compare methods on composites whose truth is known: MSE, fMSE, PSNR (peak 255), SSIM, fSSIM,\n"
        "colour differences, by foreground ratio and by subset. Broken pictures are named and left out.",
        epilog=EVAL_EPILOG,
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="data set or subset; see the layouts below")
    parser.add_argument(
        "--method",
        action="append",
        metavar="NAME",
        help="identity, reinhard, histogram, shipped weights by name, a .safetensors or a published .pth file; "
        "repeatable, or joined by commas (default: the first three and the default weights)",
    )
    parser.add_argument("--size", choices=("256", "full", "both"), default="256", help="(default: 256 x 256)")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test", "all"),
        help="part of the data (default: the test list where a data set has one, else all)",
    )
    parser.add_argument("--list", metavar="FILE", help="score only these file names or SHA-256 sums, one a line")
    parser.add_argument("--limit", type=options.positive_int, metavar="N", help="score N pictures, evenly spread")
    parser.add_argument("--seed", type=int, default=7, help="of recolourings made here (default: %(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="also write one row a picture, size and method")
    parser.add_argument("--sheet", metavar="PNG", help="also write composite, methods and truth side by side")
    parser.add_argument(
        "--sheet-count", type=options.positive_int, default=24, metavar="N", help="pictures on it (default: 24)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a CSV file or sheet that exists")
    parser.add_argument(
        "--class",
        dest="label",
        choices=("person", "animal", "food", "other", "none"),
        default="other",
        help="what networks are told the foreground is (default: %(default)s; none: the plain branch)",
    )
    parser.add_argument("--device", default="cpu", help="torch device of the networks (default: cpu)")


def _eval_video(commands: Commands) -> None:
    parser = _command(
        commands,
        "eval-video",
        "eval_video",
        "measure how right and how steady the colour match is over time",
        description="Recolour the people of real clips by known curves, match them back to their own background, and\n"
        "compare smoothings: error, temporal loss, flicker at rest, settling after a change of plate or light.",
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="video that shows a person")
    parser.add_argument("--weights", action="append", metavar="NAME", help="shipped name or file, repeatable")
    parser.add_argument("--frames", type=options.positive_int, default=60, help="of a clip (default: %(default)s)")
    parser.add_argument("--rest", type=options.positive_float, default=2.5, metavar="S", help="at rest (default: 2.5)")
    parser.add_argument("--csv", metavar="FILE", help="also write one row a clip, scene and smoothing")
    parser.add_argument("--overwrite", action="store_true", help="replace a CSV file that exists")


def _masks(commands: Commands) -> None:
    parser = _command(
        commands,
        "masks",
        "masks",
        "cut people out of a folder of pictures, to train on",
        description="Find the person in every picture of a folder and write the picture and its mask to another one,\n"
        "as images/ and masks/. Doubtful masks are left out. The same command goes on where it stopped.",
        epilog="then: platematch train --data FOLDER=person --out run",
    )
    parser.add_argument("folder", metavar="FOLDER", help="pictures of people, or a folder with images/")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="made where it is missing")


def _bench(commands: Commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure speed and quality on this machine",
        description="Measure speed and quality on this machine. Your settings are neither used nor touched.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=bench_parser.EPILOG,
    )
    parser.set_defaults(run=_lazily("bench"))
    bench_parser.add_benches(parser)


def _devices(commands: Commands) -> None:
    _command(commands, "devices", "devices", "list cameras, compute devices and video encoders")


def _ctl(commands: Commands) -> None:
    parser = _command(
        commands,
        "ctl",
        "ctl",
        "control the open window: presets, recording, virtual camera, settings",
        description="Control the open window. It must have “Control from outside” turned on, under Output;\n"
        "then programs of this machine that can read your files may use it, and nobody else.",
        epilog=CTL_EPILOG,
    )
    parser.add_argument("words", nargs="+", metavar="COMMAND", help="see the list below")


def _screenshots(commands: Commands) -> None:
    parser = _command(
        commands,
        "screenshots",
        "screenshots",
        "make the README's pictures of the window",
        description="Open the window on the built-in sample and make pictures of it. Needs no camera, leaves your own\n"
        "settings alone and works without a display, best with Xvfb installed.",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="made where it is missing")
    parser.add_argument("--all", action="store_true", help="every page, view and mode, dark and light")
    parser.add_argument("--size", type=options.size, metavar="WxH", help="of the window (default: 1280x800)")
