"""The words of `project`: what can be done to a mask project without a window."""

from __future__ import annotations

import argparse
from typing import Final, TypeAlias

from app.cli import options, render_parser

EPILOG: Final = """\
examples:
  platematch project new talk.mp4 -o talk.platematch --plate beach.jpg
  platematch project info talk.platematch --json
  platematch project render talk.platematch -o out.mp4
  platematch project deliver talk.platematch -o talk.mov --deliver prores-4444-alpha
  platematch project export-matte talk.platematch -o matte.mkv
  platematch project export-matte talk.platematch -o cutout --rgba
  platematch project relink talk.platematch --clip moved/talk.mp4

What was saved last counts; only new and relink write to a project.
"""

Actions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Everything that can be done; `args.action` is the chosen one's name."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    _info(_action(actions, "info", "show what a project holds and what of it is missing"))
    _render(_action(actions, "render", "render the matched composite, frame by frame as the window shows it"))
    _deliver(_action(actions, "deliver", "render with every format and alpha, looking ahead like `render`"))
    _export_matte(_action(actions, "export-matte", "write the corrected matte, or the person cut out by it"))
    _new(_action(actions, "new", "make a project of a clip"))
    _relink(_action(actions, "relink", "say where a project's files are now"))


def _action(actions: Actions, name: str, summary: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    options.add_talk(parser)
    return parser


def _add_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="folder, such as talk.platematch")


def _add_range(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--whole", action="store_true", help="the clip from end to end, not only the in-out range")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")


def _info(parser: argparse.ArgumentParser) -> None:
    _add_project(parser)


def _render(parser: argparse.ArgumentParser) -> None:
    _add_project(parser)
    parser.add_argument("-o", "--output", required=True, help="video to write: .mp4 .mov .mkv .webm")
    _add_range(parser)
    parser.add_argument("--crf", type=int, help="quality, smaller is better (default: 18; VP9: 24)")
    parser.add_argument("--preset", default="veryfast", help="x264 speed preset (default: %(default)s)")
    parser.add_argument("--codec", help="FFmpeg encoder (default: libx264; .webm: libvpx-vp9)")
    parser.add_argument("--device", default="cpu", help="what computes, as for `render` (default: cpu)")


def _deliver(parser: argparse.ArgumentParser) -> None:
    """The options of `render` that a project does not decide itself."""
    _add_project(parser)
    parser.add_argument("-o", "--output", required=True, help="file to write; a folder for pictures")
    parser.add_argument("--whole", action="store_true", help="the clip from end to end, not only the in-out range")
    parser.add_argument("--fps", type=render_parser.rate, help="convert to this frame rate (default: the clip's times)")
    parser.add_argument("--device", default="cpu", help="what computes, as for `render` (default: cpu)")
    render_parser.add_delivery(parser.add_argument_group("delivery"))
    render_parser.add_extras(parser.add_argument_group("also write"))
    render_parser.add_work(parser.add_argument_group("work"))


def _export_matte(parser: argparse.ArgumentParser) -> None:
    _add_project(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        help="video (.mkv: without loss; .mp4 .mov .webm), or a folder for one PNG a frame",
    )
    parser.add_argument("--rgba", action="store_true", help="PNGs of the person with the matte as their alpha")
    _add_range(parser)


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", help="video to correct the matte of")
    parser.add_argument("-o", "--output", required=True, metavar="PROJECT", help="folder to make: name.platematch")
    parser.add_argument("--mask", help="a given matte instead of the model's: video, folder of PNGs, picture")
    parser.add_argument("--plate", help="background, as for `render` (default: sunset)")


def _relink(parser: argparse.ArgumentParser) -> None:
    _add_project(parser)
    parser.add_argument("--clip", metavar="FILE", help="the clip, wherever it is now")
    parser.add_argument("--mask", metavar="FILE", help="the given matte, wherever it is now")
